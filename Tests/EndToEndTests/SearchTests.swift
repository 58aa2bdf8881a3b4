import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

/// `cleft search`: what in a folder of embeddings is near to a text or a picture.
@Suite(.serialized) struct SearchTests {
  private struct Report: Decodable {
    struct Hit: Decodable {
      let rank, row: Int
      let similarity: Double
      let path, text: String?
      let labels: [String]
    }
    let count: Int
    let hits: [Hit]
  }

  private static let images = made(["--split", "test"])
  private static let texts: String = {
    let path = ((try? Tool.scratch()) ?? "/tmp") + "/texts.txt"
    try? "edema\npleural effusion\nno finding\n".write(toFile: path, atomically: true, encoding: .utf8)
    return made(["--texts", path])
  }()

  /// A folder of embeddings of the pair.
  private static func made(_ arguments: [String], _ run: String = TrainedModels.pair) -> String {
    let folder = (try? Tool.scratch()) ?? "/tmp"
    let result = try? Tool.run(
      ["embed"] + arguments + ["--out", folder + "/features", "--pretrained_model", run], in: folder)
    precondition(result?.status == 0, "embed: \(result?.errors ?? "")")
    return folder + "/features"
  }

  private func search(_ arguments: [String]) throws -> Tool.Result {
    try Tool.run(["search"] + arguments, in: Tool.scratch())
  }

  private func report(_ arguments: [String]) throws -> Report {
    let result = try search(arguments + ["--json"])
    try #require(result.status == 0, "\(arguments): \(result.errors)")
    return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
  }

  @Test func aPictureFindsItselfFirst() throws {
    let picture = TrainedModels.pictures[4]
    let found = try report([Self.images, "--image", picture, "--top", "3"])
    #expect(found.count == TrainedModels.pictures.count && found.hits.count == 3)
    #expect(found.hits.map(\.rank) == [1, 2, 3])
    let similarities = found.hits.map(\.similarity)
    #expect(similarities == similarities.sorted(by: >))
    // Of pictures that are the same to the model the first one counts.
    let own = try #require(
      try report([Self.images, "--image", picture, "--top", "1000"]).hits.first { $0.path == picture })
    #expect(abs(own.similarity - 1) < 1e-5)
    #expect(abs(similarities[0] - own.similarity) < 1e-6)
  }

  @Test func similaritiesAreCosinesOfAllRows() throws {
    let found = try report([Self.images, "--text", "Pleural effusion", "--top", "1000"])
    let pictures = try NumpyFile(Self.images + "/embeddings.npy")
    let query = try NumpyFile(Self.texts + "/embeddings.npy").rows(1..<2).array
    #expect(found.hits.map(\.row).sorted() == Array(0..<pictures.rowCount))
    for hit in found.hits {
      let row = pictures.rows(hit.row..<hit.row + 1).array
      let product = zip(row, query).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      #expect(abs(product - hit.similarity) < 1e-5)
    }
    let similarities = found.hits.map(\.similarity)
    #expect(similarities == similarities.sorted(by: >))
    #expect(found.hits.contains { !$0.labels.isEmpty } && found.hits.allSatisfy { $0.path != nil })
    #expect(
      try search([Self.images, "--text", "edema"]).output == search([Self.images, "--text", "edema"]).output)
  }

  @Test func textsAreFoundByTextsAndByPictures() throws {
    #expect(try report([Self.texts, "--text", "EDEMA"]).hits.first?.text == "edema")
    let found = try report([Self.texts, "--image", TrainedModels.pictures[0]])
    #expect(found.hits.count == 3 && found.hits.allSatisfy { $0.path == nil && $0.text != nil })
    let lines = try search([Self.texts, "--text", "no finding", "--top", "2"]).output.split(separator: "\n")
    #expect(lines.count == 2 && lines.first?.contains("no finding") == true)
  }

  @Test func thePicturesFoundAreDrawn() throws {
    let path = try Tool.scratch() + "/found.png"
    let result = try search([Self.images, "--text", "edema", "--top", "6", "--picture", path])
    try #require(result.status == 0, "\(result.errors)")
    let sheet = try ImageDecoder.decode(path)
    #expect(sheet.width == 5 * 60 + 4 && sheet.height == 2 * 60 + 4)
    #expect(try search([Self.texts, "--text", "edema", "--picture", path]).status == 78)
  }

  @Test func anotherModelIsAnError() throws {
    let other = try search([Self.images, "--text", "edema", "--pretrained_model", TrainedModels.classifier])
    #expect(other.status == 65)
    let line = TrainedModels.refusal(other)
    #expect(line.contains("other weights") && line.contains(TrainedModels.pair), "\(other.errors)")
    // The same model elsewhere is the same.
    let moved = try Tool.scratch() + "/moved"
    try FileManager.default.copyItem(atPath: TrainedModels.pair, toPath: moved)
    let same = try report([Self.images, "--text", "edema", "--pretrained_model", moved])
    #expect(try same.hits.map(\.row) == report([Self.images, "--text", "edema"]).hits.map(\.row))
  }

  @Test func aModelThatIsGoneAndFilesThatDoNotBelongTogether() throws {
    let folder = try Tool.scratch() + "/copy"
    try FileManager.default.copyItem(atPath: Self.images, toPath: folder)
    let facts = folder + "/embeddings.json"
    let text = try String(contentsOfFile: facts, encoding: .utf8)
    try text.replacing(TrainedModels.pair, with: "/no/such/run").write(
      toFile: facts, atomically: true, encoding: .utf8)
    let gone = try search([folder, "--text", "edema"])
    #expect(gone.status == 66 && TrainedModels.refusal(gone).contains("--pretrained_model"))
    try text.write(toFile: facts, atomically: true, encoding: .utf8)
    try FileManager.default.removeItem(atPath: folder + "/embeddings.npy")
    try FileManager.default.copyItem(
      atPath: Self.texts + "/embeddings.npy", toPath: folder + "/embeddings.npy")
    let mixed = try search([folder, "--text", "edema"])
    #expect(mixed.status == 65 && TrainedModels.refusal(mixed).contains("cleft embed"), "\(mixed.errors)")
    try "{}".write(toFile: facts, atomically: true, encoding: .utf8)
    #expect(try search([folder, "--text", "edema"]).status == 65)
    #expect(try search(["/no/such/folder", "--text", "edema"]).status == 66)
  }

  @Test func oneThingIsLookedFor() throws {
    for arguments in [
      [], ["--text", "a", "--image", "b.png"], ["--text", " "], ["--text", "a", "--top", "0"],
    ] {
      let result = try search([Self.images] + arguments)
      #expect(result.status == 64 && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
    #expect(try search([Self.images, "--image", "/no/such.png"]).status == 66)
    let backbone = Self.made([TrainedModels.pictures[0], "--feature", "backbone"])
    let refused = try search([backbone, "--text", "edema"])
    #expect(refused.status == 78 && TrainedModels.refusal(refused).contains("backbone"))
    let own = try report([backbone, "--image", TrainedModels.pictures[0]])
    #expect(own.hits.count == 1 && abs(own.hits[0].similarity - 1) < 1e-6)
  }
}
