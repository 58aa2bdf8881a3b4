import CleftFormats
import CleftImaging
import Foundation
import Glibc

/// Decodes in child processes, so that a hostile file costs one line and not the run.
///
/// A child that dies leaves the picture it was at as `crashed`, one that does not answer in time is killed and leaves
/// it as `slow`; a new child goes on with the rest. A child speaks the language of `InspectionWorker`.
public struct ProcessInspector {
  /// The program of a child and its arguments.
  public var executable: String, arguments: [String]
  /// Children at a time.
  public var workerCount: Int
  /// How long a child may take for one picture.
  public var timeoutSeconds: Double
  /// How stored DICOM values become gray levels.
  public var dicom: DicomRendering
  /// How long a child may take to start, on a machine that is busy with other things.
  static let startSeconds = 30.0
  /// Pictures that a child is sent ahead, so that it never waits for the next one.
  static let depth = 8

  /// Makes an inspector.
  public init(
    executable: String, arguments: [String], workerCount: Int, timeoutSeconds: Double = 60,
    dicom: DicomRendering = .display
  ) {
    self.executable = executable
    self.arguments = arguments
    self.workerCount = max(1, workerCount)
    self.timeoutSeconds = timeoutSeconds
    self.dicom = dicom
  }

  /// Findings of the pictures, in the order of their paths.
  ///
  /// - Throws: `FormatError.system` if children cannot be started.
  public func inspect(_ paths: [String], progress: (Int) -> Void) throws -> [PictureFinding] {
    let pool = InspectionPool(inspector: self, paths: paths)
    defer { pool.stop() }
    try pool.run(progress)
    return pool.findings.compactMap { $0 }
  }
}

/// The parent's side while pictures are inspected: one thread that talks to all children.
private final class InspectionPool {
  private let inspector: ProcessInspector
  private let paths: [String]
  private(set) var findings: [PictureFinding?]
  private var children: [InspectionChild] = []
  /// Children that have closed their side or were killed, until the system says how they ended.
  private var ending: [Ending] = []
  /// Pictures that a child had been sent when it ended before it came to them.
  private var returned: [Int] = []
  private var next = 0
  private var doneCount = 0

  /// A child that is off the list, and what is said of the picture it was at.
  private struct Ending {
    let child: InspectionChild
    let fault: PictureFault
    let reason: (InspectionChild.End) -> String
    let since = SuspendingClock.now

    var seconds: Double { (SuspendingClock.now - since) / .seconds(1) }
  }

  init(inspector: ProcessInspector, paths: [String]) {
    self.inspector = inspector
    self.paths = paths
    findings = Array(repeating: nil, count: paths.count)
  }

  func run(_ progress: (Int) -> Void) throws(FormatError) {
    while doneCount < paths.count {
      try supply()
      let before = doneCount
      for child in waitForChildren() {
        if let lines = child.receive() {
          take(lines, from: child)
        } else {
          retire(child) { "crashed the decoder (\($0.text))" }
        }
      }
      endSlowChildren()
      try buryTheDead()
      if doneCount > before { progress(doneCount) }
    }
  }

  /// Ends all children, and waits two seconds at most for the system to take them off its list.
  func stop() {
    var left = children + ending.map(\.child)
    for child in left { child.kill() }
    let start = SuspendingClock.now
    while !left.isEmpty, SuspendingClock.now - start < .seconds(2) {
      left.removeAll { $0.reap() != nil }
      if !left.isEmpty { usleep(1000) }
    }
    (children, ending) = ([], [])
  }

  /// Sees to it that there are children for the open pictures, and that each has some ahead.
  private func supply() throws(FormatError) {
    let wanted = min(inspector.workerCount, paths.count - doneCount)
    while children.count + ending.count < wanted {
      children.append(
        try InspectionChild(executable: inspector.executable, arguments: inspector.arguments))
    }
    // One by one in turn: the last pictures are then shared out evenly.
    for depth in 1...ProcessInspector.depth {
      for child in children where child.isReady && child.waiting.count < depth {
        guard let index = takeOpen() else { return }
        if child.waiting.isEmpty { child.since = .now }
        child.waiting.append(index)
        child.send(jsonText(InspectionRequest(path: paths[index], dicom: inspector.dicom)))
      }
    }
  }

  private func takeOpen() -> Int? {
    if let index = returned.popLast() { return index }
    guard next < paths.count else { return nil }
    next += 1
    return next - 1
  }

  /// Waits until a child has something to say or has run out of time; children that have something to say.
  private func waitForChildren() -> [InspectionChild] {
    var watched = children.map {
      pollfd(fd: $0.descriptor, events: Int16(POLLIN | ($0.hasUnsent ? POLLOUT : 0)), revents: 0)
    }
    // The end of a process makes no descriptor readable, and follows within moments.
    let wait = (children.map(patience) + ending.map { _ in 0.002 }).min() ?? 0
    guard poll(&watched, nfds_t(watched.count), Int32(max(0, min(wait, 3600)) * 1000) + 1) > 0 else {
      return []
    }
    for (child, state) in zip(children, watched) where state.revents & Int16(POLLOUT) != 0 { child.flush() }
    return zip(children, watched).filter { $0.1.revents & ~Int16(POLLOUT) != 0 }.map(\.0)
  }

  private func take(_ lines: [String], from child: InspectionChild) {
    for line in lines {
      guard child.isReady else {
        guard line == InspectionWorker.greeting else { continue }
        child.isReady = true
        continue
      }
      guard let finding = try? JSONDecoder().decode(PictureFinding.self, from: Data(line.utf8)),
        let index = child.waiting.first
      else {
        // What it says from here on cannot be told apart.
        child.kill()
        return retire(child) { _ in "crashed the decoder (it gave no answer)" }
      }
      child.waiting.removeFirst()
      child.since = .now
      note(finding, index)
    }
  }

  /// Kills children that have run out of time; one whose answer has come while others were dealt with has not.
  private func endSlowChildren() {
    for child in children where patience(with: child) < 0 && !child.hasUnread {
      let limit = inspector.timeoutSeconds.formatted(.number.grouping(.never))
      child.kill()
      retire(child, fault: .slow) { _ in "took longer than \(limit) s" }
    }
  }

  /// Takes a child off the list: the picture it was at has a fault, those behind it go to others.
  private func retire(
    _ child: InspectionChild, fault: PictureFault = .crashed,
    _ reason: @escaping (InspectionChild.End) -> String
  ) {
    children.removeAll { $0 === child }
    returned += child.waiting.dropFirst().reversed()
    ending.append(Ending(child: child, fault: fault, reason: reason))
  }

  /// Notes what the system says of children that have ended, without waiting for any.
  private func buryTheDead() throws(FormatError) {
    for (place, last) in ending.enumerated().reversed() {
      // Two seconds to die by itself, two more to die of being killed.
      if last.seconds > 2 { last.child.kill() }
      guard let end = last.child.reap() ?? (last.seconds > 4 ? .stuck : nil) else { continue }
      ending.remove(at: place)
      guard last.child.isReady else {
        throw .system(
          Problem(
            "\(inspector.executable) \(inspector.arguments.joined(separator: " "))",
            found: "does not start as a decoding process (\(end.text))"))
      }
      if let index = last.child.waiting.first {
        note(.faulty(fault: last.fault, reason: last.reason(end)), index)
      }
    }
  }

  private func note(_ finding: PictureFinding, _ index: Int) {
    findings[index] = finding
    doneCount += 1
  }

  /// Seconds that a child may still take.
  private func patience(with child: InspectionChild) -> Double {
    if child.isReady, child.waiting.isEmpty { return .infinity }
    let limit =
      child.isReady ? inspector.timeoutSeconds : max(inspector.timeoutSeconds, ProcessInspector.startSeconds)
    return limit - (SuspendingClock.now - child.since) / .seconds(1)
  }
}
