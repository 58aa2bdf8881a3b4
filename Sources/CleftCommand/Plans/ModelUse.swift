import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// A trained model in use: a pair of towers or a classifier, with the way it reads pictures and texts.
struct ModelUse {
  /// Which kind it is.
  enum Model {
    case pair(LoadedModel)
    case classifier(LoadedClassifier)
  }

  /// What names a model in what is written.
  struct Facts: Codable, Equatable {
    /// As it was named, as an absolute path, and the checkpoint in it.
    var path, checkpoint: String
    /// `pair` or `classifier`.
    var kind: String
    /// Optimizer steps of its training; nil where its file does not say.
    var step: Int?
  }

  let options: TrainOptions
  let model: Model
  let facts: Facts
  private let readsAsWritten: Bool

  /// Reads the model that options name.
  ///
  /// - Throws: `TrainingError.missing` where none is named or there is none.
  init(_ use: UseOptions, _ data: DataOptions? = nil, _ log: RunLog) throws {
    let options = try use.evaluation(data)
    guard let path = use.path else {
      throw TrainingError.missing(
        Problem("--pretrained_model", found: "nothing", expected: "a run or checkpoint folder, or a file"))
    }
    options.configureRuntime()
    options.announceMachine(log)
    self.options = options
    readsAsWritten = use.as_written
    let isFile = FileSystem.exists(path) && !FileSystem.isFolder(path)
    let place = isFile ? path : try Checkpoint.locate(path)
    let isClassifier = try !isFile && StoredModelCatalog.read(place) is ClassifierDescription
    model =
      isClassifier
      ? .classifier(
        try ClassifierSource(options: options.model, quirks: options.quirks, seed: options.run.seed)
          .checkpoint(path))
      : .pair(
        try ModelSource(
          options: options.model, quirks: options.quirks, seed: options.run.seed,
          captionLength: options.data.captionLength
        ).checkpoint(path))
    facts = Facts(
      path: Self.absolute(path), checkpoint: Self.absolute(place),
      kind: isClassifier ? ClassifierDescription.kind : ModelDescription.kind,
      step: isFile ? nil : Self.step(place))
    for note in notes { log.warn(note) }
  }

  private var notes: [String] {
    switch model {
    case .pair(let loaded): loaded.notes
    case .classifier(let loaded): loaded.notes
    }
  }

  private static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }

  private static func step(_ folder: String) -> Int? {
    struct Stored: Decodable { var step: Int }
    let data = try? FileSystem.read(folder + "/state.json")
    return data.flatMap { try? JSONDecoder().decode(Stored.self, from: $0) }?.step
  }

  /// What tells this model's weights from all others: of a folder that of its `state.json`, which has that of every file.
  func fingerprint() throws -> String {
    let isFolder = FileSystem.isFolder(facts.checkpoint)
    return try Checksum.ofFile(isFolder ? facts.checkpoint + "/state.json" : facts.checkpoint)
  }

  // MARK: - Pictures

  /// The image tower with its projection, which for a classifier are its outputs.
  var image: CleftModels.ImageEncoder {
    switch model {
    case .pair(let loaded): loaded.encoder.image
    case .classifier(let loaded): loaded.model.image
    }
  }

  /// Configuration of the image tower.
  var vision: any ImageTowerConfig {
    switch model {
    case .pair(let loaded): loaded.description.encoder.vision
    case .classifier(let loaded): loaded.description.classifier.vision
    }
  }

  /// Where files that a command line names come from: prepared ones only if it says so.
  func pictures() throws -> PictureStore {
    let given = options.data.pictures.prepared
    return PictureStore(
      pipeline: options.pipeline(sizePixels: vision.imageSizePixels), dicom: options.quirks.dicomRendering,
      memoryBytes: 0, prepared: try given == nil ? nil : options.data.preparedPictures())
  }

  /// Batches of samples.
  func batches(_ samples: [Sample], _ pictures: PictureStore, size: Int) -> PictureBatches {
    PictureBatches(
      samples: samples, pictures: pictures, batchSize: size, workerCount: options.workerCount,
      policy: options.data.pictures.on_bad_row)
  }

  // MARK: - Texts

  /// The pair of towers.
  ///
  /// - Parameter purpose: what needs its text tower.
  /// - Throws: `TrainingError.badConfiguration` for a classifier.
  func pair(for purpose: String) throws(TrainingError) -> LoadedModel {
    if case .pair(let loaded) = model { return loaded }
    throw .badConfiguration(
      Problem(
        purpose, found: "a classifier, \(facts.path), which has no text tower",
        expected: "a pair of an image and a text tower"))
  }

  /// A text as this model reads it.
  func read(_ text: String) -> String {
    let words = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return readsAsWritten ? words : words.lowercased()
  }

  /// Whether words behind prompt vectors keep the space in front of them.
  var keepsLeadingSpace: Bool { options.data.entry.keepsLeadingSpace(options.quirks) }

  /// What turns prompts into vectors.
  func promptEncoder(_ pair: LoadedModel) -> PromptEncoder {
    PromptEncoder(
      encoder: pair.encoder, description: pair.description, tokenizer: pair.tokenizer,
      keepsLeadingSpace: keepsLeadingSpace)
  }

  /// Token ids of texts, and how many of them are cut at the model's columns.
  func tokens(_ texts: [String], _ pair: LoadedModel) -> (ids: [[Int]], cutCount: Int) {
    func ids(_ text: String, isLimited: Bool) -> [Int] {
      pair.description.tokens(
        read(text), pair.tokenizer, keepsLeadingSpace: keepsLeadingSpace, isLimited: isLimited)
    }
    let limited = texts.map { ids($0, isLimited: true) }
    return (limited, zip(texts, limited).count { ids($0, isLimited: false).count > $1.count })
  }
}

/// Which vector of a picture or a text.
enum FeatureKind: String, Codable, CaseIterable {
  /// The unit vector in the space that both towers share.
  case embedding
  /// What the tower itself makes, before the projection; not of length 1.
  case backbone
}

extension ModelUse {
  /// Vectors of pictures `[B, 3, S, S]` → `[B, width]`.
  func vectors(of images: Tensor, _ feature: FeatureKind) -> Tensor {
    withoutGradients {
      feature == .embedding ? image(images, .evaluation) : image.feature(images, .evaluation)
    }
  }

  /// Vectors of texts `[n, width]`.
  func vectors(of ids: [[Int]], _ pair: LoadedModel, _ feature: FeatureKind) -> Tensor {
    withoutGradients {
      let batch = pair.encoder.textBatch(ids, deduplicates: true)
      let text = pair.encoder.text
      return feature == .embedding ? text(batch, .evaluation) : text.feature(batch, .evaluation)
    }
  }

  /// Numbers of a vector.
  func width(_ feature: FeatureKind, ofTexts: Bool) -> Int {
    switch (model, feature) {
    case (.pair(let loaded), .embedding): loaded.encoder.config.embeddingSize
    case (.pair(let loaded), .backbone) where ofTexts: loaded.description.encoder.text.hiddenSize
    default: vision.hiddenSize
    }
  }

  /// Fails if a model's numbers of something are not finite: nothing can be said of it.
  static func requireFinite(_ values: Tensor, _ name: (_ row: Int) -> String) throws(TrainingError) {
    let numbers = values.array
    guard let broken = numbers.firstIndex(where: { !$0.isFinite }) else { return }
    throw .badData(
      Problem(
        name(broken / max(1, values.shape.last)), found: "what the model makes of it is not finite",
        hint: "Are the weights? Use an earlier checkpoint."))
  }
}
