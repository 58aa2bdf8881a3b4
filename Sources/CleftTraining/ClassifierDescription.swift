import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN

/// What a checkpoint of an image classifier needs to be built again.
public struct ClassifierDescription: StoredModel {
  /// Name in `model.json`.
  public static let kind = "classifier"
  /// Shapes and numerics.
  public var classifier: ImageClassifierConfig
  /// Adapter on the image tower, nil without.
  public var imageAdapter: AdapterDescription?
  /// Whether each class is a sigmoid of its own.
  public var isMultiLabel: Bool

  /// Makes a description.
  public init(
    classifier: ImageClassifierConfig, imageAdapter: AdapterDescription? = nil, isMultiLabel: Bool = false
  ) {
    self.classifier = classifier
    self.imageAdapter = imageAdapter
    self.isMultiLabel = isMultiLabel
  }

  private enum CodingKeys: String, CodingKey { case kind, classifier, imageAdapter, isMultiLabel }

  /// Reads a description.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    classifier = try values.decode(ImageClassifierConfig.self, forKey: .classifier)
    imageAdapter = try values.decodeIfPresent(AdapterDescription.self, forKey: .imageAdapter)
    isMultiLabel = try values.decode(Bool.self, forKey: .isMultiLabel)
  }

  /// Writes the description with its kind.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(Self.kind, forKey: .kind)
    try values.encode(classifier, forKey: .classifier)
    try values.encodeIfPresent(imageAdapter, forKey: .imageAdapter)
    try values.encode(isMultiLabel, forKey: .isMultiLabel)
  }

  /// Builds the model without values, adapter included.
  ///
  /// - Throws: `TrainingError.badConfiguration` if the numbers contradict each other.
  public func makeModel() throws -> ImageClassifier {
    let model = try makePlainModel()
    try adapt(model, startsFresh: false)
    return model
  }

  /// Builds the model without values and without its adapter.
  public func makePlainModel() throws(TrainingError) -> ImageClassifier {
    if let contradiction = classifier.contradiction {
      throw .badConfiguration(Problem("model", found: contradiction))
    }
    return ImageClassifier(classifier)
  }

  /// Adds the adapter to a model.
  ///
  /// - Parameter startsFresh: whether start values that depend on the base weights are computed.
  public func adapt(_ model: ImageClassifier, startsFresh: Bool) throws {
    guard let imageAdapter else { return }
    let place = AdapterPlace(model.image.model.adapterTargets, startsFresh: startsFresh)
    _ = try imageAdapter.config.apply(to: model.image.model, place)
  }

  /// The same as any model.
  public func makeWholeModel() throws -> any Module { try makeModel() }
}
