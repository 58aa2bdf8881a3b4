import CleftFormats
import Foundation
import Glibc
import Testing

/// What is on disk while events are written, after a kill, and when the disk is full.
@Suite struct TensorBoardFileTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileSystem.makeFolder(folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  fileprivate static func loss(_ value: Float) -> TensorBoardEvent.Content {
    .values([(tag: "train/loss", value: .scalar(value))])
  }

  /// Messages of the whole records of a file, and how many bytes are left behind them.
  fileprivate static func records(_ path: String) throws -> (messages: [Data], rest: Int) {
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    var messages: [Data] = []
    while data.count >= 16 {
      let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      guard data.count >= length + 16 else { break }
      let message = Data(data.dropFirst(12).prefix(length))
      guard EventFileWriter.record(message) == data.prefix(length + 16) else { break }
      messages.append(message)
      data = Data(data.dropFirst(length + 16))
    }
    return (messages, data.count)
  }

  @Test func recordsAreOnDiskAtOnce() throws {
    try withFolder { folder in
      let writer = try EventFileWriter(folder: folder)
      for step in 1...3 {
        try writer.append(Self.loss(Float(step)), step: step)
        let found = try Self.records(writer.path)
        #expect(found.messages.count == step + 1 && found.rest == 0)
      }
      let messages = try Self.records(writer.path).messages
      #expect(messages[0].range(of: Data("brain.Event:2".utf8)) != nil)
      // A first process begins nothing anew.
      #expect(messages[1].range(of: Data("train/loss".utf8)) != nil)
    }
  }

  /// A process that was killed leaves a torn record; the next one writes to another file that readers take later.
  @Test func theNextProcessTakesItsOwnFile() throws {
    try withFolder { folder in
      let killed = try EventFileWriter(folder: folder)
      for step in 1...9 { try killed.append(Self.loss(1), step: step) }
      let whole = try Data(contentsOf: URL(fileURLWithPath: killed.path))
      try whole.dropLast(5).write(to: URL(fileURLWithPath: killed.path))
      #expect(try Self.records(killed.path).messages.count == 9)

      let next = try EventFileWriter(folder: folder, resumingFrom: 6)
      #expect(next.path > killed.path)
      try next.append(Self.loss(2), step: 7)
      let found = try Self.records(next.path)
      #expect(found.messages.count == 3 && found.rest == 0)
      // SessionLog START of step 7: what the killed process has of steps 7 and later counts no more.
      #expect(found.messages[1].dropFirst(9) == Data([0x10, 7, 0x3A, 2, 0x08, 1]))
      #expect(FileSystem.list(folder).count == 2)
    }
  }

  @Test func namesSortInTheOrderOfProcesses() throws {
    func name(_ now: Int, after earlier: Int?) -> String {
      EventFileWriter.fileName(now: now, after: earlier, host: "h.example", process: 12, number: 0)
    }
    #expect(name(1_700_000_000, after: nil) == "events.out.tfevents.1700000000.h.example.12.0")
    #expect(name(1_700_000_000, after: 1_600_000_000).contains(".1700000000."))
    // Two processes in a second, and a clock that was set back.
    #expect(name(1_700_000_000, after: 1_700_000_000).contains(".1700000001."))
    #expect(name(1_500_000_000, after: 1_700_000_000).contains(".1700000001."))
    #expect(EventFileWriter.seconds(ofFile: name(1_700_000_000, after: nil)) == 1_700_000_000)
    #expect(EventFileWriter.seconds(ofFile: "metrics.jsonl") == nil)
    #expect(EventFileWriter.seconds(ofFile: "events.out.tfevents.x") == nil)
  }

  @Test func aFolderThatIsNotThereIsAnError() throws {
    let error = #expect(throws: FormatError.self) { try EventFileWriter(folder: "/nonexistent/run") }
    #expect(try #require(error).description.hasPrefix("/nonexistent/run/events.out.tfevents."))
    #expect(error?.exitStatus == .inputOutput)
  }

  /// In a process of its own, since the limit is one of the whole process.
  @Test func aFileThatCannotGrowStaysWhole() async throws {
    await #expect(processExitsWith: .success) {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
      try FileSystem.makeFolder(folder)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let writer = try EventFileWriter(folder: folder)
      var limit = rlimit(rlim_cur: 4001, rlim_max: 4001)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      var failures: [FormatError] = []
      for step in 1...200 {
        do throws(FormatError) { try writer.append(TensorBoardFileTests.loss(1), step: step) } catch {
          failures.append(error)
        }
      }
      #expect(failures.count > 50)
      #expect(try #require(failures.first).description.contains("cannot be written"))
      let found = try TensorBoardFileTests.records(writer.path)
      #expect(found.rest == 0 && found.messages.count > 50)
    }
  }
}
