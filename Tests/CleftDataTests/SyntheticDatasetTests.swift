import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

@Suite struct SyntheticDatasetTests {
  private func make(_ seed: UInt64) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    let set = SyntheticDataset(
      folder: folder, trainPatients: 12, testPerClass: 2, rsnaPerClass: 2, difficulty: 0.2, seed: seed,
      sizePixels: 96...128)
    _ = try set.write()
    return folder
  }

  @Test func layoutsAreReadAsPublished() throws {
    let folder = try make(1)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let train = try CheXpert.open(DatasetRequest(dataFolder: folder, split: .train))
    let test = try CheXpert.open(DatasetRequest(dataFolder: folder, split: .test, usesFiveClasses: true))
    #expect(train.samples.count >= 12)
    #expect(test.samples.map(\.firstLabel).sorted() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    func patients(_ samples: [Sample]) -> Set<Substring> {
      Set(samples.compactMap { $0.imagePath.split(separator: "/").dropLast(2).last })
    }
    #expect(patients(train.samples).isDisjoint(with: patients(test.samples)))
    for sample in train.samples.prefix(3) + test.samples.prefix(3) {
      #expect(!(try ImageDecoder.decode(sample.imagePath)).isConstant)
    }
    let rsna = try RSNA.open(DatasetRequest(dataFolder: folder, split: .test))
    #expect(rsna.samples.map(\.firstLabel) == [0, 1, 0, 1])
    #expect(rsna.promptSets[0].prompts[1].hasSuffix("with pneumonia"))
    for sample in rsna.samples { #expect(!(try ImageDecoder.decode(sample.imagePath)).isConstant) }
  }

  @Test func equalSeedsGiveEqualFiles() throws {
    let folders = try [make(1), make(1), make(2)]
    defer { for folder in folders { try? FileManager.default.removeItem(atPath: folder) } }
    func bytes(_ folder: String) throws -> [Data] {
      let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }.sorted() ?? []
      return try files.filter { $0.contains(".jpg") || $0.contains(".csv") }.map {
        try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)"))
      }
    }
    #expect(try bytes(folders[0]) == bytes(folders[1]))
    #expect(try bytes(folders[0]) != bytes(folders[2]))
  }

  @Test func aBadCellNamesItsLine() throws {
    let folder = try make(3)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let table = "\(folder)/CheXpert/train_cheXbert_clean_95.csv"
    let text = try String(contentsOfFile: table, encoding: .utf8)
    var lines = text.split(separator: "\n").map(String.init)
    lines[2] =
      lines[2].split(separator: ",", omittingEmptySubsequences: false).dropLast().joined(separator: ",")
      + ",x"
    try lines.joined(separator: "\n").write(toFile: table, atomically: true, encoding: .utf8)
    let error = #expect(throws: DataError.self) {
      try CheXpert.open(DatasetRequest(dataFolder: folder, split: .train))
    }
    #expect(
      error?.description.contains("train_cheXbert_clean_95.csv:3: column 'Support Devices' is 'x'") == true)
    try lines.map { $0.replacing("Edema", with: "Oedema") }.joined(separator: "\n").write(
      toFile: table, atomically: true, encoding: .utf8)
    let missing = #expect(throws: FormatError.self) {
      try CheXpert.open(DatasetRequest(dataFolder: folder, split: .train))
    }
    #expect(missing?.description.contains("no column 'Edema'") == true)
    #expect(missing?.description.contains("Oedema") == true)
  }

  @Test func theLoaderDoesNotDependOnItsThreads() throws {
    let folder = try make(4)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let samples = try CheXpert.open(DatasetRequest(dataFolder: folder, split: .train)).samples
    func load(_ workers: Int, cache: Int) throws -> [[GrayImage]] {
      let loader = ImageLoader(
        samples: samples,
        pictures: PictureStore(pipeline: ImagePipeline(sizePixels: 56), memoryBytes: cache),
        augmentation: RandomKey(seed: 1), workerCount: workers
      ) { $0 < 6 ? BatchPlan(indices: [$0, ($0 * 5) % 12, 3], epoch: $0) : nil }
      defer { loader.stop() }
      var batches: [[GrayImage]] = []
      while let batch = try loader.next() { batches.append(batch) }
      return batches
    }
    let plain = try load(0, cache: 0)
    #expect(plain.count == 6)
    #expect(try load(1, cache: 1 << 20) == plain)
    #expect(try load(3, cache: 4000) == plain)
  }
}
