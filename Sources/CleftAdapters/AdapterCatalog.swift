import CleftFormats
import CleftNN

/// Every adapter method by its `--peft` name.
///
/// One line here gives a method its flag, its help and its test battery.
public enum AdapterCatalog {
  /// One method.
  public struct Entry: Sendable {
    /// Value of `--peft`.
    public let name: String
    /// One line for `--help`.
    public let summary: String
    /// Whether the adapted model starts with the outputs of the plain one.
    public let isNeutralAtStart: Bool
    /// Settings with the published defaults.
    public let defaultConfig: any AdapterConfig
    /// `peft_type` in `adapter_config.json`.
    public let peftType: String
    /// Reads settings.
    let decode: @Sendable (any Decoder) throws -> any AdapterConfig
  }

  /// All methods.
  public static let all: [Entry] = [
    entry("lora", "low-rank corrections of linear layers (rank 8, alpha 32, dropout 0.1)", LoRAConfig()),
    entry(
      "dora", "LoRA with the length of each output's weights trained apart", LoRAConfig(usesDoRA: true)),
    entry(
      "pissa", "LoRA that starts from the largest singular values of the weights",
      LoRAConfig(alpha: 8, dropout: 0, start: .pissa(iterations: nil))),
    entry(
      "adalora", "LoRA whose rank goes where it matters (12 to 8)", AdaLoRAConfig(), isNeutralAtStart: false),
    entry("ia3", "a factor for each attention output and feed-forward input", IA3Config()),
    entry(
      "prefix", "20 trained keys and values in front of every layer's own", PrefixTuningConfig(),
      isNeutralAtStart: false),
  ]

  /// The method of a name.
  ///
  /// - Parameter option: where the name was given.
  public static func named(_ name: String, option: String = "--peft") throws(AdapterError) -> Entry {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    throw .badSetting(
      Problem(option, found: "'\(name)'", expected: "one of \(all.map(\.name).joined(separator: ", "))"))
  }

  private static func entry<Config: AdapterConfig>(
    _ name: String, _ summary: String, _ config: Config, isNeutralAtStart: Bool = true
  ) -> Entry {
    Entry(
      name: name, summary: summary, isNeutralAtStart: isNeutralAtStart, defaultConfig: config,
      peftType: Config.peftType, decode: { try Config(from: $0) })
  }
}

/// A method with its settings, as a checkpoint stores it.
public struct AdapterDescription: Codable, Sendable {
  /// Name in the catalogue.
  public var method: String
  /// Settings.
  public var config: any AdapterConfig

  private enum CodingKeys: String, CodingKey { case method, config }

  /// Makes a description; nil settings take the published ones.
  public init(method: String, config: (any AdapterConfig)? = nil) throws(AdapterError) {
    self.method = method
    let entry = try AdapterCatalog.named(method)
    self.config = config ?? entry.defaultConfig
  }

  /// Reads a description.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    method = try values.decode(String.self, forKey: .method)
    config = try AdapterCatalog.named(method).decode(try values.superDecoder(forKey: .config))
  }

  /// Writes a description.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(method, forKey: .method)
    try config.encode(to: values.superEncoder(forKey: .config))
  }
}
