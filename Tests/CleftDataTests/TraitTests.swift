import CleftData
import CleftFormats
import CleftImaging
import Foundation
import Testing

@Suite struct TraitTests {
  private let scratch: TableScratch

  init() throws { scratch = try TableScratch() }

  private func manifest(
    _ text: String, _ split: Split = .test, _ change: (inout DatasetRequest) -> Void = { _ in }
  ) throws -> ImageTextDataset {
    let table = try scratch.write("own.csv", text)
    return try Manifest.open(
      scratch.request(split, table: table) {
        $0.manifest.labels = ["a"]
        change(&$0)
      })
  }

  private func message(_ body: () throws -> ImageTextDataset) -> String {
    do { _ = try body() } catch let error as any CleftError { return error.description } catch {}
    Issue.record("no error")
    return ""
  }

  @Test func cheXpertsColumns() throws {
    let findings = Finding.allCases.map(\.rawValue).joined(separator: ",")
    let blank = String(repeating: ",", count: 13)
    try scratch.write("CheXpert/CheXpert-v1.0/here", "")
    try scratch.write(
      "CheXpert/chexpert_5x200.csv",
      "Path,Sex,Age,AP/PA,\(findings)\nv/a.jpg,Female,68,AP,\(blank)\nv/b.jpg,Male,,PA,\(blank)\n"
        + "v/c.jpg,Unknown,old,AP,\(blank)\nv/d.jpg,,203,AP,\(blank)\n")
    let dataset = try CheXpert.open(scratch.request(.test))
    #expect(
      dataset.samples.map(\.traits) == [
        SampleTraits(sex: "F", ageYears: 68, view: "AP"), SampleTraits(sex: "M", ageYears: nil, view: "PA"),
        SampleTraits(sex: "Unknown", ageYears: nil, view: "AP"),
        SampleTraits(sex: nil, ageYears: nil, view: "AP"),
      ])
    #expect(
      dataset.notes.last
        == "2 ages cannot be read and count as unknown, the first 'old' in \(dataset.table):4")
    // Sex, age and view make subgroups whether or not they are named.
    let grouped = try CheXpert.open(
      scratch.request(.test) { $0.groupColumns = ["Sex", "Age", "Path", "AP/PA"] })
    #expect(grouped.samples[0].traits.others == ["Path": "v/a.jpg"] && grouped.notes == dataset.notes)
    let text = message { try CheXpert.open(scratch.request(.test) { $0.groupColumns = ["sex"] }) }
    #expect(text.hasPrefix("\(dataset.table):1: no column 'sex' (--group_columns). Nearest: Sex, "))
  }

  /// Neither of the columns has to be there.
  @Test func cheXpertWithoutThem() throws {
    let findings = Finding.allCases.map(\.rawValue).joined(separator: ",")
    try scratch.write("CheXpert/CheXpert-v1.0/here", "")
    try scratch.write(
      "CheXpert/chexpert_5x200.csv",
      "Path,AP/PA,\(findings)\nv/a.jpg,AP,\(String(repeating: ",", count: 13))\n")
    let sample = try #require(try CheXpert.open(scratch.request(.test)).samples.first)
    #expect(sample.traits == SampleTraits(sex: nil, ageYears: nil, view: "AP"))
  }

  @Test(arguments: [
    ("sex,age,view", "f,45,PA"), ("GENDER,Patient Age,ViewPosition", "FEMALE,045Y,PA"),
    ("Patient_Sex,AGE,View Position", "Female,45.0,PA"), ("gender,age,projection", "F,540M,PA"),
    ("Patient Gender,patientAge,AP/PA", "female, 45 , PA "),
  ])
  func columnsOfManifests(_ names: String, _ cells: String) throws {
    let dataset = try manifest("image,a,\(names)\nx.png,1,\(cells)\n")
    #expect(dataset.samples[0].traits == SampleTraits(sex: "F", ageYears: 45, view: "PA"))
  }

  /// CheXpert's lateral pictures have neither AP nor PA.
  @Test func lateralPicturesHaveAView() throws {
    let both = try manifest(
      "image,a,Frontal/Lateral,AP/PA\nx.png,1,Lateral,\ny.png,1,Frontal,PA\nz.png,1,,\n")
    #expect(both.samples.map(\.traits.view) == ["Lateral", "PA", nil])
    let alone = try manifest("image,a,Frontal/Lateral\nx.png,1,Lateral\n") {
      $0.groupColumns = ["Frontal/Lateral"]
    }
    #expect(alone.samples[0].traits == SampleTraits(sex: nil, ageYears: nil, view: "Lateral"))
    let named = try manifest("image,a,Frontal/Lateral,AP/PA\ny.png,1,Frontal,PA\n") {
      $0.groupColumns = ["Frontal/Lateral"]
    }
    #expect(named.samples[0].traits.others == ["Frontal/Lateral": "Frontal"])
  }

  @Test func emptyColumnsToGroupByAreSaid() throws {
    let text = "image,a,site,sex,race\nx.png,1,,,\ny.png,1,NaN,,B\n"
    let dataset = try manifest(text) { $0.groupColumns = ["race", "site", "sex"] }
    #expect(
      dataset.notes == [
        "column 'site' is empty: no subgroups", "column 'sex' is empty: no subgroups",
      ])
    #expect(try manifest(text, .train) { $0.groupColumns = ["site"] }.notes.isEmpty)
  }

  @Test func columnsThatAreNotThose() throws {
    let dataset = try manifest("image,a,review,page,sextant\nx.png,1,PA,45,F\n")
    #expect(dataset.samples[0].traits == SampleTraits() && dataset.notes.isEmpty)
    let words = try manifest(
      "image,a,sex,age,view\nx.png,1,Intersex,n/a,Frontal, \n".replacing(", \n", with: "\n"))
    #expect(words.samples[0].traits == SampleTraits(sex: "Intersex", ageYears: nil, view: "Frontal"))
  }

  /// Only test rows are grouped: other tables need not have the columns.
  @Test func columnsToGroupBy() throws {
    let text = "image,a,site,race\nx.png,1, North ,\ny.png,1,South,B\nz.png,1,North,\n"
    let dataset = try manifest(text) { $0.groupColumns = ["race", "site"] }
    #expect(
      dataset.samples.map(\.traits.others) == [
        ["site": "North"], ["site": "South", "race": "B"], ["site": "North"],
      ])
    #expect(
      message { try manifest(text) { $0.groupColumns = ["race", "sight"] } }
        == "\(scratch.folder)/own.csv:1: no column 'sight' (--group_columns). Nearest: site, a, image.")
    let training = try manifest(text, .train) { $0.groupColumns = ["sight"] }
    #expect(training.samples.allSatisfy { $0.traits.others.isEmpty })
  }

  @Test func embedsTables() throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm"), EMBEDFolder.picture("b.dcm", view: "MLO")])
    defer { folder.remove() }
    var request = folder.request()
    request.groupColumns = ["RACE_DESC", "tissueden", "ImageLateralityFinal"]
    let dataset = try EMBED.open(request)
    let others = [
      "RACE_DESC": "African American  or Black", "tissueden": "3.0", "ImageLateralityFinal": "L",
    ]
    #expect(
      dataset.samples.map(\.traits)
        == ["CC", "MLO"].map { SampleTraits(sex: nil, ageYears: 55.2, view: $0, others: others) })
    request.groupColumns = ["RACE"]
    let text = message { try EMBED.open(request) }
    #expect(
      text.contains("metadata_reduced_test.csv:1")
        && text.contains("clinical_reduced.csv:1: no column 'RACE'"))
  }

  /// RSNA's table says nothing of the people; the headers do.
  @Test func rsnasHeaders() throws {
    let folder = "\(scratch.folder)/RSNA Pneumonia"
    try scratch.write("RSNA Pneumonia/stage_2_test_balance.csv", "patientId,Target\na,0\nb,1\nc,1\nd,0\n")
    try scratch.write("RSNA Pneumonia/stage_2_train_images/c.dcm", "")
    for (name, sex, age) in [("a", "M", "061Y"), ("b", "F", "")] {
      let fields = ImageEncoder.DicomFields(
        patientID: name, instanceUID: "1.2.3", studyUID: "1.2.1", seriesUID: "1.2.2", sex: sex, age: age,
        view: "AP", isMonochrome1: false, bitsStored: 8)
      try ImageEncoder.writeDicom(
        [1, 2, 3, 4], width: 2, height: 2, fields, to: "\(folder)/stage_2_train_images/\(name).dcm")
    }
    var dataset = try RSNA.open(scratch.request(.test))
    #expect(dataset.samples.allSatisfy { $0.traits == SampleTraits() })
    var last = (0, 0)
    dataset.fillTraits(workerCount: 2) { last = ($0, $1) }
    #expect(
      dataset.samples.map(\.traits) == [
        SampleTraits(sex: "M", ageYears: 61, view: "AP"), SampleTraits(sex: "F", ageYears: nil, view: "AP"),
        SampleTraits(), SampleTraits(),
      ])
    #expect(last == (4, 4))
    #expect(dataset.notes == ["2 DICOM headers cannot be read: sex, age and view are unknown there"])
  }

  /// What a table says of a picture is not looked up in its header, and other files are left alone.
  @Test func knownTraitsStay() throws {
    var dataset = try manifest("image,a,view\nx.dcm,1,L\ny.png,1,\n")
    dataset.fillTraits(workerCount: 1)
    #expect(dataset.samples.map(\.traits.view) == ["L", nil] && dataset.notes.isEmpty)
  }
}

@Suite struct TraitBandTests {
  @Test func namesOfSexAgeAndView() {
    let ages: [Double?] = [0, 17.9, 18, 39, 40, 59.5, 60, 79, 80, 101, nil]
    let traits = ages.map { SampleTraits(sex: $0 == 40 ? nil : "F", ageYears: $0, view: nil) }
    let columns = SampleTraits.bands(traits)
    #expect(columns.map(\.name) == ["sex", "age"])
    #expect(
      columns[1].values == [
        "0–17", "0–17", "18–39", "18–39", "40–59", "40–59", "60–79", "60–79", "80+", "80+", nil,
      ])
    #expect(columns[0].values == ages.map { $0 == 40 ? nil : "F" })
    #expect(SampleTraits.bands([]).isEmpty && SampleTraits.bands([SampleTraits()]).isEmpty)
  }

  private func column(_ cells: [String?]) -> [String?] {
    let traits = cells.map { cell in
      SampleTraits(sex: nil, ageYears: nil, view: nil, others: cell.map { ["x": $0] } ?? [:])
    }
    return SampleTraits.bands(traits).first?.values ?? []
  }

  @Test func manyNumbersAreCutAtTheirQuartiles() {
    let few = (0..<24).map { "\($0 % 12)" }
    #expect(column(few) == few)
    let many = (0..<16).map { "\($0)" } + [nil]
    #expect(
      column(many)
        == ["0–3", "4–7", "8–11", "12–15"].flatMap { Array(repeating: $0, count: 4) } + [nil])
    // Equal numbers stay together, however many there are.
    let heavy = Array(repeating: "5", count: 30) + (6..<20).map { "\($0).5" }
    let bands = column(heavy)
    #expect(Set(bands.prefix(30)) == ["5–8.5"] && bands.last == "9.5–19.5" && Set(bands).count == 2)
    #expect(column((-9..<9).map { "\($0)" }).first == "-9 to -6")
  }

  @Test func bandsOfDatesAndCloseNumbersStayApart() {
    let dates = (10..<26).map { "202401\($0)" }
    #expect(
      Set(column(dates)) == [
        "20240110–20240113", "20240114–20240117", "20240118–20240121", "20240122–20240125",
      ])
    let close = (10..<26).map { "1000000.\($0)" }
    #expect(column(close).first == "1000000.1–1000000.13" && Set(column(close)).count == 4)
    // Names of digits that no number holds exactly are words.
    let names = (10..<26).map { "90071992547409\($0)9" }
    let kept = Set(column(names).compactMap { $0 })
    #expect(kept.count == 12 && kept.contains("other") && kept.subtracting(["other"]).isSubset(of: names))
  }

  @Test func ofManyWordsTheMostFrequentStay() {
    let words = (0..<20).flatMap { Array(repeating: "w\($0)", count: 30 - $0) }
    let names = column(words)
    #expect(Set(names) == Set((0..<11).map { "w\($0)" } + ["other"]))
    #expect(zip(words, names).allSatisfy { $0 == $1 || $1 == "other" })
    let twelve = (0..<12).map { "w\($0)" }
    #expect(column(twelve) == twelve)
    // A single word makes a column one of words.
    #expect(Set(column((0..<20).map { "\($0)" } + ["?"])).contains("other"))
  }
}

@Suite struct UncertainLabelTests {
  private static let header = (["Path", "AP/PA"] + Finding.allCases.map(\.rawValue)).joined(separator: ",")

  private func scratch(_ rows: [[Finding: String]]) throws -> TableScratch {
    let scratch = try TableScratch()
    let lines = rows.enumerated().map { index, cells in
      (["v/patient\(index)/a.jpg", "AP"] + Finding.allCases.map { cells[$0] ?? "" }).joined(separator: ",")
    }
    for name in ["chexpert_5x200.csv", "train_cheXbert_clean_95.csv"] {
      try scratch.write("CheXpert/\(name)", ([Self.header] + lines).joined(separator: "\n"))
    }
    try scratch.write("CheXpert/CheXpert-v1.0/here", "")
    return scratch
  }

  @Test func cheXpertsUncertainCells() throws {
    let scratch = try scratch([
      [.edema: "1", .pneumonia: "-1", .cardiomegaly: "-1.0"], [:], [.fracture: "0", .edema: "-1"],
      [.edema: "1"],
    ])
    let plain = try CheXpert.open(scratch.request(.test))
    #expect(plain.samples.map(\.uncertain) == [[1, 6], [], [4], []])
    #expect(plain.samples.map(\.labels) == [[4], [], [], [4]])
    #expect(plain.notes == ["2 test pictures have none of the classes and count as the first class"])
    let asked = try CheXpert.open(
      scratch.request(.test) {
        $0.asksEachClass = true
        $0.usesFiveClasses = true
      })
    // Classes are numbered in the order of the five; rows without any are negatives for all.
    #expect(asked.samples.map(\.uncertain) == [[2], [], [1], []])
    #expect(asked.samples.map(\.labels) == [[1], [], [], [1]])
    #expect(
      asked.notes == [
        "2 labels of test pictures are uncertain (-1, or an empty class) and count neither for nor against their class"
      ])
    // Where no picture is scored on one class, none counts as the first.
    let each = try CheXpert.open(scratch.request(.test) { $0.needsClass = false })
    #expect(each.notes.count == 1 && each.notes[0].hasPrefix("3 labels of test pictures are uncertain"))
    let training = try CheXpert.open(scratch.request(.train))
    #expect(training.samples[0].caption == "this is a chest x ray of a patient with edema")
    #expect(training.samples[0].uncertain == [1, 6] && training.notes.isEmpty)
  }

  /// Rows that are left out do not count as the first class, so that nothing is said of that.
  @Test func testRowsWithoutClassAreLeftOutWhereThatIsAsked() throws {
    let scratch = try scratch([[:], [.edema: "1"], [.pneumonia: "-1"]])
    let dataset = try CheXpert.open(scratch.request(.test) { $0.leavesOutUnclassed = true })
    #expect(dataset.samples.map(\.labels) == [[4]] && dataset.notes.isEmpty)
    #expect(dataset.leftOut == ["no class": 2])
    let valid = try CheXpert.open(
      scratch.request(.valid, table: "\(scratch.folder)/CheXpert/chexpert_5x200.csv") {
        ($0.leavesOutUnclassed, $0.needsCaption) = (true, false)
      })
    #expect(valid.samples.count == 3)
  }

  /// Under the published quirk labels of other rows come with what those rows do not know.
  @Test func uncertainLabelsShiftWithTheOthers() throws {
    let scratch = try scratch([[:], [.edema: "1", .pneumonia: "-1"], [.fracture: "-1", .edema: "1"]])
    let dataset = try CheXpert.open(
      scratch.request(.train) {
        $0.isPromptTuning = true
        $0.quirks = .reference
      })
    #expect(dataset.samples.map(\.origin.last) == ["3", "4"])
    #expect(dataset.samples.map(\.uncertain) == [[], [6]])
  }

  @Test func manifestsUncertainCells() throws {
    let scratch = try TableScratch()
    let table = try scratch.write("own.csv", "image,b,a\nx.png,-1,1\ny.png,,0\nz.png,1,1\n")
    func open(_ change: (inout DatasetRequest) -> Void) throws -> ImageTextDataset {
      try Manifest.open(
        scratch.request(.test, table: table) {
          $0.manifest.labels = ["a", "b"]
          change(&$0)
        })
    }
    let plain = try open { _ in }
    #expect(plain.samples.map(\.uncertain) == [[1], []] && plain.leftOut == ["no class to score": 1])
    #expect(plain.notes.count == 1 && plain.notes[0].hasPrefix("1 test pictures have several"))
    let asked = try open {
      $0.asksEachClass = true
      $0.needsClass = false
    }
    #expect(asked.samples.map(\.labels) == [[0], [], [0, 1]])
    #expect(asked.samples.map(\.uncertain) == [[1], [], []] && asked.leftOut.isEmpty)
    #expect(asked.notes.count == 1 && asked.notes[0].hasPrefix("1 labels of test pictures are uncertain"))
  }

  /// A cell that names no class says nothing about any.
  @Test func emptyClassNamesAreUncertain() throws {
    let scratch = try TableScratch()
    let table = try scratch.write("own.csv", "image,kind\nx.png,horse\ny.png,\nz.png,None\n")
    let dataset = try Manifest.open(
      scratch.request(.test, table: table) {
        $0.manifest.className = "kind"
        $0.asksEachClass = true
        $0.needsClass = false
      })
    #expect(dataset.samples.map(\.labels) == [[1], [], [0]])
    #expect(dataset.samples.map(\.uncertain) == [[], [0, 1], []])
  }
}

@Suite struct DatasetFingerprintTests {
  private func dataset(_ folder: String, _ change: (inout ImageTextDataset) -> Void = { _ in })
    -> ImageTextDataset
  {
    let samples = [("b/2.png", [1]), ("a/1.png", [0, 1]), ("b/10.png", [])].map { path, labels in
      Sample(imagePath: "\(folder)/\(path)", caption: "any", labels: labels, origin: "any")
    }
    var dataset = ImageTextDataset(
      name: "any", table: "any", samples: samples, classNames: ["no", "yes"], promptSets: [])
    change(&dataset)
    return dataset
  }

  /// As `printf … | LC_ALL=C sort | sha256sum` finds it.
  @Test func theTextBehindIt() {
    let text = "no\tyes\na/1.png\t0,1\t\nb/10.png\t\t1\nb/2.png\t1\t\n"
    let own = dataset("/data/own") { $0.samples[2].uncertain = [1] }
    #expect(own.fingerprint == SHA256.hex(text))
    #expect(own.fingerprint == "1ae35a2922a74d4af4c5da81e02b967f212576df65c2456b34ba7babe3d8204e")
  }

  @Test func placeAndOrderDoNotMatter() {
    let one = dataset("/data/own").fingerprint
    #expect(dataset("/elsewhere/ä b") { $0.samples.reverse() }.fingerprint == one)
    let others: [(inout ImageTextDataset) -> Void] = [
      { $0.samples[0].labels = [] }, { $0.samples[0].uncertain = [0] }, { $0.samples.removeLast() },
      { $0.samples[0].imagePath += "g" }, { $0.classNames = ["no", "maybe"] },
    ]
    for change in others { #expect(dataset("/data/own", change).fingerprint != one) }
    #expect(dataset("", { $0.samples = [] }).fingerprint.count == 64)
    #expect(dataset("/x") { $0.samples = [$0.samples[0], $0.samples[0]] }.fingerprint.count == 64)
  }
}
