import CleftData
import CleftFormats
import CleftTensor
import Foundation
import Testing

@Suite struct EMBEDTests {
  private static let start = "this is a breast 2d full-field digital mammogram of a patient "
  private static let structural = [
    "procedure reported mg screening bilateral w cad reason for procedure screening patient info this patient is"
      + " african american or black non hispanic or latino and 55 years old",
    "image info this is a 2d full field digital mammogram of the left breast with cc view",
    "breast composition the breast is heterogeneously dense",
    "this may lower the sensitivity of mammography",
    "findings the mammogram shows that a suspicious abnormality is present",
    "the mass is oval and high density",
    "a grouped amorphous calcification is present", "impressions bi rads category 4 suspicious abnormality",
    "overall assessment suspicious abnormality",
  ]
  private static let natural = [
    "this is a breast 2d full field digital screening mammogram of a patient",
    "this patient is african american or black non hispanic or latino and 55 years old",
    "this mammogram is for left breast with cc view", "the breast is heterogeneously dense",
    "this may lower the sensitivity of mammography",
    "the mammogram shows that a suspicious abnormality is present", "the mass is oval and high density",
    "a grouped amorphous calcification is present", "impressions bi rads category 4 suspicious abnormality",
  ]

  /// The worked examples, character by character.
  @Test(
    arguments: [
      (
        nil,
        "this is a breast 2d full field digital mammogram of a patient on side left with view cc with breast tissue"
          + " density 3 heterogeneously dense with birads score 4 suspicious abnormality", 72
      ),
      (
        "simple",
        "this is a breast 2d full field digital mammogram of a patient with breast tissue density 3 heterogeneously"
          + " dense with birads score 4 suspicious abnormality", 72
      ),
      ("structural", structural.joined(separator: " "), 144),
      ("natural", natural.joined(separator: " "), 144),
    ] as [(String?, String, Int)])
  func captions(_ family: String?, _ caption: String, _ length: Int) throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("cohort_1/a.dcm")])
    defer { folder.remove() }
    let dataset = try EMBED.open(folder.request(.train, family: family))
    let sample = try #require(dataset.samples.first)
    #expect(sample.caption == caption)
    #expect(sample.labels == [4])
    #expect(sample.imagePath == "\(folder.path)/Embed/images/cohort_1/a.dcm")
    #expect(sample.patient == "60001")
    #expect(dataset.captionLength == length)
    #expect(
      DatasetCatalog.named("embed")?.captionLength(folder.request(.train, family: family)) == length)
  }

  /// What stands in front of a picture's class prompts; double spaces are the published ones.
  @Test(
    arguments: [
      (nil, start + "on side left with view cc "), ("simple", start),
      (
        "structural",
        "procedure reported: mg screening bilateral w/cad; reason for procedure: screening; patient info: this patient"
          + " is african american  or black, non-hispanic or latino, and 55 years old.  image info: this is a 2d"
          + " full-field digital mammogram of the left breast with cc view.  "
      ),
      (
        "natural",
        "this is a breast 2d full-field digital screening mammogram of a patient. this patient is african american  or"
          + " black, non-hispanic or latino, and 55 years old.  this mammogram is for left breast with cc view.  "
      ),
    ] as [(String?, String)])
  func instancePrefixes(_ family: String?, _ prefix: String) throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    var request = folder.request(family: family)
    #expect(try EMBED.open(request).samples.first?.promptPrefix == nil)
    request.usesInstanceCaptions = true
    let dataset = try EMBED.open(request)
    #expect(dataset.samples.first?.promptPrefix == prefix)
    if family == nil {
      #expect(
        prefix + dataset.promptSets[0].prompts[4]
          == "this is a breast 2d full-field digital mammogram of a patient on side left with view cc this is a"
          + " breast 2d full-field digital mammogram of a patient with birads score 4: suspicious abnormality."
      )
    }
  }

  @Test func promptsOfBothQuestions() throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    var request = folder.request()
    #expect(
      try EMBED.open(request).promptSets == [
        PromptSet(
          name: "published",
          prompts: [
            "0: additional imaging required.", "1: negative.", "2: benign finding.",
            "3: probably benign finding.",
            "4: suspicious abnormality.", "5: highly suggestive of malignancy.",
            "6: known biopsy-proven malignancy.",
          ].map { Self.start + "with birads score " + $0 })
      ])
    request.predictsDensity = true
    let density = try EMBED.open(request)
    #expect(
      density.promptSets[0].prompts
        == [
          "1: almost entirely fat.", "2: scattered fibroglandular densities.", "3: heterogeneously dense.",
          "4: extremely dense.",
        ].map { Self.start + "with breast tissue density " + $0 })
    #expect(density.samples.first?.labels == [2])
    #expect(density.notes == ["density labels are column 'tissueden': there is no pickle with them"])
  }

  /// The findings about the picture's side come first; integers count; codes outside the legend are not mentioned.
  @Test func theRowOfThePicturesSide() throws {
    let rows = [
      ["8001", "R", "1", "N", "40", "", "Hispanic or Latino", "", "", "", ""],
      ["8001", "L", "2", "B", "", "", "", "O", "?", "A", "?"],
    ]
    let folder = try EMBEDFolder(
      [EMBEDFolder.picture("l.dcm"), EMBEDFolder.picture("b.dcm", side: "", view: "")], findings: rows)
    defer { folder.remove() }
    let dataset = try EMBED.open(folder.request(family: "natural"))
    #expect(dataset.samples.map(\.labels) == [[2], [1]])
    let captions = dataset.samples.map { $0.caption ?? "" }
    #expect(captions[0].contains("this patient is unknown non hispanic or latino and unknown years old"))
    #expect(captions[0].contains("a benign finding is present impressions"))
    #expect(
      captions[1].contains("unknown hispanic or latino and 40 years old this mammogram is for unknown breast")
    )
    #expect(try EMBED.open(folder.request()).samples[1].caption?.contains("side") == false)
  }

  @Test func whatIsLeftOutIsCounted() throws {
    let findings = [
      EMBEDFolder.findings, ["8002", "L", "", "S", "", "", "", "", "", "", ""],
      ["8003", "L", "1", "", "", "", "", "", "", "", ""],
      ["8004", "L", "1", "X", "", "", "", "", "", "", ""],
    ]
    let folder = try EMBEDFolder(
      [
        EMBEDFolder.picture("a.dcm"), EMBEDFolder.picture("b.dcm", accession: "8002"),
        EMBEDFolder.picture("c.dcm", accession: "8003"), EMBEDFolder.picture("d.dcm", accession: "8004"),
        EMBEDFolder.picture("e.dcm", accession: "9999"), EMBEDFolder.picture("f.dcm", type: "cview"),
        EMBEDFolder.picture("g.dcm", procedure: ""), EMBEDFolder.picture("h.dcm", procedure: "US biopsy"),
      ], findings: findings, full: Array(findings.dropFirst()))
    defer { folder.remove() }
    let left = ["no density": 1, "no BI-RADS": 2, "no annotation": 1, "not 2D": 1]
    #expect(try EMBED.open(folder.request()).leftOut == left)
    #expect(try EMBED.open(folder.request()).samples.count == 3)
    let structural = try EMBED.open(folder.request(family: "structural"))
    #expect(structural.leftOut["no annotation in the full clinical table"] == 3)
  }

  @Test func aMissingProcedureOrReason() throws {
    let folder = try EMBEDFolder([
      EMBEDFolder.picture("a.dcm", procedure: ""), EMBEDFolder.picture("b.dcm", procedure: "US biopsy"),
    ])
    defer { folder.remove() }
    let structural = try EMBED.open(folder.request(family: "structural"))
    #expect(structural.leftOut == ["no procedure": 1, "no reason for the procedure": 1])
    let natural = try EMBED.open(folder.request(family: "natural"))
    #expect(natural.leftOut == ["no procedure": 1])
    #expect(
      natural.samples.first?.caption?.hasPrefix("this is a breast 2d full field digital mammogram") == true)
  }

  @Test func unreadableCellsStopOrAreListed() throws {
    var bad = EMBEDFolder.findings
    bad[2] = "9"
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")], findings: [bad])
    defer { folder.remove() }
    var request = folder.request()
    let error = #expect(throws: DataError.self) { try EMBED.open(request) }
    #expect(error?.problem.location.hasSuffix("EMBED_OpenData_clinical_reduced.csv:2") == true)
    #expect(error?.problem.found == "column 'tissueden' is '9'")
    request.badRows = .skip
    #expect(try EMBED.open(request).badRows.map(\.imagePath) == ["\(folder.path)/Embed/images/a.dcm"])
  }

  @Test func requestsThatCannotBeMet() throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    var request = folder.request()
    request.quirks = .reference
    let error = #expect(throws: DataError.self) { try EMBED.open(request) }
    #expect(error?.problem.hint.contains("--pred_density") == true)
    request.predictsDensity = true
    #expect(try EMBED.open(request).samples.count == 1)
    #expect(throws: DataError.self) { try EMBED.open(folder.request(family: "verbose")) }
  }

  @Test func densityPickles() throws {
    let names = ["a.dcm", "b.dcm", "c.dcm"]
    let folder = try EMBEDFolder(names.map { EMBEDFolder.picture($0) })
    defer { folder.remove() }
    try folder.write("train_path2density.pickle", ["/home/x/Embed/images/a.dcm": 1, "/else/images/b.dcm": 5])
    var request = folder.request(.train)
    request.predictsDensity = true
    let dataset = try EMBED.open(request)
    #expect(dataset.samples.map(\.labels) == [[0]])
    #expect(dataset.leftOut == ["male breast density": 1, "not in train_path2density.pickle": 1])
    #expect(dataset.notes.first == "labels are those of train_path2density.pickle")
    #expect(EMBED.tables(request).contains("\(folder.path)/Embed/train_path2density.pickle"))
  }

  @Test func balancedLists() throws {
    let folder = try EMBEDFolder(["a.dcm", "b.dcm"].map { EMBEDFolder.picture($0) })
    defer { folder.remove() }
    var request = folder.request()
    request.isBalancedTest = true
    #expect(throws: DataError.self) { try EMBED.open(request) }
    try folder.write(
      "test_7x200_path2label.pickle", ["/mnt/NAS2/mammo/anon_dicom/b.dcm": 4, "/x/images/z.dcm": 0])
    let dataset = try EMBED.open(request)
    #expect(dataset.samples.map(\.imagePath) == ["\(folder.path)/Embed/images/b.dcm"])
    #expect(dataset.leftOut == ["not in test_7x200_path2label.pickle": 1])
    #expect(dataset.notes.contains("1 of 2 pictures of test_7x200_path2label.pickle are not used"))
    request.split = .train
    #expect(try EMBED.open(request).samples.count == 2)
    request.isSmallBalancedTrain = true
    request.predictsDensity = true
    try folder.write("train_4x1000_path2density.pickle", ["/mnt/NAS2/mammo/anon_dicom/a.dcm": 3])
    #expect(try EMBED.open(request).samples.map(\.labels) == [[2]])
    try folder.write("train_4x1000_path2density.pickle", ["/mnt/NAS2/mammo/anon_dicom/a.dcm": 7])
    #expect(throws: DataError.self) { try EMBED.open(request) }
  }

  /// The share is drawn from the 2D rows of training, or of every split if asked.
  @Test func shares() throws {
    let folder = try EMBEDFolder(
      (0..<120).map { EMBEDFolder.picture("\($0).dcm", type: $0 < 100 ? "2D" : "cview") })
    defer { folder.remove() }
    var request = folder.request(.train)
    request.fraction = 0.1
    let names = try EMBED.open(request).samples.map { $0.imagePath.split(separator: "/").last ?? "" }
    #expect(names == [83, 53, 70, 45, 44, 39, 22, 80, 10, 0].map { "\($0).dcm" })
    request.fraction = 0.001
    let error = #expect(throws: DataError.self) { try EMBED.open(request) }
    #expect(error?.problem.location == "--data_pct 0.001" && error?.problem.found == "no row left of 100")
    request.fraction = 0.1
    request.split = .test
    #expect(try EMBED.open(request).samples.count == 100)
    request.subsamplesAllSplits = true
    #expect(try EMBED.open(request).samples.count == 10)
  }

  @Test func tablesWithoutRows() throws {
    let folder = try EMBEDFolder([], findings: [])
    defer { folder.remove() }
    let dataset = try EMBED.open(folder.request())
    let error = #expect(throws: DataError.self) { try dataset.requireRows() }
    #expect(
      error?.description
        == "\(folder.path)/Embed/tables/EMBED_OpenData_metadata_reduced_test.csv: no usable row; expected at least one."
    )
  }

  /// Lists and tables that a split is made of are those that are read, under the same rules.
  @Test func whatASplitMakerWritesIsRead() throws {
    let letters = ["A", "N", "B", "P", "S", "M", "K"]
    let findings = (0..<40).flatMap { index -> [[String]] in
      ["R", "L"].map { side in
        ["\(9000 + index).0", side, side == "L" ? "\(index % 4 + 1).0" : "5", letters[index % 7]]
          + Array(repeating: "", count: 7)
      }
    }
    let pictures = (0..<40).map { index in
      ["\(100 + index)"] + EMBEDFolder.picture("\(index).dcm", accession: "\(9000 + index)").dropFirst()
    }
    let folder = try EMBEDFolder(pictures, findings: findings)
    defer { folder.remove() }
    let tables = "\(folder.path)/Embed/tables"
    for split in Split.allCases {
      try FileManager.default.removeItem(
        atPath: "\(tables)/EMBED_OpenData_metadata_reduced_\(split.rawValue).csv")
    }
    let source = "\(tables)/EMBED_OpenData_metadata.csv"
    try FileSystem.write(
      Data(csvText(columns: EMBEDFolder.pictureColumns, rows: pictures).utf8), to: source)
    let maker = try #require(SplitCatalog.named("embed"))
    _ = try maker.make(source: source, outputFolder: "\(folder.path)/Embed", seed: 1)
    for predictsDensity in [false, true] {
      var count = 0
      for split in Split.allCases {
        var request = folder.request(split)
        request.predictsDensity = predictsDensity
        request.isBalancedTest = true
        request.isSmallBalancedTrain = true
        let dataset = try EMBED.open(request)
        count += dataset.samples.count
        for sample in dataset.samples {
          let name = (sample.imagePath as NSString).lastPathComponent.dropLast(4)
          let index = try #require(Int(name))
          #expect(sample.labels == [predictsDensity ? index % 4 : index % 7])
        }
        let hasList = split != .valid || predictsDensity
        #expect(dataset.notes.isEmpty == !hasList && dataset.leftOut.isEmpty)
        #expect(!dataset.notes.contains { $0.contains("differ") || $0.contains("not used") })
      }
      #expect(count == 40)
    }
  }

  @Test func rowsOfAnotherLengthStopOrAreCollected() throws {
    let folder = try EMBEDFolder([
      EMBEDFolder.picture("a.dcm"), Array(EMBEDFolder.picture("b.dcm").dropLast()),
      EMBEDFolder.picture("c.dcm"),
    ])
    defer { folder.remove() }
    var request = folder.request()
    let error = #expect(throws: DataError.self) { try EMBED.open(request) }
    #expect(error?.problem.found == "6 fields" && error?.problem.expected == "7 as in line 1")
    request.badRows = .skip
    let dataset = try EMBED.open(request)
    #expect(dataset.samples.count == 2)
    let table = "\(folder.path)/Embed/tables/EMBED_OpenData_metadata_reduced_test.csv"
    #expect(
      dataset.badRows == [
        BadRow(origin: "\(table):3", imagePath: "", reason: "6 fields; expected 7 as in line 1")
      ])
  }

  /// All files may lie elsewhere; the layout is then not needed.
  @Test func filesInPlaceOfTheLayouts() throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    let elsewhere = "\(folder.path)/elsewhere"
    try FileManager.default.moveItem(atPath: "\(folder.path)/Embed/tables", toPath: elsewhere)
    try FileManager.default.removeItem(atPath: "\(folder.path)/Embed")
    var request = folder.request(family: "structural")
    request.table = "\(elsewhere)/EMBED_OpenData_metadata_reduced_test.csv"
    #expect(throws: FormatError.self) { try EMBED.open(request) }
    request.embed.findings = "\(elsewhere)/EMBED_OpenData_clinical_reduced.csv"
    request.embed.clinical = "\(elsewhere)/EMBED_OpenData_clinical.csv"
    request.embed.legend = "\(elsewhere)/AWS_Open_Data_Clinical_Legend.csv"
    #expect(try EMBED.open(request).samples.map(\.caption) == [Self.structural.joined(separator: " ")])
    request.predictsDensity = true
    request.embed.densities = "\(elsewhere)/own.pickle"
    // One that is named must be there.
    let error = #expect(throws: DataError.self) { try EMBED.open(request) }
    #expect(error?.problem.location == "\(elsewhere)/own.pickle")
    try PlainPickle.write(["/x/images/a.dcm": 2], to: "\(elsewhere)/own.pickle")
    let dataset = try EMBED.open(request)
    #expect(dataset.samples.map(\.labels) == [[1]])
    #expect(dataset.notes.first == "labels are those of own.pickle")
    #expect(
      EMBED.tables(request).map { ($0 as NSString).lastPathComponent } == [
        "EMBED_OpenData_metadata_reduced_test.csv", "EMBED_OpenData_clinical_reduced.csv",
        "EMBED_OpenData_clinical.csv", "AWS_Open_Data_Clinical_Legend.csv", "own.pickle",
      ])
    #expect(EMBED.tables(request).allSatisfy { $0.hasPrefix(elsewhere) })
    request.isBalancedTest = true
    #expect(EMBED.tables(request).last?.hasSuffix("Embed/test_4x500_path2density.pickle") == true)
  }
}
