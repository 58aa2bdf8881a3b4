import CleftFormats
import CleftImaging
import CleftTraining
import Foundation
import Glibc
import Testing

/// What a run says to people, and what it writes down.
@Suite struct RunLogTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileSystem.makeFolder(folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  /// What is written to the write end while `body` runs, where nobody is looking.
  private func said(_ environment: [String: String] = [:], _ body: (RunLog) throws -> Void) throws -> String {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let log = RunLog(descriptor: ends[1], environment: environment)
    let outcome = Result { try body(log) }
    close(ends[1])
    defer { close(ends[0]) }
    try outcome.get()
    return String(
      decoding: FileHandle(fileDescriptor: ends[0], closeOnDealloc: false).readDataToEndOfFile(),
      as: UTF8.self)
  }

  private func events(_ folder: String) -> [String] {
    FileSystem.list(folder).filter { $0.hasPrefix("events.out.tfevents.") }
  }

  private func lines(_ folder: String) throws -> [[String: Double]] {
    try String(decoding: FileSystem.read("\(folder)/metrics.jsonl"), as: UTF8.self).split(separator: "\n")
      .map { try JSONDecoder().decode([String: Double].self, from: Data($0.utf8)) }
  }

  @Test func offATerminalOnlyMilestonesAreLines() throws {
    let text = try said { log in
      log.progress("step 1", isMilestone: false)
      log.progress("step 2", isMilestone: true)
      log.progress("step 3", isMilestone: false)
      log.say("done")
    }
    #expect(text == "step 2\ndone\n")
  }

  @Test func warningsAreSaidOnceAndCounted() throws {
    let text = try said { log in
      for _ in 0..<3 { log.warn("a") }
      log.warn("b")
      log.summarizeWarnings()
    }
    #expect(text == "warning: a\nwarning: b\n2 warnings in this run:\n  3× a\n  1× b\n")
  }

  @Test func onATerminalALineIsWrittenInPlaceAndCut() throws {
    let controller = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
    try #require(controller >= 0)
    defer { close(controller) }
    // TIOCSPTLCK and TIOCGPTN: unlocks the other end, and asks for its number.
    var (isLocked, number): (Int32, Int32) = (0, 0)
    try #require(ioctl(controller, 0x4004_5431, &isLocked) == 0)
    try #require(ioctl(controller, 0x8004_5430, &number) == 0)
    let terminal = Glibc.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(terminal >= 0)
    defer { close(terminal) }
    var size = winsize(ws_row: 24, ws_col: 20, ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0)

    let log = RunLog(descriptor: terminal, environment: ["TERM": "xterm"])
    log.progress("0123456789012345678901234567890", isMilestone: false)
    log.progress("too soon after it", isMilestone: false)
    log.progress("a milestone that is longer than a line", isMilestone: true)
    log.say("a message")
    let clear = "\r\u{1B}[K"
    #expect(
      readAll(controller)
        == "\(clear)012345678901234567…\(clear)a milestone that is longer than a line\r\na message\r\n")

    let dumb = RunLog(descriptor: terminal, environment: ["TERM": "dumb"])
    dumb.progress("step 1", isMilestone: false)
    dumb.progress("step 2", isMilestone: true)
    #expect(readAll(controller) == "step 2\r\n")
  }

  private func readAll(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while poll(&request, 1, 200) > 0 {
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { break }
      bytes += buffer[0..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func numbersGoToBothFiles() throws {
    try withFolder { folder in
      _ = try said { log in
        try log.open(folder: folder)
        try log.record(step: 50, ["train_loss": 1.5, "lr-AdamW": 1e-5, "epoch": 0, "train_acc1": .nan])
        try log.histogram(step: 50, "encoder.lora_A.weight", [1, 2, 3])
        try log.images(step: 50, "first_batch", [GrayImage(width: 8, height: 6, level: 9)])
        try log.curve(
          step: 50, "val/Edema", ClassScores(name: "Edema", scores: [0.1, 0.9], isPositive: [false, true]))
        try log.flush()
      }
      #expect(try lines(folder) == [["epoch": 0, "lr-AdamW": 1e-5, "step": 50, "train_loss": 1.5]])
      let file = try #require(events(folder).first)
      let data = try FileSystem.read("\(folder)/\(file)")
      for tag in [
        "train/loss", "lr/AdamW", "epoch", "train/acc1", "parameters/encoder.lora_A.weight",
        "images/first_batch", "val/Edema", "pr_curves", "\u{89}PNG",
      ] {
        let bytes = tag.hasSuffix("PNG") ? Data([0x89] + "PNG".utf8) : Data(tag.utf8)
        #expect(data.range(of: bytes) != nil, "\(tag)")
      }
    }
  }

  @Test func eventsCanBeTurnedOff() throws {
    try withFolder { folder in
      _ = try said { log in
        try log.open(folder: folder, writesEvents: false)
        try log.record(step: 1, ["train_loss": 1])
        try log.images(step: 1, "first_batch", [GrayImage(width: 2, height: 2)])
      }
      #expect(FileSystem.list(folder) == ["metrics.jsonl"])
    }
  }

  /// Lines of steps that the resumed run takes again are gone, a torn one too; events go to a file of their own.
  @Test func aResumedRunWritesNoStepTwice() throws {
    try withFolder { folder in
      _ = try said { log in
        try log.open(folder: folder)
        for step in 1...5 { try log.record(step: step, ["train_loss": 1]) }
      }
      let path = "\(folder)/metrics.jsonl"
      try FileSystem.write(try FileSystem.read(path) + Data(#"{"step":3,"trai"#.utf8), to: path)
      _ = try said { log in
        try log.open(folder: folder, resumingFrom: 3)
        for step in 4...6 { try log.record(step: step, ["train_loss": 2]) }
      }
      #expect(
        try lines(folder)
          == (1...6).map { ["step": Double($0), "train_loss": $0 > 3 ? 2 : 1] })
      #expect(events(folder).count == 2)
    }
  }

  private final class Failing: RunRecorder {
    struct Full: Error {}
    func record(step: Int, scalars: [String: Double]) throws { throw Full() }
  }

  private final class Counting: RunRecorder {
    var count = 0
    func record(step: Int, scalars: [String: Double]) throws { count += scalars.count }
  }

  @Test func aRecorderThatFailsCostsTheOthersNothing() throws {
    _ = try said { log in
      let counting = Counting()
      log.add(Failing())
      log.add(counting)
      #expect(throws: Failing.Full.self) { try log.record(step: 1, ["a": 1, "b": 2]) }
      #expect(counting.count == 2)
      // What a recorder has no place for it leaves.
      try log.histogram(step: 1, "a", [1])
      try log.flush()
    }
  }

  @Test func aFolderThatIsNotThereIsAnError() throws {
    _ = try said { log in
      #expect(throws: FormatError.self) { try log.open(folder: "/nonexistent/run") }
    }
  }

  @Test func settingsOfATrackingServiceAreAnswered() throws {
    try withFolder { folder in
      let key = "0123456789abcdef"
      let text = try said(["WANDB_API_KEY": key, "WANDB_PROJECT": "chest", "HOME": "/"]) { log in
        try log.open(folder: folder)
      }
      #expect(text.hasPrefix("WANDB_API_KEY and 1 more are set, but runs are local: nothing is sent."))
      #expect(text.contains("wandb sync --sync-tensorboard \(folder) (needs wandb 0.29.0 or older"))
      #expect(text.split(separator: "\n").count == 1)
      #expect(!text.contains(key) && !text.contains("chest"))
      #expect(try said([:]) { try $0.open(folder: folder) } == "")
    }
  }

  @Test func servicesAreNamedByTheirSettings() {
    func notice(_ environment: [String: String], hasEvents: Bool = true) -> String? {
      TrackingService.notice(environment, folder: "logs/a b", hasEvents: hasEvents)
    }
    #expect(notice(["PATH": "/bin", "WANDB_MODE": ""]) == nil)
    #expect(notice(["WANDB_MODE": "disabled", "WANDB_API_KEY": "k"]) == nil)
    #expect(notice(["WANDB_DISABLED": "true"]) == nil)
    #expect(notice(["WANDB_MODE": "offline"])?.contains("wandb sync --sync-tensorboard 'logs/a b' ") == true)
    let neptune = notice(["NEPTUNE_API_TOKEN": "secret"]) ?? ""
    #expect(neptune.hasPrefix("NEPTUNE_API_TOKEN is set, but runs are local: nothing is sent."))
    #expect(neptune.hasSuffix("neptune tensorboard --project PROJECT 'logs/a b'."))
    #expect(!neptune.contains("wandb") && !neptune.contains("secret"))
    #expect(notice(["COMET_API_KEY": "secret"])?.contains("For Comet:") == true)
    #expect(
      notice(["COMET_API_KEY": "secret"], hasEvents: false)?.contains("Without --no_tensorboard") == true)
  }
}
