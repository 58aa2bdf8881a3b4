import CleftFormats
import CleftNN
import CleftTensor

/// Settings of prefix tuning without projection (P-tuning v2): trained keys and values in front of every layer's own.
///
/// - Source: Li and Liang 2021, arXiv 2101.00190; Liu et al. 2021, arXiv 2110.07602. Matches PEFT `PrefixEncoder`.
public struct PrefixTuningConfig: AdapterConfig, Equatable {
  /// Number of virtual positions; real tokens are numbered behind them.
  public var virtualTokenCount: Int

  enum CodingKeys: String, CodingKey { case virtualTokenCount = "num_virtual_tokens" }

  /// Makes settings.
  public init(virtualTokenCount: Int = 20) { self.virtualTokenCount = virtualTokenCount }

  /// `prompt_encoder.`.
  public var parameterMark: String { "prompt_encoder." }

  /// Gives the tower a table of keys and values and freezes the rest.
  public func apply(to root: any Module, defaults: AdapterTargets) throws(AdapterError) -> [String] {
    guard let host = root as? any PrefixHost else {
      throw .badSetting(
        Problem("--peft prefix", found: "a tower without room for a prefix", expected: "a text tower"))
    }
    guard virtualTokenCount > 0 else {
      throw .badSetting(Problem("num_virtual_tokens", found: "\(virtualTokenCount)", expected: "at least 1"))
    }
    host.setTrainable(false)
    host.prefixTable = Embedding(virtualTokenCount, host.prefixWidth, .normal(deviation: 1))
    return ["prompt_encoder.default.embedding"]
  }
}
