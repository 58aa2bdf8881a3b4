/// Everything that decides the shapes and numerics of an image tower with a classifier.
public struct ImageClassifierConfig: Codable, Sendable {
  /// Image tower.
  public var vision: any ImageTowerConfig
  /// Image feature.
  public var pooling: ImagePooling
  /// Names of the classes, in the order of the first outputs.
  public var classNames: [String]
  /// Number of outputs, at least as many as classes; those behind the classes are trained never to win.
  public var outputCount: Int
  /// Whether outputs are brought to length 1, as the published program's BERT path does.
  public var normalizesOutputs: Bool

  /// Makes a configuration.
  public init(
    vision: any ImageTowerConfig, pooling: ImagePooling, classNames: [String], outputCount: Int? = nil,
    normalizesOutputs: Bool = false
  ) {
    self.vision = vision
    self.pooling = pooling
    self.classNames = classNames
    self.outputCount = outputCount ?? classNames.count
    self.normalizesOutputs = normalizesOutputs
  }

  private enum CodingKeys: String, CodingKey {
    case vision, pooling, classNames, outputCount, normalizesOutputs
  }

  /// Reads a configuration.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      vision: try values.decode(ImageTowerFile.self, forKey: .vision).config,
      pooling: try values.decode(ImagePooling.self, forKey: .pooling),
      classNames: try values.decode([String].self, forKey: .classNames),
      outputCount: try values.decode(Int.self, forKey: .outputCount),
      normalizesOutputs: try values.decode(Bool.self, forKey: .normalizesOutputs))
  }

  /// Writes the configuration.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(ImageTowerFile(vision), forKey: .vision)
    try values.encode(pooling, forKey: .pooling)
    try values.encode(classNames, forKey: .classNames)
    try values.encode(outputCount, forKey: .outputCount)
    try values.encode(normalizesOutputs, forKey: .normalizesOutputs)
  }

  /// What makes these numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    if let wrong = impossibleSize([("number of outputs", outputCount)]) ?? vision.contradiction {
      return wrong
    }
    if classNames.isEmpty { return "no classes" }
    if outputCount < classNames.count { return "\(outputCount) outputs for \(classNames.count) classes" }
    if pooling == .mean && !vision.hasTokens {
      return "mean pooling of an image tower without tokens; leave --pool_feat out"
    }
    return nil
  }
}
