import CleftFormats
import CleftNN
import CleftTensor

/// Settings of prefix tuning (P-tuning v2 without projection): trained keys and values in front of every layer's own.
///
/// - Source: Li and Liang 2021, arXiv 2101.00190; Liu et al. 2021, arXiv 2110.07602. Matches PEFT `PrefixEncoder`.
public struct PrefixTuningConfig: AdapterConfig, Equatable {
  /// `PREFIX_TUNING`.
  public static let peftType = "PREFIX_TUNING"

  /// Number of virtual positions; real tokens are numbered behind them.
  public var virtualTokenCount: Int
  /// Whether the table is computed from narrower vectors by two layers while it is trained.
  public var isProjected: Bool
  /// Channels between those layers; nil takes the tower's.
  public var projectionSize: Int?

  enum CodingKeys: String, CodingKey {
    case virtualTokenCount = "num_virtual_tokens"
    case isProjected = "prefix_projection"
    case projectionSize = "encoder_hidden_size"
  }

  /// Makes settings.
  public init(virtualTokenCount: Int = 20, isProjected: Bool = false, projectionSize: Int? = nil) {
    self.virtualTokenCount = virtualTokenCount
    self.isProjected = isProjected
    self.projectionSize = projectionSize
  }

  /// Reads settings.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    virtualTokenCount = try values.decode(Int.self, forKey: .virtualTokenCount)
    isProjected = try values.decodeIfPresent(Bool.self, forKey: .isProjected) ?? false
    projectionSize = try values.decodeIfPresent(Int.self, forKey: .projectionSize)
  }

  /// `prefix_encoder.`; PEFT's own name for it is that of prompt vectors, which may stand in front of a prefix.
  public var parameterMark: String { "prefix_encoder." }

  /// Gives the tower a table of keys and values and freezes the rest.
  public func apply(to root: any Module, _ place: AdapterPlace) throws(AdapterError) -> [String] {
    guard let host = root as? any PrefixHost else {
      throw .badSetting(
        Problem("--peft prefix", found: "a tower without room for a prefix", expected: "a text tower"))
    }
    guard (1...100_000).contains(virtualTokenCount) else {
      throw .badSetting(
        Problem("num_virtual_tokens", found: "\(virtualTokenCount)", expected: "1 ... 100000"))
    }
    host.setTrainable(false)
    host.prefix = PrefixEncoder(
      virtualTokenCount, width: host.prefixWidth, hiddenSize: host.hiddenSize,
      projectionSize: isProjected ? projectionSize ?? host.hiddenSize : nil)
    return ["prefix_encoder.default"]
  }
}
