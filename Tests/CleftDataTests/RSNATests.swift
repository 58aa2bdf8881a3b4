import CleftData
import CleftFormats
import Foundation
import Testing

@Suite struct RSNATests {
  private func scratch(_ rows: [String], name: String = "stage_2_train_balance.csv") throws -> TableScratch {
    let scratch = try TableScratch()
    try scratch.write(
      "RSNA Pneumonia/\(name)", (["patientId,Target"] + rows).joined(separator: "\n") + "\n")
    try scratch.write("RSNA Pneumonia/stage_2_train_images/here", "")
    return scratch
  }

  @Test func rowsBecomeSamples() throws {
    let scratch = try scratch(["a,0", "b,1.0"], name: "stage_2_test_balance.csv")
    let dataset = try RSNA.open(scratch.request(.test))
    #expect(dataset.samples.map(\.labels) == [[0], [1]] && dataset.samples.map(\.patient) == ["a", "b"])
    #expect(
      dataset.samples[1].imagePath == "\(scratch.folder)/RSNA Pneumonia/stage_2_train_images/b.dcm")
    #expect(dataset.captionLength == 64 && dataset.notes.isEmpty)
    #expect(DatasetCatalog.named("rsna")?.captionLength(scratch.request(.test)) == 64)
  }

  @Test func theRightPromptIsScoredAndThePublishedOneBesideIt() throws {
    let scratch = try scratch(["a,0"], name: "stage_2_test_balance.csv")
    let prefix = "this is a chest x ray of a patient with "
    let right = PromptSet(name: "pneumonia", prompts: ["\(prefix)no findings", "\(prefix)pneumonia"])
    let published = PromptSet(
      name: "published (pneumothorax)", prompts: ["\(prefix)no findings", "\(prefix)pneumothorax"])
    #expect(try RSNA.open(scratch.request(.test)).promptSets == [right, published])
    #expect(
      try RSNA.open(scratch.request(.test) { $0.quirks = .reference }).promptSets == [published, right])
    #expect(
      try RSNA.open(scratch.request(.test) { $0.isPromptTuning = true }).promptSets[0].prompts
        == ["no findings", "pneumonia"])
    let file = try scratch.write(
      "own.yaml", "prompts: {published: \"{CLASS}\"}\nwords: {pneumonia: {0: healthy}}")
    let error = #expect(throws: DataError.self) {
      try RSNA.open(scratch.request(.test) { $0.captionFile = file })
    }
    #expect(error?.description.contains("words: pneumonia: no words for class 1") == true)
  }

  @Test func validationIsTheTrainingTableUnlessAnotherIsGiven() throws {
    let scratch = try scratch(["a,0", "b,1"])
    let valid = try RSNA.open(scratch.request(.valid))
    #expect(valid.samples == (try RSNA.open(scratch.request(.train))).samples)
    #expect(valid.notes.first?.contains("validation table is the training table") == true)
    let table = try scratch.write("own.csv", "Target,patientId\n1,c\n")
    let own = try RSNA.open(scratch.request(.valid, table: table))
    #expect(own.samples.map(\.patient) == ["c"] && own.notes.isEmpty && own.table == table)
  }

  /// Python's `random.sample` of the training rows, repeated as often as the share goes into one.
  @Test func sharesOfTheTrainingRows() throws {
    let scratch = try scratch((0..<100).map { "p\($0),\($0 % 2)" })
    func names(_ split: Split, keepsSize: Bool = false) throws -> [String] {
      try RSNA.open(
        scratch.request(split) {
          $0.fraction = 0.1
          $0.keepsSize = keepsSize
          $0.subsamplesAllSplits = true
        }
      ).samples.compactMap(\.patient)
    }
    let tenth = [81, 14, 3, 94, 35, 31, 28, 17, 13, 86].map { "p\($0)" }
    #expect(try names(.train) == tenth)
    #expect(try names(.train, keepsSize: true) == Array(repeating: tenth, count: 10).flatMap { $0 })
    #expect(try names(.valid).count == 100)
  }

  /// A share so small that a whole of it has more copies than a machine has memory.
  @Test func sharesOfLessThanARow() throws {
    let scratch = try scratch((0..<100).map { "p\($0),\($0 % 2)" })
    func samples(_ fraction: Double) throws -> [Sample] {
      try RSNA.open(
        scratch.request(.train) {
          $0.fraction = fraction
          $0.keepsSize = true
        }
      ).samples
    }
    for fraction in [1e-20, 1e-9, 0.009, 5e-324, 0, -1] {
      let error = #expect(throws: DataError.self, "\(fraction)") { try samples(fraction) }
      #expect(error?.exitStatus == .badConfiguration)
      #expect(error?.problem.location == "--data_pct \(fraction)")
      #expect(error?.problem.found == "no row left of 100")
    }
    // As published: int(1 / share) times, not up to the old size.
    #expect(try samples(0.01).count == 100 && samples(0.019).count == 52 && samples(0.6).count == 60)
    let empty = try scratch.write("own.csv", "patientId,Target\n")
    let none = try RSNA.open(scratch.request(.train, table: empty) { $0.fraction = 1e-20 })
    let error = #expect(throws: DataError.self) { try none.requireRows() }
    #expect(error?.description == "\(empty): no usable row; expected at least one.")
  }

  @Test func badRowsStopOrAreCollected() throws {
    let scratch = try scratch(["a,0", "b,2", "c,", "d,1", ",1"])
    let error = #expect(throws: DataError.self) { try RSNA.open(scratch.request(.train)) }
    #expect(
      error?.description.contains("stage_2_train_balance.csv:3: column 'Target' is '2'; expected 0 or 1.")
        == true)
    let dataset = try RSNA.open(scratch.request(.train) { $0.badRows = .skip })
    #expect(dataset.samples.map(\.patient) == ["a", "d"] && dataset.badRows.count == 3)
    #expect(dataset.badRows[1].imagePath.hasSuffix("c.dcm"))
    #expect(dataset.badRows[2].reason == "column 'patientId' is empty; expected a value")
  }

  @Test func rowsOfAnotherLengthStopOrAreCollected() throws {
    let scratch = try scratch(["a,0", "b", "c,2", "d,1"])
    let table = "\(scratch.folder)/RSNA Pneumonia/stage_2_train_balance.csv"
    let error = #expect(throws: DataError.self) { try RSNA.open(scratch.request(.train)) }
    #expect(error?.description.hasPrefix("\(table):3: 1 field; expected 2 as in line 1. Quote ") == true)
    #expect(error?.problem.hint.contains("--on_bad_row skip") == true)
    let dataset = try RSNA.open(scratch.request(.train) { $0.badRows = .skip })
    #expect(dataset.samples.map(\.patient) == ["a", "d"])
    #expect(dataset.badRows.map(\.origin) == ["\(table):3", "\(table):4"])
    #expect(dataset.badRows[0].reason == "1 field; expected 2 as in line 1")
  }

  /// Only the layout's tables have its folder beside them.
  @Test func theImageFolderOfTheLayout() throws {
    let scratch = try TableScratch()
    let table = try scratch.write("own.csv", "patientId,Target\na,1\n")
    #expect(try RSNA.open(scratch.request(.test, table: table)).samples.count == 1)
    let error = #expect(throws: DataError.self) { try RSNA.open(scratch.request(.test)) }
    #expect(error?.problem.found == "no such folder")
  }

  /// Every dataset that has DICOM pictures says how they are shown.
  @Test func picturesAreADeparture() throws {
    let line = QuirkCatalog.entry(.dicomMaximum).departure
    for entry in DatasetCatalog.all {
      var request = DatasetRequest(dataFolder: "", split: .test)
      #expect(entry.departures(request).contains(line) == (entry.name != "chexpert"), "\(entry.name)")
      request.quirks = .reference
      #expect(!entry.departures(request).contains(line), "\(entry.name)")
    }
  }
}
