import CleftFormats
import Foundation
import Testing

/// What a run does when its surroundings or its numbers go wrong.
@Suite(.serialized) struct RunSafetyTests {
  private let base = [
    "train", "--data_dir", PipelineTests.data, "--model", "tiny", "--image_size", "56", "--batch_size", "4",
    "--devices", "1", "--warm_up", "1", "--num_workers", "1", "--linear_proj", "--pool_feat", "--log_every",
    "1",
  ]

  private func run(_ folder: String) throws -> String {
    struct NoRun: Error {}
    guard let name = FileSystem.list(folder + "/logs/CLEFT").last else { throw NoRun() }
    return "\(folder)/logs/CLEFT/\(name)"
  }

  private func steps(_ folder: String) throws -> [String] {
    FileSystem.list(try run(folder) + "/checkpoints").filter { $0.hasPrefix("step-") }
  }

  private func lines(_ folder: String) throws -> [[String: Any]] {
    let text = String(decoding: try FileSystem.read(try run(folder) + "/metrics.jsonl"), as: UTF8.self)
    return text.split(separator: "\n").compactMap {
      try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
    }
  }

  @Test func aReaderOfItsLinesThatGoesAwayEndsNothing() throws {
    let folder = try Tool.scratch()
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments =
      [
        "-c", "\"$@\" 2>&1 >/dev/null | head -n 1 >/dev/null", "sh", Tool.path,
      ] + base + ["--max_steps", "30"]
    shell.currentDirectoryURL = URL(fileURLWithPath: folder)
    try shell.run()
    shell.waitUntilExit()
    #expect(try steps(folder).last == "step-00000030")
  }

  @Test(arguments: [SIGTERM, SIGINT, SIGUSR1, SIGHUP])
  func aSignalEndsItWithACheckpoint(_ number: Int32) throws {
    let folder = try Tool.scratch()
    let result = try Tool.run(base + ["--max_steps", "100000", "--checkpoint_every", "0"], in: folder) {
      process in
      let numbers = { (try? self.lines(folder))?.last?["step"] as? Int ?? 0 }
      while process.isRunning, numbers() < 3 { usleep(20_000) }
      kill(process.processIdentifier, number)
    }
    #expect(result.status == 75, "\(result.errors)")
    let reached = try #require(try lines(folder).compactMap { $0["step"] as? Int }.max())
    #expect(try Int(#require(steps(folder).last).dropFirst(5)) == reached)
  }

  @Test func theTimeGivenIsKept() throws {
    let folder = try Tool.scratch()
    let start = Date()
    let result = try Tool.run(base + ["--max_steps", "100000", "--max_time", "2s"], in: folder)
    #expect(result.status == 75 && result.errors.contains("--max_time is over"), "\(result.errors)")
    #expect(Date().timeIntervalSince(start) < 20)
    #expect(try !steps(folder).isEmpty)
  }

  @Test(arguments: [
    (["--learning_rate", "1e38"], "is not finite"), (["--learning_rate", "1e6"], "one after another"),
  ])
  func numbersThatGoWrongEndARunByName(_ options: [String], _ text: String) throws {
    let folder = try Tool.scratch()
    let result = try Tool.run(base + ["--max_steps", "60", "--on_nan", "skip"] + options, in: folder)
    #expect(result.status == 65 && result.errors.contains(text), "\(result.errors)")
    let errors = result.errors.split(separator: "\n").filter { $0.contains("cleft: error:") }
    #expect(errors.count == 1 && errors[0].contains("step ") && errors[0].contains(".csv:"), "\(errors)")
  }

  @Test func theBestIsWhatAValidationHasSeen() throws {
    let folder = try Tool.scratch()
    let result = try Tool.run(
      base + [
        "--max_steps", "12", "--val_every", "3", "--keep_best", "2", "--checkpoint_every", "1",
        "--checkpoint_epochs", "0", "--learning_rate", "1e-3",
      ], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let seen = Dictionary(
      try lines(folder).compactMap { line in
        (line["val_loss"] as? Double).map { (line["step"] as? Int ?? 0, $0) }
      }
    ) { _, last in last }
    let best = seen.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.prefix(2).map(\.key)
    let listed = String(decoding: try FileSystem.read(try run(folder) + "/best_ckpts.yaml"), as: UTF8.self)
    for step in best {
      let name = "step-" + String(repeating: "0", count: 8 - "\(step)".count) + "\(step)"
      #expect(listed.contains(name), "\(listed) \(seen)")
      #expect(try steps(folder).contains(name))
    }
    #expect(listed.split(separator: "\n").count == 2)
  }

  @Test func aNumberThatNoValidationGivesIsFoundBeforeTheFirstStep() throws {
    let folder = try Tool.scratch()
    let result = try Tool.run(base + ["--max_steps", "5", "--monitor", "val_los"], in: folder)
    #expect(result.status == 78 && result.errors.contains("val_loss"), "\(result.errors)")
    #expect(try lines(folder).isEmpty)
  }

  @Test func aRunIsReadOnlyWhenNobodyElseWritesThere() throws {
    let folder = try Tool.scratch()
    let first = try Tool.run(base + ["--max_steps", "4"], in: folder)
    try #require(first.status == 0, "\(first.errors)")
    let lock = open(try run(folder) + "/.lock", O_WRONLY)
    defer { close(lock) }
    try #require(flock(lock, LOCK_EX | LOCK_NB) == 0)
    let second = try Tool.run(base + ["--max_steps", "4", "--resume_ckpt", "last"], in: folder)
    #expect(second.status == 78 && second.errors.contains("another process"), "\(second.errors)")
  }

  @Test func goingOnFromTheEndTestsAgainAndSaysItOnce() throws {
    let folder = try Tool.scratch()
    for extra in [[], ["--resume_ckpt", "last"]] {
      let result = try Tool.run(base + ["--max_steps", "4"] + extra, in: folder)
      try #require(result.status == 0, "\(result.errors)")
    }
    #expect(try lines(folder).count { $0["test_acc1"] != nil } == 1)
    #expect(FileSystem.list(folder + "/logs/CLEFT").count == 1)
  }
}
