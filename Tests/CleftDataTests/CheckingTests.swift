import CleftData
import CleftFormats
import CleftImaging
import Foundation
import Testing

/// Samples of a table that is in no file.
private func sample(
  _ path: String, _ caption: String? = nil, _ labels: [Int] = [], line: Int, patient: String? = nil,
  table: String = "t.csv"
) -> Sample {
  Sample(
    imagePath: path, caption: caption, labels: labels, origin: "\(table):\(line)", patient: patient)
}

private func dataset(
  _ samples: [Sample], classes: [String] = ["a", "b", "c"], badRows: [BadRow] = [], table: String = "t.csv",
  captionLength: Int = 64
) -> ImageTextDataset {
  var made = ImageTextDataset(
    name: "set", table: table, samples: samples, classNames: classes, promptSets: [])
  made.badRows = badRows
  made.captionLength = captionLength
  return made
}

private func sound(_ checksum: String, constant: UInt8? = nil, width: Int = 4) -> PictureFinding {
  .sound(
    facts: PictureFacts(width: width, height: 8, kind: .png, checksum: checksum, constantLevel: constant))
}

private func words(_ caption: String) -> Int { caption.split(separator: " ").count }

@Suite struct CheckStatisticsTests {
  @Test func labelsAreCountedAloneAndTogether() {
    let samples = [[0, 1], [1], [], [0, 1, 2], [1, 1]].enumerated().map {
      sample("\($0.offset)", nil, $0.element, line: 2)
    }
    let labels = LabelStatistics(samples, classNames: ["a", "b", "c"])
    #expect(labels.counts == [2, 4, 1])
    #expect(labels.together == [[2, 2, 1], [2, 4, 1], [1, 1, 1]])
    #expect(labels.unlabeledCount == 1)
  }

  @Test func spreadsTakeNumbersThatOccur() throws {
    let hundred = try #require(Spread((1...100).shuffled()))
    #expect(
      (hundred.minimum, hundred.median, hundred.percentile95, hundred.maximum) == (1, 50, 95, 100))
    let one = try #require(Spread([7]))
    #expect((one.minimum, one.median, one.percentile95, one.maximum) == (7, 7, 7, 7))
    #expect(Spread([Int]()) == nil)
  }

  @Test func captionsAreMeasuredAndCounted() throws {
    let texts = ["x y", "x y", "x", "x y z w", nil, "z", "z"]
    let samples = texts.enumerated().map { sample("\($0.offset)", $0.element, line: 2) }
    let captions = try CaptionStatistics(samples, columnCount: 3, tokenCount: words)
    #expect((captions.count, captions.absentCount, captions.distinctCount) == (6, 1, 4))
    #expect(captions.cutCount == 1)
    #expect(captions.tokens == Spread([2, 2, 1, 4, 1, 1]))
    #expect(captions.mostFrequent.map(\.text) == ["x y", "z", "x", "x y z w"])
    #expect(captions.mostFrequent.map(\.count) == [2, 2, 1, 1])
    #expect(captions.histogram.map(\.from) == [1, 2, 3, 4])
    #expect(captions.histogram.map(\.count) == [3, 2, 0, 1])
  }

  @Test func histogramsOfLongCaptionsHaveFewBars() throws {
    let samples = (1...200).map { sample("\($0)", String(repeating: "x ", count: $0), line: 2) }
    let captions = try CaptionStatistics(samples, columnCount: 64, tokenCount: words)
    #expect(captions.histogram.count <= CaptionStatistics.binCount)
    #expect(captions.histogram.map(\.count).reduce(0, +) == 200)
    #expect(captions.histogram.first?.from == 1)
    #expect((captions.histogram.last?.through ?? 0) >= 200)
    #expect(captions.cutCount == 136)
  }
}

@Suite struct DatasetCheckTests {
  private func check(
    _ parts: [(split: Split, dataset: ImageTextDataset)], _ findings: [String: PictureFinding]
  ) throws -> DatasetCheck {
    try DatasetCheck(parts, findings: findings, tokenizer: "words", tokenCount: words)
  }

  @Test func problemsComeInTableOrderWithTheirRows() throws {
    let samples = [
      sample("ok.png", line: 2), sample("gone.png", line: 3), sample("gray.png", line: 5),
      sample("cut.jpg", line: 6), sample("bomb.dcm", line: 7), sample("pipe.png", line: 8),
    ]
    let bad = BadRow(origin: "t.csv:4", imagePath: "x.png", reason: "column 'a' is 'q'")
    let result = try check(
      [(.train, dataset(samples, badRows: [bad]))],
      [
        "ok.png": sound("1"), "gone.png": .faulty(fault: .missing, reason: "no such file"),
        "gray.png": sound("2", constant: 9), "cut.jpg": .faulty(fault: .damaged, reason: "ends early"),
        "bomb.dcm": .faulty(fault: .crashed, reason: "signal 11"),
        "pipe.png": .faulty(fault: .slow, reason: "took longer"),
      ])
    #expect(result.problems.map(\.origin) == (3...8).map { "t.csv:\($0)" })
    #expect(result.problems.map(\.kind) == [.missing, .row, .constant, .damaged, .crashed, .slow])
    #expect(
      result.problems.map(\.path) == ["gone.png", "x.png", "gray.png", "cut.jpg", "bomb.dcm", "pipe.png"])
    #expect(result.problems[1].reason == bad.reason)
    #expect(result.problems[2].reason == "constant: every pixel is 9")
    #expect(!result.isSound)
    let pictures = try #require(result.splits.first?.pictures)
    #expect((pictures.fileCount, pictures.decodedCount, pictures.kinds) == (6, 2, ["png": 2]))
    #expect(pictures.width == Spread([4, 4]))
  }

  @Test func copiesAreWarnings() throws {
    let train = [
      sample("a.png", line: 2), sample("b.png", line: 3), sample("a.png", line: 4), sample("c.png", line: 5),
      sample("d.png", line: 6), sample("e.png", line: 7),
    ]
    let test = [sample("f.png", line: 2, table: "u.csv"), sample("b.png", line: 3, table: "u.csv")]
    let findings = [
      "a.png": sound("1"), "b.png": sound("1"), "c.png": sound("1", width: 5), "d.png": sound("7"),
      "e.png": sound("8"), "f.png": sound("7"),
    ]
    let result = try check([(.train, dataset(train)), (.test, dataset(test, table: "u.csv"))], findings)
    #expect(result.problems.map(\.kind) == [.duplicate, .repeated, .duplicate, .repeated])
    #expect(result.problems.map(\.path) == ["b.png", "a.png", "f.png", "b.png"])
    #expect(result.problems[0].reason == "the same picture (a.png) as t.csv:2")
    #expect(result.problems[2].reason == "the same picture (d.png) as t.csv:6, in train")
    #expect(result.isSound, "copies alone do not stop anybody")
  }

  @Test func blankPicturesAreNoCopiesOfOneAnother() throws {
    let samples = [sample("a.png", line: 2), sample("b.png", line: 3)]
    let blank = sound("1", constant: 0)
    let result = try check([(.train, dataset(samples))], ["a.png": blank, "b.png": blank])
    #expect(result.problems.map(\.kind) == [.constant, .constant])
  }

  @Test func aPatientInTwoSplitsIsAnError() throws {
    let train = [
      sample("a", line: 2, patient: "p1"), sample("b", line: 3, patient: "p2"),
      sample("c", line: 4, patient: "p1"), sample("n", line: 5),
    ]
    let test = [
      sample("d", line: 2, patient: "p3", table: "u.csv"),
      sample("e", line: 3, patient: "p1", table: "u.csv"),
      sample("m", line: 4, table: "u.csv"),
    ]
    let findings = Dictionary(uniqueKeysWithValues: "abcdemn".map { (String($0), sound(String($0))) })
    let result = try check([(.train, dataset(train)), (.test, dataset(test, table: "u.csv"))], findings)
    #expect(result.sharedPatients.map(\.patient) == ["p1"])
    #expect(result.sharedPatients.first?.rows == ["train": 2, "test": 1])
    let problem = try #require(result.problems.first)
    #expect(result.problems.count == 1)
    #expect(
      problem
        == DataProblem(
          split: .test, origin: "u.csv:3", path: "e", kind: .patient,
          reason: "patient p1 is also in train (t.csv:2)"))
    #expect(!result.isSound)
    #expect(result.splits.map(\.patientCount) == [2, 2])
    #expect(result.splits.map(\.unknownPatientCount) == [1, 1], "nobody knows whether these are the same")
  }

  /// Pictures without a patient may be in two splits as well, and one may be of two patients by mistake.
  @Test func aRunSaysWhatIsInTwoSplits() {
    let train = dataset([
      sample("a", line: 2, patient: "p1"), sample("n", line: 3), sample("x", line: 4, patient: "p2"),
      sample("m", line: 5),
    ])
    let test = dataset([
      sample("a", line: 2, patient: "p1"), sample("n", line: 3), sample("x", line: 4, patient: "p3"),
    ])
    let overlap = PatientOverlap([(.train, train), (.test, test)])
    #expect(overlap.shared.map(\.patient) == ["p1"] && overlap.sharedPictures == ["n", "x"])
    #expect(overlap.problems.map(\.path) == ["a"])
    let rest = "scores on them are not those of new people; 'cleft check-data' lists them."
    #expect(overlap.warning == "1 patient and 2 pictures are in more than one split (p1, …): \(rest)")
    let one = PatientOverlap([(.train, dataset([sample("n", line: 3)])), (.test, test)])
    #expect(one.warning == "1 picture is in more than one split (n): \(rest)")
    #expect(PatientOverlap([(.train, dataset([sample("m", line: 5)])), (.test, test)]).warning == nil)
  }

  @Test func whatTheTestSetHasTooIsLeftOutAndCounted() {
    let test = dataset([sample("a", line: 2, patient: "p1"), sample("n", line: 3)])
    var train = dataset([
      sample("b", line: 2, patient: "p1"), sample("n", line: 3), sample("a", line: 4, patient: "p2"),
      sample("c", line: 5, patient: "p2"), sample("m", line: 6),
    ])
    train.leaveOutRows(sharedWith: test, title: "the test set")
    #expect(train.samples.map(\.imagePath) == ["c", "m"])
    #expect(train.leftOut == ["with a picture or patient of the test set": 3])
    var apart = dataset([sample("c", line: 2)])
    apart.leaveOutRows(sharedWith: test, title: "the test set")
    #expect(apart.samples.count == 1 && apart.leftOut.isEmpty)
  }

  @Test func rowsWithSeveralClassesAreLeftOutAndCounted() {
    var several = dataset([
      sample("a", nil, [0, 2], line: 2), sample("b", nil, [1], line: 3), sample("c", nil, [], line: 4),
      sample("d", nil, [0, 1], line: 5),
    ])
    several.leaveOutRowsWithSeveralClasses()
    #expect(several.samples.map(\.imagePath) == ["b", "c"] && several.leftOut == ["several classes": 2])
  }

  /// RSNA as published trains and validates on one table.
  @Test func splitsOfTheSameRowsAreCountedOnceAndSaid() throws {
    let rows = dataset([sample("a", line: 2, patient: "p1"), sample("b", line: 3, patient: "p2")])
    let result = try check([(.train, rows), (.valid, rows)], ["a": sound("1"), "b": sound("2")])
    #expect(result.isSound)
    #expect(result.splits.map(\.split) == [.train])
    #expect(result.notes.count == 1)
    #expect(result.notes.first?.hasPrefix("valid has the same rows as train") == true)
  }

  @Test func pathsComeOnceInTableOrder() {
    let first = dataset([sample("b", line: 2), sample("a", line: 3), sample("b", line: 4)])
    #expect(
      DatasetCheck.paths([(.train, first), (.test, dataset([sample("c", line: 2)]))]) == ["b", "a", "c"])
  }
}

/// Children are a shell script here, so that one can be made to die at a certain picture.
@Suite struct PictureInspectorTests {
  private static let script = """
    echo '{"ready":true}'
    while IFS= read -r line; do
      name=${line##*/}; name=${name%%\\"*}
      case "$name" in
        die*) kill -SEGV $$ ;;
        leave*) exit 3 ;;
        hang*) exec sleep 60 ;;
        babble*) echo 'no answer' ;;
        linger*) exec sleep 60 </dev/null >/dev/null ;;
        nap*) sleep 0.2; echo "{\\"faulty\\":{\\"fault\\":\\"missing\\",\\"reason\\":\\"$name\\"}}" ;;
        *) echo "{\\"faulty\\":{\\"fault\\":\\"missing\\",\\"reason\\":\\"$name\\"}}" ;;
      esac
    done
    """

  private func inspect(
    _ names: [String], workers: Int, timeoutSeconds: Double = 30, script: String = Self.script
  ) throws -> [PictureFinding] {
    try ProcessInspector(
      executable: "/bin/sh", arguments: ["-c", script], workerCount: workers, timeoutSeconds: timeoutSeconds
    ).inspect(names.map { "/x/\($0)" }) { _ in }
  }

  private func answered(_ name: String) -> PictureFinding { .faulty(fault: .missing, reason: name) }

  @Test(arguments: [1, 3]) func deadChildrenCostOnePictureEach(_ workers: Int) throws {
    var names = (0..<60).map { "p\($0)" }
    var expected = names.map(answered)
    for (place, name, reason) in [
      (0, "die0", "signal 11"), (7, "leave1", "exit 3"), (8, "die2", "signal 11"),
      (30, "babble3", "it gave no answer"), (59, "die4", "signal 11"),
    ] {
      names[place] = name
      expected[place] = .faulty(fault: .crashed, reason: "crashed the decoder (\(reason))")
    }
    #expect(try inspect(names, workers: workers) == expected)
  }

  @Test func aChildThatHangsIsKilled() throws {
    let names = (0..<12).map { $0 == 5 ? "hang" : "p\($0)" }
    var expected = names.map(answered)
    expected[5] = .faulty(fault: .slow, reason: "took longer than 1 s")
    #expect(try inspect(names, workers: 2, timeoutSeconds: 1) == expected)
  }

  /// One that closes its side and does not end is waited for; the others' answers are read meanwhile.
  @Test func aChildThatLingersMakesNoOtherOneSlow() throws {
    let names = ["linger"] + (0..<12).map { "nap\($0)" }
    var expected = names.map(answered)
    expected[0] = .faulty(fault: .crashed, reason: "crashed the decoder (signal 9)")
    #expect(try inspect(names, workers: 2, timeoutSeconds: 1) == expected)
  }

  @Test func pathsMayHoldAnything() throws {
    let names = ["a b.png", "ä\u{301}.png", "tab\there", "line\nend", "it's", "\\ \"quoted\""]
    // Sends the path back as the reason, as the JSON string that it came as.
    let echo = """
      echo '\(InspectionWorker.greeting)'
      exec sed -u 's/^.*"path":\\(.*\\)}$/{"faulty":{"fault":"missing","reason":\\1}}/'
      """
    #expect(try inspect(names, workers: 1, script: echo) == names.map { answered("/x/\($0)") })
  }

  @Test func progressReachesTheEnd() throws {
    let inspector = ProcessInspector(executable: "/bin/sh", arguments: ["-c", Self.script], workerCount: 2)
    var counts: [Int] = []
    _ = try inspector.inspect((0..<40).map { "/x/\($0)" }) { counts.append($0) }
    #expect(counts.last == 40 && counts == counts.sorted())
    #expect(try inspector.inspect([]) { _ in }.isEmpty)
  }

  @Test func aProgramThatIsNoWorkerIsAnErrorAndNotAThousandBadPictures() {
    let wrong = #expect(throws: FormatError.self) { try inspect(["a", "b"], workers: 2, script: "exit 64") }
    #expect(wrong?.problem.found.contains("exit 64") == true)
    let absent = #expect(throws: FormatError.self) {
      try ProcessInspector(executable: "/no/such/program", arguments: [], workerCount: 1)
        .inspect(["/x/a"]) { _ in }
    }
    #expect(absent?.exitStatus == .inputOutput)
    #expect(absent?.problem.location == "/no/such/program")
  }

  @Test func pictureFindings() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileSystem.makeFolder(folder + "/folder.png")
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let picture = GrayImage(width: 3, height: 2, pixels: [1, 2, 3, 4, 5, 6])
    let png = try ImageEncoder.png(picture)
    try FileSystem.write(png, to: folder + "/a.png")
    try FileSystem.write(png.prefix(png.count - 20), to: folder + "/cut.png")
    try FileSystem.write(ImageEncoder.png(GrayImage(width: 5, height: 2, level: 9)), to: folder + "/flat.png")
    try FileSystem.write(Data("text".utf8), to: folder + "/text.jpg")
    try #require(mkfifo(folder + "/pipe.png", 0o600) == 0)
    let names = ["a.png", "cut.png", "flat.png", "text.jpg", "pipe.png", "folder.png", "none.png"]
    let paths = names.map { "\(folder)/\($0)" }
    let findings = paths.map { PictureFinding(of: $0, dicom: .display) }
    let expected = PictureFacts(picture, kind: .png)
    #expect(findings[0] == .sound(facts: expected))
    #expect((expected.width, expected.height, expected.constantLevel) == (3, 2, nil))
    #expect(findings[2].facts?.constantLevel == 9)
    #expect(findings[2].problem == PictureProblem(.constant, "constant: every pixel is 9"))
    #expect(findings[0].problem == nil)
    let faults = findings.map { finding -> PictureFault? in
      if case .faulty(let fault, _) = finding { fault } else { nil }
    }
    #expect(faults == [nil, .damaged, nil, .unreadable, .unreadable, .unreadable, .missing])
    // The worker gives the same findings for the same files.
    for (path, finding) in zip(paths, findings) {
      let request = jsonText(["path": path, "dicom": "display"])
      let answer = Data(InspectionWorker.answer(request).utf8)
      #expect(try JSONDecoder().decode(PictureFinding.self, from: answer) == finding)
    }
  }

  @Test func equalPicturesInUnequalFilesHaveEqualChecksums() throws {
    let picture = GrayImage(width: 4, height: 2, pixels: [1, 2, 3, 4, 5, 6, 7, 8])
    let other = GrayImage(width: 4, height: 2, pixels: [1, 2, 3, 4, 5, 6, 7, 9])
    #expect(PictureFacts(picture, kind: .png).checksum == PictureFacts(picture, kind: .jpeg).checksum)
    #expect(PictureFacts(picture, kind: .png).checksum != PictureFacts(other, kind: .png).checksum)
  }
}
