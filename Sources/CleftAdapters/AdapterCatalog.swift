import CleftNN
import Foundation

/// Every adapter method by its `--peft` name. One line here gives a method its flag, its help and its test battery.
public enum AdapterCatalog {
  /// One method.
  public struct Entry: Sendable {
    /// Value of `--peft`.
    public let name: String
    /// One line for `--help`.
    public let summary: String
    /// Settings with the published defaults.
    public let makeConfig: @Sendable () -> any AdapterConfig
    /// Reads settings from their JSON.
    public let decode: @Sendable (Data) throws -> any AdapterConfig
  }

  /// All methods.
  public static let all: [Entry] = [
    entry("lora", "low-rank corrections of linear layers (rank 8, alpha 32, dropout 0.1)", LoRAConfig())
  ]

  /// The method of a name.
  public static func named(_ name: String) -> Entry? { all.first { $0.name == name } }

  private static func entry<Config: AdapterConfig>(_ name: String, _ summary: String, _ config: Config) -> Entry {
    Entry(
      name: name, summary: summary, makeConfig: { config },
      decode: { try JSONDecoder().decode(Config.self, from: $0) })
  }
}
