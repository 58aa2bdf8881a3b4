import ArgumentParser
import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// A search in a folder of embeddings, from options to a list.
struct SearchRun {
  let folder: String
  let asked: SearchOptions

  /// Searches and prints.
  func callAsFunction() throws {
    let log = RunLog()
    let embedded = try EmbeddedFolder((folder as NSString).expandingTildeInPath)
    try requireSense(embedded)
    if let picture = asked.picture {
      try FileSystem.requireWritable((picture as NSString).expandingTildeInPath)
    }
    let model = try model(embedded, log)
    let query = try query(model, embedded, log)
    let nearest = try NearestRows(query, in: embedded.numbers, limit: asked.top)
    if nearest.directionless > 0 {
      log.warn("\(nearest.directionless) rows are all 0 or no numbers and are near to nothing.")
    }
    let report = SearchReport(asked, embedded, nearest.hits)
    print(asked.json ? jsonText(report, pretty: true) : report.table)
    if let path = asked.picture { try writeSheet(report, model, to: path, log) }
    log.summarizeWarnings()
  }

  /// Options that do not fit what the folder holds.
  private func requireSense(_ embedded: EmbeddedFolder) throws(TrainingError) {
    let facts = embedded.facts
    let isOwnKind = (asked.text != nil) == (facts.kind == .texts)
    if facts.feature == .backbone, !isOwnKind {
      throw .badConfiguration(
        Problem(
          asked.text == nil ? "--image" : "--text",
          found: "with backbone features of \(facts.kind.rawValue) in \(embedded.path)",
          expected: "vectors that pictures and texts share",
          hint: "Embed them with --feature embedding."))
    }
    if asked.picture != nil, facts.kind == .texts {
      throw .badConfiguration(
        Problem("--picture", found: "with \(embedded.path), which holds texts", expected: "pictures"))
    }
  }

  /// The model that made the embeddings.
  ///
  /// - Throws: `TrainingError.missing` if it is gone, `.badData` if it is another one now.
  private func model(_ embedded: EmbeddedFolder, _ log: RunLog) throws -> ModelUse {
    let facts = embedded.facts
    let path = asked.pretrained_model ?? facts.model.checkpoint
    guard FileSystem.exists((path as NSString).expandingTildeInPath) else {
      throw TrainingError.missing(
        Problem(
          path, found: "no such model", expected: "the one that made \(embedded.path)",
          hint: "Say where it is now with --pretrained_model."))
    }
    var use = try UseOptions.parse(facts.modelOptions)
    use.pretrained_model = path
    use.model_dir = asked.model_dir ?? use.model_dir
    use.threads = asked.threads
    let model = try ModelUse(use, try DataOptions.parse(facts.dataOptions), log)
    guard try model.fingerprint() == facts.fingerprint else {
      throw TrainingError.badData(
        Problem(
          path, found: "other weights than those that made \(embedded.path)",
          expected: "\(facts.model.checkpoint)\(facts.model.step.map { ", step \($0)" } ?? "")",
          hint: "Name that model with --pretrained_model, or run 'cleft embed' again."))
    }
    let width = model.width(facts.feature, ofTexts: facts.kind == .texts)
    guard width == facts.width else {
      throw TrainingError.badData(
        Problem(
          "\(embedded.path)/\(EmbeddedFolder.numbersName)", found: "rows of \(facts.width) numbers",
          expected: "\(width) as the model makes them", hint: "Run 'cleft embed' again."))
    }
    return model
  }

  /// The vector of what is looked for.
  private func query(_ model: ModelUse, _ embedded: EmbeddedFolder, _ log: RunLog) throws -> [Float] {
    let feature = embedded.facts.feature
    let (vector, name): (Tensor, String)
    if let text = asked.text {
      let pair = try model.pair(for: "--text")
      let (ids, cutCount) = model.tokens([text], pair)
      if cutCount > 0 { log.warn("--text is longer than the model's columns and is cut.") }
      (vector, name) = (model.vectors(of: ids, pair, feature), "--text '\(text)'")
    } else {
      let path = ((asked.image ?? "") as NSString).expandingTildeInPath
      guard FileSystem.exists(path) else {
        throw TrainingError.missing(
          Problem("--image \(path)", found: "no such file", expected: "a PNG, JPEG or DICOM file"))
      }
      let image = try model.pictures().evaluation(
        Sample(imagePath: path, caption: nil, labels: [], origin: ""))
      if image.isConstant { log.warn("\(path) is constant: it is near to nothing in particular.") }
      (vector, name) = (model.vectors(of: ImagePipeline.tensor([image]), feature), path)
    }
    try ModelUse.requireFinite(vector) { _ in name }
    guard NearestRows.length(vector.array) > 0 else {
      throw TrainingError.badData(
        Problem(name, found: "a vector of zeros", expected: "one that has a direction"))
    }
    return vector.array
  }

  /// Writes the pictures that were found as the model sees them, nearest first.
  private func writeSheet(
    _ report: SearchReport, _ model: ModelUse, to path: String, _ log: RunLog
  ) throws {
    let pictures = try model.pictures()
    var tiles: [GrayImage] = []
    for hit in report.hits {
      do {
        tiles.append(
          try pictures.evaluation(
            Sample(imagePath: hit.path ?? "", caption: nil, labels: [], origin: "")))
      } catch {
        log.warn("\(error)")
      }
    }
    guard !tiles.isEmpty else {
      throw TrainingError.badData(
        Problem("--picture \(path)", found: "no picture that was found can be read", expected: "at least one")
      )
    }
    let sheet = GrayImage.contactSheet(tiles, columns: min(5, tiles.count))
    try FileSystem.write(ImageEncoder.png(sheet), to: (path as NSString).expandingTildeInPath)
    log.say("\(tiles.count) pictures, row by row: \(path)")
  }
}
