import CleftFormats
import Foundation
import Glibc
import Testing

/// `cleft runs` says what runs reached, how they stand and where they differ.
@Suite struct RunsTests {
  /// The parts of a line of a table, which stand two spaces or more from each other.
  private func cells(_ line: String) -> [String] {
    line.replacing(/\s{2,}/, with: "\t").split(separator: "\t").map(String.init)
  }

  private func json(_ result: Tool.Result) throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    return try #require(object as? [String: Any], "\(result.errors)")
  }

  private func runs(_ result: Tool.Result) throws -> [[String: Any]] {
    try #require(try json(result)["runs"] as? [[String: Any]])
  }

  @Test func theTableHoldsEveryRunAndOnlyTheOptionsThatDiffer() throws {
    let folders = try RunFolders.three()
    let result = try Tool.run(["runs", "--log-dir", folders.logs])
    try #require(result.status == 0, "\(result.errors)")
    let lines = result.output.components(separatedBy: "\n")
    #expect(
      cells(lines[0]) == [
        "#", "run", "state", "step/of", "epoch", "val_loss best", "val_loss last", "test_acc1", "test_auc",
        "images/s", "time", "MiB",
      ])
    #expect(
      cells(lines[1]) == [
        "#1", "2026_01_02_03_04_05_lora", "finished", "100/100", "1", "2.5000", "2.7500", "61.50", "80.25",
        "16", "2.0 h", "500",
      ])
    // Eight pictures of sixteen a second are half a second a step.
    #expect(
      cells(lines[2]).prefix(7) == [
        "#2", "2026_01_03_03_04_05_ia3", "stopped (resumable)", "70/100", "1", "2.0000*", "2.0000*",
      ])
    #expect(cells(lines[2]).contains("35.0 s"), "\(lines[2])")
    #expect(cells(lines[3])[2...4] == ["stopped", "10/100", "0"])
    let place = try #require(lines.firstIndex(of: "options in which the runs differ:"))
    let options = lines[(place + 1)...].prefix { !$0.isEmpty }.map(cells)
    #expect(
      options == [
        ["option", "#1", "#2", "#3"], ["peft", "lora", "ia3", "<i>none</i>"],
        ["grad_ckpt", "–", "–", "true"],
      ])
  }

  @Test func howARunStandsFollowsFromItsLockItsStepsAndItsFiles() throws {
    let folders = try RunFolders()
    let lines = [RunFolders.training(40, epoch: 0, loss: 1)]
    let done = [RunFolders.training(100, epoch: 0, loss: 1)]
    let live = try folders.make("a_live", lines: lines, checkpoint: (40, "{\"step\":40}"))
    try folders.make("b_done", lines: done, checkpoint: (100, "{\"step\":100}"))
    try folders.make("c_done_without_checkpoints", lines: done)
    // Killed between the last line and the last checkpoint.
    try folders.make("d_cut_at_the_end", lines: done, checkpoint: (60, "{\"step\":60}"))
    try folders.make("e_cut", lines: lines)
    try folders.make("f_state", lines: lines, checkpoint: (40, "{\"st"))
    try folders.make("g_options", options: nil, lines: lines)
    try folders.make("h_numbers", lines: ["garbage"] + lines)
    try folders.make("i_torn", lines: lines + ["{\"step\":5"], isTorn: true)
    let lock = open(live + "/.lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    try #require(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
    func states() throws -> [String: String] {
      let found = try runs(try Tool.run(["runs", "--log_dir", folders.logs, "--json"]))
      return Dictionary(
        uniqueKeysWithValues: found.map {
          (String(($0["name"] as? String ?? "").prefix(1)), $0["state"] as? String ?? "")
        })
    }
    let expected = [
      "a": "running", "b": "finished", "c": "finished", "d": "resumable", "e": "stopped", "f": "damaged",
      "g": "damaged", "h": "damaged", "i": "stopped",
    ]
    #expect(try states() == expected)
    #expect(flock(lock, LOCK_EX | LOCK_NB) == 0, "asking has not taken the lock")
    close(lock)
    #expect(try states() == expected.merging(["a": "resumable"]) { $1 })
    let other = open(live + "/.lock", O_WRONLY | O_CLOEXEC)
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0, "nobody holds it afterwards")
    close(other)
  }

  @Test func unreadableLinesAreCountedAndTheRestCounts() throws {
    let folders = try RunFolders()
    let path = try folders.make(
      "one",
      lines: [
        RunFolders.training(1, epoch: 0, loss: 4),
        "{\"step\": 2, \"train_loss\" : 3e0, \"note\": \"a \\\"b\\\"\"}",
        "no JSON", "[1]", "{\"train_loss\":9}", "",
        "{\"step\":3,\"train_loss\":1e300,\"val_loss\":1e999}",
        "{\"step\":4,\"train_loss\":-1.5e-1,\"nested\":{\"x\":1}}",
        "{\"step\":5,\"another_name\":1,\"train_lo",
      ], isTorn: true)
    let result = try Tool.run(["runs", path, "--json"])
    let run = try #require(try runs(result).first)
    #expect(run["unreadableLines"] as? Int == 4)
    let notes = try #require(run["notes"] as? [String])
    #expect(notes.contains { $0.contains("metrics.jsonl:3: 3 unreadable lines") })
    #expect(notes.contains { $0.contains("1 torn line") })
    #expect(notes.contains { $0.contains("2 value(s) beyond") })
    let metrics = try #require(run["metrics"] as? [String: [String: Double]])
    #expect(metrics["train_loss"] == ["first": 4, "last": -0.15, "min": -0.15, "max": 4, "count": 3])
    #expect(run["step"] as? Int == 4)
    let text = try Tool.run(["runs", path])
    #expect(text.output.contains("note: #1 one: metrics.jsonl:3: 3 unreadable lines"))
  }

  @Test func theJSONHoldsWhatTheTableShows() throws {
    let folders = try RunFolders.three()
    try FileManager.default.createDirectory(
      atPath: folders.logs + "/CLEFT/empty", withIntermediateDirectories: true)
    let result = try Tool.run(["runs", "--log_dir", folders.logs, "--json"])
    let object = try json(result)
    #expect((object["skipped"] as? [String])?.map { ($0 as NSString).lastPathComponent } == ["empty"])
    let options = try #require(object["options"] as? [String: [Any]])
    #expect(Set(options.keys) == ["peft", "grad_ckpt"])
    #expect(options["peft"] as? [String] == ["lora", "ia3", "<i>none</i>"])
    let first = try #require(try runs(result).first)
    #expect(first["steps"] as? Int == 100 && first["checkpointStep"] as? Int == 100)
    #expect(first["hours"] as? Double == 2)
    #expect((first["metrics"] as? [String: [String: Double]])?["val_loss"]?["min"] == 2.5)
    let text = try Tool.run(["runs", "--log_dir", folders.logs])
    #expect(text.output.contains("note: skipped: 1 folder without a run: empty"))
  }

  @Test func runsAreChosenAndSorted() throws {
    let folders = try RunFolders.three()
    func names(_ arguments: [String]) throws -> [String] {
      let result = try Tool.run(["runs", "--log_dir", folders.logs, "--json"] + arguments)
      return try runs(result).map { String(($0["name"] as? String ?? "").dropFirst(20).prefix(4)) }
    }
    #expect(try names([]) == ["lora", "ia3", "<b>\""], "the newest last")
    #expect(try names(["--last", "2"]) == ["ia3", "<b>\""])
    #expect(try names(["--name", "ia"]) == ["ia3"])
    #expect(try names(["--name", "*_l?ra"]) == ["lora"])
    #expect(try names(["--sort", "val_loss:best"]) == ["ia3", "lora", "<b>\""], "smaller is better")
    #expect(try names(["--sort", "step"]) == ["lora", "ia3", "<b>\""])
    #expect(try names(["--sort", "train_loss:first"]) == ["ia3", "lora", "<b>\""])
    let run = folders.logs + "/CLEFT/2026_01_03_03_04_05_ia3"
    #expect(try runs(Tool.run(["runs", run, folders.logs, "--json"])).count == 3, "no run comes twice")
    #expect(try runs(Tool.run(["runs", folders.logs + "/CLEFT", "--json"])).count == 3)
  }

  @Test func theColumnsAskedForGoToTheTableAndToCSV() throws {
    let folders = try RunFolders.three()
    let csv = folders.logs + "/runs.csv"
    let result = try Tool.run([
      "runs", "--log_dir", folders.logs, "--metrics", "train_loss:mean, val_*:best,memory", "--csv", csv,
    ])
    try #require(result.status == 0, "\(result.errors)")
    let head = cells(String(result.output.prefix { $0 != "\n" }))
    #expect(
      head.dropFirst(5) == ["train_loss mean", "val_acc1 best", "val_loss best", "resident_mib"])
    let table = try CSVTable(csv)
    #expect(
      table.columns == [
        "run", "state", "step", "of", "epoch", "train_loss:mean", "val_acc1:best", "val_loss:best",
        "resident_mib:last", "peft", "grad_ckpt",
      ])
    #expect(table.rows.count == 3)
    #expect(table.rows[0].dropFirst(5) == ["2.5", "75.0", "2.5", "500.0", "lora", ""])
    #expect(table.rows[2][0] == "2026_01_04_03_04_05_<b>\"bold\" & 'more'")
  }

  @Test func aNarrowTerminalLosesNothing() throws {
    let folders = try RunFolders.three()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["COLUMNS=64", Tool.path, "runs", "--log_dir", folders.logs]
    let out = Pipe()
    process.standardOutput = out
    try process.run()
    let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let lines = text.components(separatedBy: "\n").filter { !$0.hasPrefix("note: ") }
    #expect(lines.count > 10 && lines.allSatisfy { $0.count <= 64 }, "\(text)")
    for word in [
      "val_loss best", "2.0000*", "stopped (resumable)", "61.50", "80.25", "MiB", "…", "grad_ckpt",
    ] {
      #expect(text.contains(word), "\(word)")
    }
  }

  @Test func whatIsNotThereEndsInOneLine() throws {
    let folders = try RunFolders.three()
    let foreign = try Tool.scratch()
    try FileManager.default.createDirectory(atPath: foreign + "/pictures", withIntermediateDirectories: true)
    let cases: [(arguments: [String], status: Int32, part: String)] = [
      (["/no/such/run"], 66, "/no/such/run"), ([foreign], 66, "no run in it"),
      ([foreign + "/pictures"], 66, "no run in it"),
      (["--log_dir", foreign + "/logs"], 66, "no such folder"),
      ([folders.logs, foreign], 66, "no run in it"),
      ([folders.logs, "--name", "loar"], 66, "2026_01_02_03_04_05_lora"),
      ([folders.logs, "--metrics", "val_los"], 64, "val_loss"),
      ([folders.logs, "--sort", "stepp"], 64, "step"),
      ([folders.logs, "--metrics", "lr-AdamW/pg1:best"], 64, ":min or :max"),
      ([folders.logs, "--last", "0"], 64, "--last is 0"), ([folders.logs, "--x", "days"], 64, "days"),
      ([folders.logs, "--html", "/no/such/folder/a.html"], 74, "/no/such/folder"),
    ]
    for (arguments, status, part) in cases {
      let result = try Tool.run(["runs"] + arguments, in: foreign)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      #expect(result.errors.contains(part) && result.output.isEmpty, "\(arguments): \(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(arguments): \(result.errors)")
    }
    let help = try Tool.run(["runs", "--help"])
    #expect(help.status == 0 && help.output.contains("USAGE: cleft runs"))
  }
}
