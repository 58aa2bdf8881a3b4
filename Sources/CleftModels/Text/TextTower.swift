import CleftNN
import CleftTensor

/// A language model, its head left out, that turns packed captions into one vector each.
///
/// A new architecture is a config and a tower in one folder, and one line in `TextTowerCatalog`.
public protocol TextTower: VirtualTokenHost, PrefixHost {
  /// Channels of a caption's vector.
  var hiddenSize: Int { get }
  /// Whether blocks keep only their inputs and are computed again in backward.
  var recomputesBlocks: Bool { get set }
  /// Whether computing blocks again cuts them off the tape where their input is frozen, as published: what is trained
  /// inside them then gets no gradient.
  var detachesUnderRecompute: Bool { get set }
  /// What the parts are called.
  var names: TextTowerNames { get }
  /// The hidden state that stands for each caption, after the final norm: `[B, C]`.
  func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor
}

/// Names of a text tower's parts, upstream's own.
public struct TextTowerNames: Sendable {
  /// Path of the list of blocks, for example `transformer.h`.
  public var blocks: String
  /// Path of the token table, for example `transformer.wte`.
  public var tokens: String
  /// Last parts of the paths of norms.
  public var norms: [String]
  /// Where adapters go unless told otherwise.
  public var adapterTargets: AdapterTargets

  /// Whether a parameter belongs to a norm.
  public func isNorm(_ path: String) -> Bool {
    let module = path.split(separator: ".").dropLast().last.map(String.init) ?? ""
    return norms.contains(module)
  }

  /// Number of the block that a parameter belongs to, nil for one outside the blocks.
  public func block(of path: String) -> Int? {
    guard path.hasPrefix(blocks + ".") else { return nil }
    return path.dropFirst(blocks.count + 1).split(separator: ".").first.flatMap { Int($0) }
  }
}

/// Sizes and numerics of a text tower; coding keys are those of Hugging Face's `config.json`.
public protocol TextTowerConfig: Codable, Sendable {
  /// `model_type` in `config.json`.
  static var modelType: String { get }
  /// Number of token ids.
  var vocabularySize: Int { get }
  /// Number of positions.
  var positionCount: Int { get }
  /// Channels of a token.
  var hiddenSize: Int { get }
  /// Number of blocks.
  var depth: Int { get set }
  /// Number of heads.
  var headCount: Int { get }
  /// Number of heads of keys.
  var keyValueHeadCount: Int { get }
  /// Id of the slots behind a caption.
  var paddingID: Int { get set }
  /// Dropout in training.
  var dropout: Float { get set }
  /// Whether a token sees no later token.
  var isCausal: Bool { get }
  /// What makes the numbers impossible together, nil if nothing does.
  var contradiction: String? { get }
  /// Makes the tower; the values come later.
  func makeTower() -> any TextTower
}

extension TextTowerConfig {
  /// As many as heads.
  public var keyValueHeadCount: Int { headCount }
}

/// Every text architecture.
///
/// One line here gives it its place in `config.json`, `model.json` and all batteries.
public enum TextTowerCatalog {
  /// One architecture.
  public struct Entry: Sendable {
    /// Its configuration's type.
    public let type: any TextTowerConfig.Type
    let decode: @Sendable (any Decoder) throws -> any TextTowerConfig
  }

  /// All architectures; the first one is meant by files that name none.
  public static let all = [entry(GPTConfig.self), entry(LlamaConfig.self), entry(BertConfig.self)]

  private static func entry<Config: TextTowerConfig>(_ type: Config.Type) -> Entry {
    Entry(type: type, decode: { try Config(from: $0) })
  }

  private enum Key: String, CodingKey { case modelType = "model_type" }

  /// Reads a `config.json`, or the same object within another file.
  public static func decode(from decoder: any Decoder) throws -> any TextTowerConfig {
    let values = try decoder.container(keyedBy: Key.self)
    let name = try values.decodeIfPresent(String.self, forKey: .modelType) ?? GPTConfig.modelType
    guard let entry = all.first(where: { $0.type.modelType == name }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .modelType, in: values,
        debugDescription:
          "model_type '\(name)'; expected \(all.map { $0.type.modelType }.joined(separator: ", "))")
    }
    return try entry.decode(decoder)
  }

  /// Writes a configuration with its `model_type`.
  public static func encode(_ config: any TextTowerConfig, to encoder: any Encoder) throws {
    try config.encode(to: encoder)
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(type(of: config).modelType, forKey: .modelType)
  }
}

/// A text tower's configuration as a value that can be read and written by itself.
public struct TextTowerFile: Codable, Sendable {
  /// The configuration.
  public var config: any TextTowerConfig

  /// Wraps a configuration.
  public init(_ config: any TextTowerConfig) { self.config = config }

  /// Reads a configuration of any architecture.
  public init(from decoder: any Decoder) throws { config = try TextTowerCatalog.decode(from: decoder) }

  /// Writes the configuration.
  public func encode(to encoder: any Encoder) throws { try TextTowerCatalog.encode(config, to: encoder) }
}

/// What every block of a text tower is given besides its input.
struct TextBlockInput {
  let layout: SequenceLayout
  /// Position of each row.
  let positions: [Int]
  let prefix: AttentionPrefix?
}

/// One block of a text tower.
protocol TextBlock: Module {
  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor
}

extension TextTower {
  /// Runs the blocks one after another, computing them again in backward where asked to.
  func run(
    _ blocks: [any TextBlock], on x: Tensor, _ batch: TextBatch, keyWidth: Int, _ context: ForwardContext
  ) -> Tensor {
    // Prefix tuning has no published behavior here: the published program crashes.
    if recomputesBlocks && detachesUnderRecompute && context.isTraining && !x.isTracked && prefix == nil {
      return withoutGradients { pass(blocks, on: x, batch, keyWidth: keyWidth, context) }
    }
    return pass(blocks, on: x, batch, keyWidth: keyWidth, context)
  }

  private func pass(
    _ blocks: [any TextBlock], on x: Tensor, _ batch: TextBatch, keyWidth: Int, _ context: ForwardContext
  ) -> Tensor {
    // A frozen tower keeps nothing for backward, so there is nothing to compute again.
    let recomputes = recomputesBlocks && (x.isTracked || parameters.contains { $0.cell.isTrainable })
    let positions = batch.rows.map(\.position)
    // A projected prefix is one computation for all blocks.
    let table = prefix?.table(context.split("prefix"))
    var x = x
    for (index, block) in blocks.enumerated() {
      let inner = context.split("block", index)
      let run: ([Tensor]) -> Tensor = { inputs in
        let columns = inputs.dropFirst().first.map {
          AttentionPrefix(table: $0, keyColumn: 2 * index * keyWidth, valueColumn: (2 * index + 1) * keyWidth)
        }
        let input = TextBlockInput(layout: batch.layout, positions: positions, prefix: columns)
        return block(inputs[0], input, inner)
      }
      let inputs = [x] + (table.map { [$0] } ?? [])
      x = recomputes ? recompute(inputs, run) : run(inputs)
      context.taps?.record("text_block\(index)_out", x)
    }
    return x
  }
}
