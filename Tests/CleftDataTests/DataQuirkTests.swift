import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

/// What each quirk of tables, captions and pictures does where it is in force, and what happens where it is not.
@Suite struct DataQuirkTests {
  /// One quirk and what shows it.
  struct Case: Sendable, CustomTestStringConvertible {
    let quirk: Quirk
    let check: @Sendable () throws -> Void
    var testDescription: String { quirk.title }

    init(_ quirk: Quirk, _ check: @escaping @Sendable () throws -> Void) {
      (self.quirk, self.check) = (quirk, check)
    }
  }

  static let cases: [Case] = [
    Case(.resize224, q1PicturesAreResizedStraightOrCropped),
    Case(.pneumothoraxPrompt, q9ThePositivePromptOfRSNA),
    Case(.embedDefaultEmpty, q10DefaultCaptionsOfEMBEDHaveLabels),
    Case(.staleCaptions, q11CaptionsFollowTheTableAndTheOptions),
    Case(.labelShift, q12LabelsAreLookedUpByPlaceOrByRow),
    Case(.balanceCrash, q13RowsWithoutAClassAreBalancedToo),
    Case(.ignoredBalancedTrain, q14TheSmallBalancedListIsHeeded),
    Case(.promptTuningShare, q33SharesOfPromptTuning),
    Case(.integerColumns, q34ColumnsOfWholeNumbers),
    Case(.embedGaps, q35PicturesWithGapsAreLeftOut),
    Case(.noNegatives, q41CaptionsSayWhatIsRuledOut),
    Case(.rsnaValidatesOnTraining, q42TheValidationTableOfRSNA),
    Case(.wastedWork, q43OnlyTheOwnCaptionIsKept),
    Case(.lostColumn, q48SquaresLoseAColumnOrNot),
    Case(.rsnaCaptions, q49RSNAHasNoCaptions),
    Case(.dicomMaximum, dicomValuesAreScaledByTheirMaximum),
    Case(.rsnaPlainPrompts, promptsOfRSNALoseTheirSpace),
    Case(.torchOrder, ranksAreDealtByTorchsSampler),
  ]

  @Test(arguments: cases) func everyQuirkOfTheData(_ one: Case) throws { try one.check() }

  @Test func everyQuirkOfTheDataHasACase() {
    #expect(Self.cases.map(\.quirk) == Quirk.allCases.filter { $0.area == .data })
  }

  // MARK: - Tables

  /// The defaults with one quirk on or off.
  private static func quirks(_ quirk: Quirk, _ isOn: Bool) throws -> Quirks {
    try Quirks(isReference: false, changes: ["\(quirk.rawValue)=\(isOn ? "on" : "off")"])
  }

  /// A CheXpert table whose rows have the findings given.
  private static func cheXpert(
    _ rows: [[Finding: String]], split: Split = .train
  ) throws -> TableScratch {
    let header = (["Path", "AP/PA"] + Finding.allCases.map(\.rawValue)).joined(separator: ",")
    let lines = rows.enumerated().map { index, cells in
      (["v/p\(index).jpg", "AP"] + Finding.allCases.map { cells[$0] ?? "" }).joined(separator: ",")
    }
    let scratch = try TableScratch()
    try scratch.write(
      "CheXpert/\(CheXpert.table(split, usesFiveClasses: false))",
      ([header] + lines).joined(separator: "\n") + "\n")
    try scratch.write("CheXpert/CheXpert-v1.0/here", "")
    return scratch
  }

  private static func rsna(_ lines: [String], split: Split = .test) throws -> TableScratch {
    let scratch = try TableScratch()
    try scratch.write(
      "RSNA Pneumonia/\(RSNA.table(split))", "patientId,Target\n" + lines.joined(separator: "\n") + "\n")
    try scratch.write("RSNA Pneumonia/stage_2_train_images/here", "")
    return scratch
  }

  private static func q1PicturesAreResizedStraightOrCropped() throws {
    let straight = ImagePipeline(sizePixels: 224)
    let cropping = ImagePipeline(sizePixels: 224, resizesStraight: false)
    #expect(straight.resizedSide == 224 && cropping.resizedSide == 256)
    #expect(ImagePipeline(sizePixels: 56, resizesStraight: false).resizedSide == 64)
    let image = PictureFolder.image(3, width: 300, height: 280)
    #expect(straight.evaluation(image) == straight.resized(image))
    let large = cropping.resized(image)
    #expect(large.width == 256 && large.height == 256)
    // Evaluation takes the middle.
    #expect(cropping.evaluation(image) == large.cropped(rows: 16..<240, columns: 16..<240))
    #expect(cropping.evaluation(image) != straight.evaluation(image))
    // Training takes any place, the same for the same key.
    let keys = (0..<12).map { RandomKey(seed: 1).split("crop", $0) }
    let seen = keys.map { cropping.training(image, key: $0) }
    #expect(seen.allSatisfy { $0.width == 224 && $0.height == 224 })
    #expect(seen[0] == cropping.augmented(large, key: keys[0]))
    #expect(Set(seen.map(\.pixels)).count == 12)
    // Prepared pictures serve both, in memory or not.
    let folder = try PictureFolder()
    let paths = try folder.pictures(4)
    try folder.prepare(paths)
    let samples = folder.samples(paths)
    let plain = PictureStore(pipeline: cropping, memoryBytes: 0)
    let prepared = PictureStore(
      pipeline: cropping, memoryBytes: 1 << 20,
      prepared: try PreparedPictures.open(folder.out, dataFolder: folder.data))
    for sample in samples + samples {
      #expect(try plain.evaluation(sample) == prepared.evaluation(sample))
      #expect(try plain.resized(sample) == prepared.resized(sample))
    }
    #expect(prepared.summary.preparedReads == 4 && prepared.summary.decodings == 0)
    let loader = ImageLoader(
      samples: samples, pictures: prepared, augmentation: RandomKey(seed: 2), workerCount: 1
    ) { $0 == 0 ? BatchPlan(indices: [2], epoch: 0) : nil }
    defer { loader.stop() }
    let expected = cropping.augmented(
      try plain.resized(samples[2]), key: RandomKey(seed: 2).split("sample", 0, 2))
    #expect(try loader.next() == [expected])
  }

  private static func q9ThePositivePromptOfRSNA() throws {
    let scratch = try rsna(["a,0"])
    func scored(_ isOn: Bool) throws -> String? {
      let quirks = try quirks(.pneumothoraxPrompt, isOn)
      return try RSNA.open(scratch.request(.test) { $0.quirks = quirks }).promptSets.first?.prompts.last
    }
    #expect(try scored(true)?.hasSuffix("with pneumothorax") == true)
    #expect(try scored(false)?.hasSuffix("with pneumonia") == true)
  }

  private static func q10DefaultCaptionsOfEMBEDHaveLabels() throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    var request = folder.request()
    request.quirks = try quirks(.embedDefaultEmpty, true)
    let error = #expect(throws: DataError.self) { try EMBED.open(request) }
    #expect(error?.problem.hint.contains("embed_default_empty=off") == true)
    request.quirks = try quirks(.embedDefaultEmpty, false)
    #expect(try EMBED.open(request).samples.map(\.labels) == [[4]])
  }

  private static func q11CaptionsFollowTheTableAndTheOptions() throws {
    let scratch = try cheXpert([[.edema: "1"], [.fracture: "1"]])
    func captions() throws -> [String] {
      try CheXpert.open(scratch.request(.train) { $0.isPromptTuning = true }).samples.compactMap(\.caption)
    }
    #expect(try captions() == ["edema", "fracture"])
    let again = try cheXpert([[.cardiomegaly: "1"]])
    let table = CheXpert.tablePath(scratch.request(.train))
    try FileSystem.write(try FileSystem.read(CheXpert.tablePath(again.request(.train))), to: table)
    #expect(try captions() == ["cardiomegaly"], "nothing remembers the table that was there")
  }

  private static func q12LabelsAreLookedUpByPlaceOrByRow() throws {
    // The second row has no caption under prompt tuning, and is dropped.
    let scratch = try cheXpert([[.edema: "1"], [:], [.fracture: "1"], [.cardiomegaly: "1"]])
    func open(_ isOn: Bool) throws -> ImageTextDataset {
      let quirks = try quirks(.labelShift, isOn)
      return try CheXpert.open(
        scratch.request(.train) {
          $0.isPromptTuning = true
          $0.quirks = quirks
        })
    }
    let (published, right) = (try open(true), try open(false))
    #expect(right.samples.map(\.labels) == [[4], [11], [1]] && right.notes.isEmpty)
    #expect(published.samples.map(\.labels) == [[4], [], [11]], "every label behind it is a row's before")
    #expect(published.samples.map(\.caption) == right.samples.map(\.caption))
    #expect(published.notes == ["2 pictures have the labels of an earlier row, as published (label_shift)"])
  }

  private static func q13RowsWithoutAClassAreBalancedToo() throws {
    let scratch = try cheXpert([[.edema: "1"], [:], [.edema: "1"], [:]])
    let samples = try CheXpert.open(scratch.request(.train)).samples
    let schedule = BatchSchedule(
      sampleCount: 4, batchSize: 2, rankCount: 1, accumulation: 1, key: RandomKey(seed: 1),
      sampler: .balanced(samples))
    let drawn = (0..<200).flatMap(schedule.order(ofEpoch:))
    #expect(abs(drawn.count { samples[$0].labels.isEmpty } - 400) < 80, "half of the draws have no class")
  }

  private static func q14TheSmallBalancedListIsHeeded() throws {
    let folder = try EMBEDFolder(["a.dcm", "b.dcm"].map { EMBEDFolder.picture($0) })
    defer { folder.remove() }
    try folder.write("train_7x550_path2label.pickle", ["/mnt/NAS2/mammo/anon_dicom/b.dcm": 2])
    func open(_ isOn: Bool) throws -> ImageTextDataset {
      var request = folder.request(.train)
      request.isSmallBalancedTrain = true
      request.quirks = try quirks(.ignoredBalancedTrain, isOn)
      return try EMBED.open(request)
    }
    let (published, heeded) = (try open(true), try open(false))
    #expect(heeded.samples.map(\.labels) == [[2]])
    #expect(published.samples.map(\.labels) == [[4], [4]])
    #expect(published.notes.contains { $0.contains("--small_balanced_train is not heeded") })
  }

  private static func q33SharesOfPromptTuning() throws {
    let scratch = try cheXpert(Array(repeating: [.edema: "1"], count: 20), split: .valid)
    func count(_ isOn: Bool, isPromptTuning: Bool = true) throws -> Int {
      let quirks = try quirks(.promptTuningShare, isOn)
      return try CheXpert.open(
        scratch.request(.valid) {
          $0.fraction = 0.5
          $0.isPromptTuning = isPromptTuning
          $0.quirks = quirks
        }
      ).samples.count
    }
    #expect(try count(true) == 10 && count(false) == 20)
    #expect(try count(true, isPromptTuning: false) == 20)
  }

  private static func q34ColumnsOfWholeNumbers() throws {
    var row = EMBEDFolder.findings
    (row[2], row[4]) = ("3", "55")
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")], findings: [row])
    defer { folder.remove() }
    func open(_ isOn: Bool) throws -> ImageTextDataset {
      var request = folder.request()
      request.quirks = try quirks(.integerColumns, isOn)
      return try EMBED.open(request)
    }
    let (published, read) = (try open(true), try open(false))
    #expect(read.samples.first?.caption?.contains("tissue density 3") == true && read.notes.isEmpty)
    #expect(published.samples.isEmpty && published.leftOut == ["no density": 1])
    #expect(published.notes.first?.hasSuffix("(integer_columns): tissueden, age_at_study") == true)
    // A cell with a point, or an empty one, makes pandas read the column as what it is.
    let other = try EMBEDFolder([EMBEDFolder.picture("a.dcm")], findings: [row, EMBEDFolder.findings])
    defer { other.remove() }
    var request = other.request()
    request.quirks = try quirks(.integerColumns, true)
    #expect(try EMBED.open(request).samples.count == 1)
  }

  private static func q35PicturesWithGapsAreLeftOut() throws {
    let folder = try EMBEDFolder([
      EMBEDFolder.picture("a.dcm"), EMBEDFolder.picture("b.dcm", accession: "9"),
      EMBEDFolder.picture("c.dcm", procedure: ""),
    ])
    defer { folder.remove() }
    let dataset = try EMBED.open(folder.request(family: "structural"))
    #expect(dataset.samples.count == 1)
    #expect(dataset.leftOut == ["no annotation": 1, "no procedure": 1])
  }

  private static func q41CaptionsSayWhatIsRuledOut() throws {
    let scratch = try cheXpert([[.edema: "1", .fracture: "0"]])
    func caption(_ hasNegatives: Bool) throws -> String? {
      try CheXpert.open(scratch.request(.train) { $0.hasNegatives = hasNegatives }).samples.first?.caption
    }
    #expect(try caption(false)?.hasSuffix("with edema") == true)
    #expect(try caption(true)?.hasSuffix("with edema but this image has no fracture") == true)
  }

  private static func q42TheValidationTableOfRSNA() throws {
    let scratch = try rsna(["a,0", "b,1"], split: .train)
    let entry = try #require(DatasetCatalog.named("rsna"))
    func request(_ isOn: Bool) throws -> DatasetRequest {
      let quirks = try quirks(.rsnaValidatesOnTraining, isOn)
      return scratch.request(.valid) { $0.quirks = quirks }
    }
    let published = try RSNA.open(request(true))
    #expect(published.samples.count == 2 && published.notes.count == 1)
    #expect(try entry.tables(request(false)).isEmpty)
    let error = #expect(throws: DataError.self) { try RSNA.open(request(false)) }
    #expect(error?.problem.hint.contains("rsna_valid_train=on") == true)
    var own = try request(false)
    own.table = try scratch.write("own.csv", "patientId,Target\nc,1\n")
    #expect(try RSNA.open(own).samples.map(\.patient) == ["c"])
  }

  private static func q43OnlyTheOwnCaptionIsKept() throws {
    let scratch = try cheXpert([[.edema: "1"], [.fracture: "1"]])
    let samples = try CheXpert.open(scratch.request(.train)).samples
    // A sample is one picture and one caption: nothing unpaired, no second picture.
    let fields = Mirror(reflecting: try #require(samples.first)).children.compactMap(\.label)
    #expect(
      fields == [
        "imagePath", "caption", "labels", "uncertain", "origin", "patient", "promptPrefix", "traits",
      ])
  }

  private static func q48SquaresLoseAColumnOrNot() throws {
    let square = GrayImage(width: 98, height: 98, level: 200)
    let (cut, rounded) = (SquareFit.apply(square), SquareFit.apply(square, truncates: false))
    #expect((0..<256).contains { cut[$0, 128] == 0 }, "a column of padding")
    #expect(rounded.pixels.allSatisfy { $0 == 200 })
    #expect(SquareFit.fittedSize(width: 390, height: 320, side: 256, truncates: false).height == 210)
    // Prepared pictures are fitted as published, and so are of no use without it.
    let folder = try PictureFolder()
    let paths = try folder.pictures(2)
    try folder.prepare(paths)
    let store = PictureStore(
      pipeline: ImagePipeline(sizePixels: 56, truncatesSides: false), memoryBytes: 0,
      prepared: try PreparedPictures.open(folder.out, dataFolder: folder.data))
    _ = try store.evaluation(folder.samples(paths)[0])
    #expect(store.prepared == nil && store.summary.decodings == 1)
  }

  private static func q49RSNAHasNoCaptions() throws {
    let scratch = try rsna(["a,0"], split: .train)
    #expect(try RSNA.open(scratch.request(.train)).samples.allSatisfy { $0.caption == nil })
    for entry in DatasetCatalog.all { #expect(entry.canTrainContrastively == (entry.name != "rsna")) }
  }

  private static func dicomValuesAreScaledByTheirMaximum() throws {
    // Negative values: the published program takes their absolute value.
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/images/mono2_16bit_signed.dcm").path
    let shown = try ImageDecoder.decode(path, dicom: .display)
    let scaled = try ImageDecoder.decode(path, dicom: .maximum)
    #expect(shown != scaled && scaled.pixels.max() == 255)
  }

  private static func promptsOfRSNALoseTheirSpace() throws {
    let entry = try #require(DatasetCatalog.named("rsna"))
    #expect(try entry.keepsLeadingSpace(quirks(.rsnaPlainPrompts, false)))
    #expect(try !entry.keepsLeadingSpace(quirks(.rsnaPlainPrompts, true)))
    let other = try #require(DatasetCatalog.named("chexpert"))
    #expect(try other.keepsLeadingSpace(quirks(.rsnaPlainPrompts, true)))
  }

  private static func ranksAreDealtByTorchsSampler() throws {
    func firsts(_ sampler: Sampler) -> [Int] {
      let schedule = BatchSchedule(
        sampleCount: 10, batchSize: 1, rankCount: 4, accumulation: 1, key: RandomKey(seed: 42),
        sampler: sampler)
      return schedule.batches(ofStep: 0).map { $0.indices[0] }
    }
    #expect(firsts(.published(seed: 42)) == [2, 6, 1, 8])
    #expect(firsts(.shuffled) != [2, 6, 1, 8] && Set(firsts(.shuffled)).count == 4)
  }
}
