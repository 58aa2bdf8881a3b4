import CleftData
import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Splits of small tables.
///
/// The digests and counts are those of the same rules written in pandas 3.1 (`sample` with
/// `random_state=7`), hashed with Python's `hashlib`.
@Suite struct SplitMakerTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path

  private func write(_ name: String, _ lines: [String]) throws -> String {
    try FileSystem.makeFolder(folder)
    try FileSystem.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: "\(folder)/\(name)")
    return "\(folder)/\(name)"
  }

  private func make(_ name: String, _ source: String, perClass: Int? = nil) throws -> SplitReport {
    try #require(SplitCatalog.named(name)).make(
      source: source, outputFolder: "\(folder)/out", seed: 7, perClass: perClass)
  }

  private func digests(_ report: SplitReport) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: report.files.map {
        (String($0.path.dropFirst("\(folder)/out/".count)), String($0.idListSHA256.prefix(16)))
      })
  }

  private func chexpert() throws -> String {
    let findings = [
      "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
      "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other",
      "Fracture", "Support Devices",
    ]
    let five = ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion", "No Finding"]
    let rows = (0..<90).map { i in
      let cells = findings.map { finding in
        if finding == five[i % 6] { return "1.0" }
        if finding == "Pneumonia", i % 7 == 3 { return "-1.0" }
        if finding == "Support Devices", i % 11 == 5 { return "1.0" }
        return i % 2 == 0 ? "" : "0.0"
      }
      let path = "CheXpert-v1.0/train/patient\(i)/study1/view1_frontal.jpg"
      let view = i % 10 == 9 ? "Lateral" : "Frontal"
      return ([path, "Male", "\(40 + i % 30)", view, "AP"] + cells).joined(separator: ",")
    }
    return try write(
      "train.csv", ["Path,Sex,Age,Frontal/Lateral,AP/PA," + findings.joined(separator: ",")] + rows)
  }

  @Test func fiveClassesOfCheXpert() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let source = try chexpert()
    let report = try make("chexpert-5x200", source, perClass: 4)
    #expect(digests(report) == ["chexpert_5x200.csv": "39ffc00bd596080e"])
    let table = try CSVTable("\(folder)/out/chexpert_5x200.csv")
    #expect(table.columns == (try CSVTable(source)).columns)
    #expect(table.rows.count == 20)
    let names = report.files[0].counts.map(\.className)
    #expect(names == ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"])
    for (place, row) in table.rows.enumerated() {
      #expect(row[try table.column(names[place / 4])] == "1.0")
    }
    let ids = table.rows.map { $0[0] + "\n" }.joined()
    #expect(report.files[0].idListSHA256 == SHA256.hex(ids))
  }

  @Test func tooFewPicturesOfAClass() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let source = try chexpert()
    let error = #expect(throws: DataError.self) { try make("chexpert-5x200", source) }
    #expect(
      error?.problem.found.contains("12 Atelectasis, 10 Cardiomegaly, 13 Consolidation, 8 Edema") == true)
    #expect(!FileSystem.exists("\(folder)/out"))
  }

  private func rsna() throws -> String {
    let rows = (0..<30).flatMap { i in
      Array(repeating: "p\(i),,,,,\(i % 3 == 0 ? 1 : 0)", count: i % 3 == 0 ? 2 : 1)
    }
    return try write("stage_2_train_labels.csv", ["patientId,x,y,width,height,Target"] + rows)
  }

  @Test func balancedTablesOfRSNA() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let source = try rsna()
    let report = try make("rsna", source)
    #expect(
      digests(report) == [
        "stage_2_train_balance.csv": "575894b9db318eb8", "stage_2_test_balance.csv": "a941086eff771471",
      ])
    #expect(report.files.map { $0.counts.map(\.count) } == [[7, 7], [3, 3]])
    let tables = try ["train", "test"].map { try CSVTable("\(folder)/out/stage_2_\($0)_balance.csv") }
    #expect(Set(tables[0].rows.map { $0[0] }).isDisjoint(with: tables[1].rows.map { $0[0] }))
    for row in tables[0].rows {
      #expect((Int(row[0].dropFirst()) ?? 0) % 3 == 0 ? row[1] == "1" : row[1] == "0")
    }
    #expect(throws: DataError.self) { try make("rsna", source, perClass: 3) }
  }

  @Test func nothingIsOverwritten() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let source = try rsna()
    try FileSystem.makeFolder("\(folder)/out")
    try FileSystem.write(Data("mine".utf8), to: "\(folder)/out/stage_2_test_balance.csv")
    let error = #expect(throws: DataError.self) { try make("rsna", source) }
    #expect(error?.problem.location.hasSuffix("stage_2_test_balance.csv") == true)
    #expect(FileSystem.list("\(folder)/out") == ["stage_2_test_balance.csv"])
    #expect(try FileSystem.read("\(folder)/out/stage_2_test_balance.csv") == Data("mine".utf8))
  }

  /// What is left of a run that failed would stop the next one.
  @Test func filesOfAFailedRunAreRemoved() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let names = ["one/a.csv", "b.csv", "blocked/c.csv"]
    let maker = SplitMaker(name: "three", summary: "three tables") { _ in
      let files = names.map { name in
        SplitFile(
          name: name, rule: "all", counts: [("row", 1)], ids: ["1"],
          content: .table(columns: ["id"], rows: [["1"]]))
      }
      return (files, [])
    }
    let out = "\(folder)/out"
    try FileSystem.makeFolder("\(out)/one")
    try FileSystem.write(Data("mine".utf8), to: "\(out)/one/mine.csv")
    try FileSystem.write(Data(), to: "\(out)/blocked")
    #expect(throws: FormatError.self) { try maker.make(source: "", outputFolder: out, seed: 1) }
    #expect(FileSystem.list(out) == ["blocked", "one"] && FileSystem.list("\(out)/one") == ["mine.csv"])
    try FileManager.default.removeItem(atPath: "\(out)/blocked")
    let report = try maker.make(source: "", outputFolder: out, seed: 1)
    #expect(report.files.map(\.path) == names.map { "\(out)/\($0)" })
    #expect(report.files.allSatisfy { FileSystem.exists($0.path) })
  }

  @Test func aSourceWithoutRows() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    _ = try write("EMBED_OpenData_clinical.csv", ["acc_anon,side,tissueden,asses"])
    let embed = try write(
      "EMBED_OpenData_metadata.csv",
      [
        "empi_anon,acc_anon,anon_dicom_path,FinalImageType,ImageLateralityFinal,ViewPosition,StudyDescription"
      ])
    let rsna = try write("stage_2_train_labels.csv", ["patientId,x,y,width,height,Target"])
    for (name, source) in [("embed", embed), ("rsna", rsna)] {
      let error = #expect(throws: DataError.self) { try make(name, source) }
      #expect(error?.problem.location == source && error?.exitStatus == .badData)
    }
    #expect(!FileSystem.exists("\(folder)/out"))
  }

  @Test func unreadableCellsNameTheirRow() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let clinical = try write("EMBED_OpenData_clinical.csv", ["acc_anon,side,tissueden,asses", "1,L,2.5,N"])
    let source = try write(
      "EMBED_OpenData_metadata.csv",
      ["empi_anon,acc_anon,anon_dicom_path,FinalImageType,ImageLateralityFinal", "7,1,/a.dcm,2D,L"])
    let error = #expect(throws: DataError.self) { try make("embed", source) }
    #expect(
      error?.description
        == "\(clinical):2: column 'tissueden' is '2.5'; expected 1 to 5, or empty. Fix the row.")
  }

  @Test func tablesAndListsOfEMBED() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let letters = ["A", "N", "B", "P", "S", "M", "K"]
    var pictures = [
      "empi_anon,acc_anon,anon_dicom_path,FinalImageType,ImageLateralityFinal,ViewPosition,StudyDescription"
    ]
    var findings = ["acc_anon,side,tissueden,asses"]
    for p in 0..<20 {
      for k in 0..<5 {
        let path = "/mnt/NAS2/mammo/anon_dicom/\(p)/\(k).dcm"
        pictures.append(
          "\(100 + p),\(9000 + p),\(path),\(k == 4 ? "cview" : "2D"),\(k % 2 == 0 ? "L" : "R"),CC,MG Screening"
        )
      }
      findings.append("\(9000 + p),L,\(p % 5 + 1).0,\(letters[p % 7])")
      findings.append("\(9000 + p),R,\(p % 6 == 0 ? "" : "\(p % 4 + 1).0"),\(letters[(p + 1) % 7])")
    }
    _ = try write("EMBED_OpenData_clinical.csv", findings)
    let report = try make("embed", try write("EMBED_OpenData_metadata.csv", pictures))
    #expect(
      digests(report) == [
        "tables/EMBED_OpenData_metadata_reduced_train.csv": "b446036cb417c7f6",
        "tables/EMBED_OpenData_metadata_reduced_valid.csv": "463ee31d06442abb",
        "tables/EMBED_OpenData_metadata_reduced_test.csv": "4d67439f28dca351",
        "train_path2density.pickle": "9c6ddd48e9fe287f", "valid_path2density.pickle": "1ef5f7c6c181f3b1",
        "test_path2density.pickle": "4a903b8627b43695", "test_7x200_path2label.pickle": "edf5cb9b76897b31",
        "test_4x500_path2density.pickle": "b2fabfac4be06012",
        "train_7x550_path2label.pickle": "d5e472e2d521d1c8",
        "train_4x1000_path2density.pickle": "9c61cf03a6cc0709",
      ])
    let list = try #require(report.files.first { $0.path.hasSuffix("test_7x200_path2label.pickle") })
    #expect(list.counts.map(\.count) == [2, 4, 2, 2, 4, 2, 0])
    #expect(report.notes.contains { $0.hasPrefix("test_7x200_path2label.pickle: fewer than 200") })
    guard case .dictionary(let entries) = try PlainPickle.read(list.path) else {
      Issue.record("no dictionary")
      return
    }
    #expect(entries.map(\.value) == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 5, 5])
    let patients = try ["train", "valid", "test"].map { split in
      Set(
        try CSVTable("\(folder)/out/tables/EMBED_OpenData_metadata_reduced_\(split).csv").rows.map { $0[0] })
    }
    #expect(patients.map(\.count) == [14, 2, 4])
    #expect(patients[0].union(patients[1]).union(patients[2]).count == 20)
  }
}
