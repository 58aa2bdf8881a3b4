import CleftNN
import CleftTensor

/// What stands for an image.
public enum ImagePooling: String, Codable, Sendable, CaseIterable {
  /// Mean of all tokens (`--pool_feat`); before the final norm in DINOv2.
  case mean
  /// The tower's own vector: DINOv2's class token after the final norm.
  case cls
}

/// A backbone that turns images into one vector each.
///
/// A new architecture is a config and a tower in one folder, and one line in `ImageTowerCatalog`.
public protocol ImageTower: Module {
  /// Channels of an image's vector.
  var hiddenSize: Int { get }
  /// Whether blocks keep only their inputs and are computed again in backward.
  var recomputesBlocks: Bool { get set }
  /// Where adapters go unless told otherwise.
  var adapterTargets: AdapterTargets { get }
  /// One vector for each image: `[B, 3, H, W]` → `[B, C]`.
  func feature(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> Tensor
  /// Keys of parameters that take no part in the feature.
  func idleKeys(pooling: ImagePooling) -> [String]
  /// The same pass with what lies behind the vectors; nil for towers without a token for each place.
  func inspect(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> TokenInspection?
}

extension ImageTower {
  /// None.
  public func idleKeys(pooling: ImagePooling) -> [String] { [] }
  /// Nil.
  public func inspect(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> TokenInspection?
  {
    nil
  }
}

/// Sizes and names of an image tower.
public protocol ImageTowerConfig: Codable, Sendable {
  /// Name of the architecture in `model.json`.
  static var kind: String { get }
  /// Channels of an image's vector.
  var hiddenSize: Int { get }
  /// Side of the images the tower is used with, in pixels.
  var imageSizePixels: Int { get set }
  /// Whether the tower has tokens to take the mean of.
  var hasTokens: Bool { get }
  /// Whether the published program gives the tower a local head, which it never uses.
  var hasLocalHead: Bool { get }
  /// What makes the numbers impossible together, nil if nothing does.
  var contradiction: String? { get }
  /// Keys of published files that the tower has no use for, by their beginnings, and why.
  static var ignoredKeys: [(prefix: String, reason: String)] { get }
  /// Makes the tower; the values come later.
  func makeTower() -> any ImageTower
}

extension ImageTowerConfig {
  /// None.
  public var hasLocalHead: Bool { false }
  /// None.
  public static var ignoredKeys: [(prefix: String, reason: String)] { [] }
}

/// Every image architecture.
///
/// One line here gives it its place in `model.json` and in all batteries.
public enum ImageTowerCatalog {
  /// One architecture.
  public struct Entry: Sendable {
    /// Its configuration's type.
    public let type: any ImageTowerConfig.Type
    let decode: @Sendable (any Decoder) throws -> any ImageTowerConfig
  }

  /// All architectures; the first one is meant by files that name none.
  public static let all = [
    entry(VisionTransformerConfig.self), entry(ResNetConfig.self), entry(SwinConfig.self),
    entry(MaskedAutoencoderConfig.self),
  ]

  private static func entry<Config: ImageTowerConfig>(_ type: Config.Type) -> Entry {
    Entry(type: type, decode: { try Config(from: $0) })
  }

  private enum Key: String, CodingKey { case kind }

  /// Reads a configuration.
  public static func decode(from decoder: any Decoder) throws -> any ImageTowerConfig {
    let values = try decoder.container(keyedBy: Key.self)
    let name = try values.decodeIfPresent(String.self, forKey: .kind) ?? VisionTransformerConfig.kind
    guard let entry = all.first(where: { $0.type.kind == name }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .kind, in: values,
        debugDescription: "kind '\(name)'; expected \(all.map { $0.type.kind }.joined(separator: ", "))")
    }
    return try entry.decode(decoder)
  }

  /// Writes a configuration with its kind.
  public static func encode(_ config: any ImageTowerConfig, to encoder: any Encoder) throws {
    try config.encode(to: encoder)
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(type(of: config).kind, forKey: .kind)
  }
}

/// An image tower's configuration as a value that can be read and written by itself.
public struct ImageTowerFile: Codable, Sendable {
  /// The configuration.
  public var config: any ImageTowerConfig

  /// Wraps a configuration.
  public init(_ config: any ImageTowerConfig) { self.config = config }

  /// Reads a configuration of any architecture.
  public init(from decoder: any Decoder) throws { config = try ImageTowerCatalog.decode(from: decoder) }

  /// Writes the configuration.
  public func encode(to encoder: any Encoder) throws { try ImageTowerCatalog.encode(config, to: encoder) }
}
