import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftTensor
import CleftTraining
import Foundation

/// Features of pictures or texts, from options to a folder.
struct EmbedRun {
  let images: [String]
  let asked: EmbedOptions
  let use: UseOptions
  let data: DataOptions

  /// What is embedded.
  private enum Source {
    case files(PictureFiles)
    case split(Split)
    case texts(String)
  }

  /// Embeds and says where the folder is.
  func callAsFunction() throws {
    let log = RunLog()
    let source = try source()
    let path = try EmbeddedFolderWriter.requireFree(asked.out)
    let model = try ModelUse(use, data, log)
    let feature = try feature(model, log)
    let facts =
      switch source {
      case .texts(let file): try embed(textsOf: file, model, feature, to: path, log)
      case .files(let files): try embed(files, model, feature, to: path, log)
      case .split(let split): try embed(split, model, feature, to: path, log)
      }
    print(use.json ? jsonText(facts, pretty: true) : text(facts, path))
    log.summarizeWarnings()
  }

  private func source() throws -> Source {
    if let file = asked.texts { return .texts((file as NSString).expandingTildeInPath) }
    if let split = asked.split { return .split(split) }
    return .files(try PictureFiles(images, policy: data.pictures.on_bad_row))
  }

  /// The vector that is asked for; of a classifier, which has no shared space, the tower's.
  private func feature(_ model: ModelUse, _ log: RunLog) throws -> FeatureKind {
    guard case .classifier = model.model else { return asked.feature ?? .embedding }
    if asked.texts != nil { _ = try model.pair(for: "--texts") }
    if asked.feature == .embedding { _ = try model.pair(for: "--feature embedding") }
    if asked.feature == nil { log.say("--feature backbone: a classifier has no space shared with texts.") }
    return .backbone
  }

  private func text(_ facts: EmbeddedFolder.Facts, _ path: String) -> String {
    let skipped = facts.skipped.isEmpty ? "" : "; \(facts.skipped.count) skipped"
    return
      "\(facts.count) \(facts.kind.rawValue), \(facts.feature.rawValue) [\(facts.width)], in \(path)\(skipped)"
  }

  /// What is known before anything is computed.
  private func facts(
    _ model: ModelUse, _ feature: FeatureKind, _ kind: EmbeddedFolder.Kind, _ source: String
  ) throws -> EmbeddedFolder.Facts {
    let options = model.options
    let dataset = ["--dataset=\(options.data.entry.name)"]
    let pipeline = options.pipeline(sizePixels: model.vision.imageSizePixels)
    return EmbeddedFolder.Facts(
      version: EmbeddedFolder.Facts.newest, kind: kind, count: 0,
      width: model.width(feature, ofTexts: kind == .texts), feature: feature, model: model.facts,
      fingerprint: try model.fingerprint(), precision: use.precision,
      pipeline: kind == .texts
        ? nil
        : EmbeddedFolder.Pipeline(
          imageSizePixels: pipeline.sizePixels, resizesStraight: pipeline.resizesStraight,
          truncatesSides: pipeline.truncatesSides, dicom: options.quirks.dicomRendering.rawValue),
      source: source, modelOptions: use.readingArguments,
      dataOptions: dataset + (options.data.captionLength.map { ["--caption_length=\($0)"] } ?? []),
      skipped: [])
  }

  // MARK: - Texts

  private func embed(
    textsOf file: String, _ model: ModelUse, _ feature: FeatureKind, to path: String, _ log: RunLog
  ) throws -> EmbeddedFolder.Facts {
    let pair = try model.pair(for: "--texts")
    guard let text = String(data: try FileSystem.read(file), encoding: .utf8) else {
      throw TrainingError.badData(
        Problem(file, found: "bytes that are not UTF-8", expected: "a text file, one text a line"))
    }
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    let texts = lines.filter { !$0.allSatisfy(\.isWhitespace) }
    // The last line has an end, and nothing behind it.
    let blank = lines.count - texts.count - (lines.last == "" ? 1 : 0)
    if blank > 0 { log.warn("\(file): \(blank) blank line(s) left out.") }
    guard !texts.isEmpty else {
      throw TrainingError.badData(Problem(file, found: "no text", expected: "one text a line"))
    }
    var facts = try facts(model, feature, .texts, file)
    let writer = try EmbeddedFolderWriter(path, width: facts.width, columns: ["text"])
    var cutCount = 0
    for start in stride(from: 0, to: texts.count, by: use.batch_size) {
      let part = Array(texts[start..<min(start + use.batch_size, texts.count)])
      let (ids, cut) = model.tokens(part, pair)
      let vectors = model.vectors(of: ids, pair, feature)
      try ModelUse.requireFinite(vectors) { "\(file): '\(part[$0].prefix(60))'" }
      try writer.append(vectors, part.map { [$0] })
      cutCount += cut
      log.progress("embedded \(writer.count)/\(texts.count) texts", isMilestone: false)
    }
    if cutCount > 0 { log.warn("\(cutCount) texts are longer than the model's columns and are cut.") }
    facts.count = writer.count
    try writer.finish(facts)
    return facts
  }

  // MARK: - Pictures

  private func embed(
    _ files: PictureFiles, _ model: ModelUse, _ feature: FeatureKind, to path: String, _ log: RunLog
  ) throws -> EmbeddedFolder.Facts {
    files.announce(log)
    var facts = try facts(model, feature, .images, images.joined(separator: " "))
    facts.skipped = files.absent
    let pictures = try model.pictures()
    try embed(files.samples, classNames: [], pictures, model, &facts, to: path, log)
    return facts
  }

  private func embed(
    _ split: Split, _ model: ModelUse, _ feature: FeatureKind, to path: String, _ log: RunLog
  ) throws -> EmbeddedFolder.Facts {
    let wishes = DataWishes(
      imageSizePixels: model.vision.imageSizePixels, needsCaptions: false, takesSeveralLabels: true)
    let run = try RunData(model.options, wishes, log)
    let dataset = try run.open(split, for: .scoring)
    try run.announce(dataset, in: nil)
    var facts = try facts(model, feature, .images, dataset.table)
    facts.skipped = dataset.badRows
    try embed(dataset.samples, classNames: dataset.classNames, run.pictures, model, &facts, to: path, log)
    return facts
  }

  /// Embeds the pictures of samples, and notes how many there are.
  private func embed(
    _ samples: [Sample], classNames: [String], _ pictures: CleftData.PictureStore, _ model: ModelUse,
    _ facts: inout EmbeddedFolder.Facts, to path: String, _ log: RunLog
  ) throws {
    let feature = facts.feature
    let writer = try EmbeddedFolderWriter(
      path, width: facts.width, columns: ["path", "origin", "labels", "patient"])
    let batches = model.batches(samples, pictures, size: use.batch_size)
    let bad = try batches.forEach { indices, images in
      let vectors = model.vectors(of: images, feature)
      try ModelUse.requireFinite(vectors) { samples[indices[$0]].imagePath }
      let fields = indices.map { index in
        let sample = samples[index]
        let labels = sample.labels.map { classNames[$0] }.joined(separator: ";")
        return [absolute(sample.imagePath), sample.origin, labels, sample.patient ?? ""]
      }
      try writer.append(vectors, fields)
      log.progress("embedded \(writer.count)/\(samples.count) pictures", isMilestone: false)
    }
    for row in bad { log.say("skipped: \(row.imagePath): \(row.reason)") }
    if !bad.isEmpty { log.warn("\(bad.count) picture(s) skipped, listed above.") }
    guard writer.count > 0 else {
      throw TrainingError.badData(
        Problem(facts.source, found: "no picture that can be read", expected: "at least one"))
    }
    for line in pictures.summary.warnings { log.warn(line) }
    facts.skipped += bad
    facts.count = writer.count
    try writer.finish(facts)
  }

  private func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }
}
