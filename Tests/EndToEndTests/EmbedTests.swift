import CleftFormats
import CleftTensor
import Foundation
import Testing

/// `cleft embed`: features of pictures and texts in a folder.
@Suite(.serialized) struct EmbedTests {
  private let run = TrainedModels.pair

  private struct Facts: Decodable {
    struct Pipeline: Decodable { let imageSizePixels: Int }
    struct Skipped: Decodable { let imagePath: String }
    let version, count, width: Int
    let kind, feature, fingerprint, precision: String
    let pipeline: Pipeline?
    let skipped: [Skipped]
  }

  private func embed(_ arguments: [String], to out: String, _ run: String? = nil) throws -> Tool.Result {
    try Tool.run(
      ["embed", "--out", out, "--pretrained_model", run ?? self.run, "--num_workers", "1"] + arguments,
      in: Tool.scratch())
  }

  /// A new folder of embeddings.
  private func made(_ arguments: [String], _ run: String? = nil) throws -> String {
    let out = try Tool.scratch() + "/new/features"
    let result = try embed(arguments, to: out, run)
    try #require(result.status == 0, "\(arguments): \(result.errors)")
    #expect(FileSystem.list(out) == ["embeddings.csv", "embeddings.json", "embeddings.npy"])
    return out
  }

  private func facts(_ folder: String) throws -> Facts {
    try JSONDecoder().decode(Facts.self, from: FileSystem.read(folder + "/embeddings.json"))
  }

  private func texts(_ lines: [String]) throws -> String {
    let path = try Tool.scratch() + "/texts.txt"
    try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// Rows of a folder's matrix, and their lengths.
  private func rows(_ folder: String) throws -> (matrix: NumpyFile, lengths: [Float]) {
    let file = try NumpyFile(folder + "/embeddings.npy")
    let values = file.tensor.array
    let lengths = (0..<file.rowCount).map { row in
      values[row * file.width..<(row + 1) * file.width].reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
    }
    return (file, lengths)
  }

  @Test func picturesBecomeUnitVectorsWithTheirPaths() throws {
    let pictures = try TrainedModels.folderOfPictures(5)
    let folder = try made([pictures])
    let bytes = try FileSystem.read(folder + "/embeddings.npy")
    #expect(bytes.starts(with: [0x93] + Array("NUMPY".utf8) + [1, 0]))
    let (matrix, lengths) = try rows(folder)
    let facts = try facts(folder)
    #expect(matrix.shape == [5, facts.width] && matrix.dtype == .float32)
    #expect(bytes.count == 128 + 4 * 5 * facts.width)
    for length in lengths { #expect(abs(length - 1) < 1e-5) }
    #expect(facts.version == 1 && facts.count == 5 && facts.kind == "images")
    #expect(facts.feature == "embedding" && facts.precision == "32" && facts.fingerprint.count == 16)
    #expect(facts.pipeline?.imageSizePixels == 56)
    let table = try CSVTable(folder + "/embeddings.csv")
    #expect(table.rows.map { $0[0] } == (0..<5).map { "\($0)" })
    let place = try table.column("path")
    #expect(
      table.rows.map { $0[place] }
        == (["a"] + (1..<5).map { "below/\($0)" }).map { "\(pictures)/\($0).image" })
    // Again, and over what is there: the same bytes.
    let again = try embed([pictures, "--num_workers", "0"], to: folder)
    try #require(again.status == 0, "\(again.errors)")
    #expect(try FileSystem.read(folder + "/embeddings.npy") == bytes)
    #expect(FileSystem.list((folder as NSString).deletingLastPathComponent) == ["features"])
  }

  @Test func aSplitComesWithItsLabelsAndPatients() throws {
    let folder = try made(["--split", "test"])
    let (table, facts) = (try CSVTable(folder + "/embeddings.csv"), try facts(folder))
    #expect(facts.count == TrainedModels.pictures.count && table.rows.count == facts.count)
    let (path, labels, patient) = (
      try table.column("path"), try table.column("labels"), try table.column("patient")
    )
    #expect(Set(table.rows.map { $0[path] }) == Set(TrainedModels.pictures))
    #expect(table.rows.contains { $0[labels].contains("Edema") })
    #expect(table.rows.allSatisfy { !$0[patient].isEmpty })
    // The same picture as a file has the same vector.
    let single = try made([table.rows[2][path]])
    let (all, one) = (try rows(folder).matrix.rows(2..<3).array, try rows(single).matrix.tensor.array)
    for (a, b) in zip(all, one) { #expect(abs(a - b) < 1e-5) }
  }

  @Test func textsAreReadInLowercaseUnlessAskedOtherwise() throws {
    let file = try texts(["pleural effusion", "", "Pleural Effusion", "edema", ""])
    let folder = try made(["--texts", file, "--batch_size", "2"])
    #expect(
      try CSVTable(folder + "/embeddings.csv").rows.map { $0[1] } == [
        "pleural effusion", "Pleural Effusion", "edema",
      ])
    let (matrix, lengths) = try rows(folder)
    for length in lengths { #expect(abs(length - 1) < 1e-5) }
    #expect(matrix.rows(0..<1).array == matrix.rows(1..<2).array)
    #expect(matrix.rows(0..<1).array != matrix.rows(2..<3).array)
    let written = try rows(made(["--texts", file, "--as_written"])).matrix
    #expect(written.rows(0..<1).array != written.rows(1..<2).array)
  }

  @Test func theTowersOwnVectorsAndThoseOfAClassifier() throws {
    let pictures = try TrainedModels.folderOfPictures(2)
    let folder = try made([pictures, "--feature", "backbone"])
    #expect(try facts(folder).feature == "backbone")
    let lengths = try rows(folder).lengths
    #expect(lengths.contains { abs($0 - 1) > 1e-2 })
    let classified = try facts(made([pictures], TrainedModels.classifier))
    #expect(classified.feature == "backbone")
    #expect(try classified.width == facts(folder).width)
    for options in [["--texts", try texts(["edema"])], [pictures, "--feature", "embedding"]] {
      let result = try embed(options, to: Tool.scratch() + "/x", TrainedModels.classifier)
      #expect(result.status == 78)
      #expect(TrainedModels.refusal(result).contains("no text tower"), "\(result.errors)")
    }
  }

  @Test func nothingIsLeftOfWhatCouldNotBeFinished() throws {
    let pictures = try TrainedModels.folderOfPictures(3)
    let damaged = try TrainedModels.damagedPicture(pictures)
    let parent = try Tool.scratch()
    let stopped = try embed([pictures, "--batch_size", "1"], to: parent + "/x")
    #expect(stopped.status == 65 && TrainedModels.refusal(stopped).contains(damaged))
    #expect(FileSystem.list(parent).isEmpty)
    let skipped = try facts(made([pictures, "--on_bad_row", "skip", "--batch_size", "1"]))
    #expect(skipped.count == 3 && skipped.skipped.map(\.imagePath) == [damaged])
  }

  @Test func whatIsThereIsNotWrittenOver() throws {
    let pictures = try TrainedModels.folderOfPictures(2)
    let refused = try embed([pictures], to: pictures)
    #expect(refused.status == 78 && TrainedModels.refusal(refused).contains("--out"), "\(refused.errors)")
    #expect(FileSystem.list(pictures) == ["a.image", "below", "notes.txt"])
    #expect(try embed([pictures], to: pictures + "/notes.txt").status == 78)
  }

  @Test func exactlyOneSourceIsNamed() throws {
    let file = try texts(["edema"])
    for arguments in [
      [], ["--split", "test", "--texts", file], [TrainedModels.pictures[0], "--texts", file],
    ] {
      let result = try embed(arguments, to: "/tmp/never")
      #expect(result.status == 64 && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
    let out = try Tool.scratch() + "/x"
    #expect(try embed(["--texts", "/no/such/file"], to: out).status == 66)
    #expect(try embed(["--texts", texts(["", " "])], to: out).status == 65)
    #expect(try embed([Tool.scratch()], to: out).status == 66)
    #expect(!FileSystem.exists(out))
  }
}
