import CleftNN
import CleftTensor

/// Embeddings, blocks and final norm of GPT-2.
public final class GPTTransformer: Module {
  @Child("wte") var tokens: Embedding
  @Child("wpe") var positions: Embedding
  @Children("h") var blocks: [GPTBlock]
  @Child("ln_f") var norm: LayerNorm

  init(_ config: GPTConfig) {
    _tokens.wrappedValue = Embedding(
      config.vocabularySize, config.hiddenSize, .normal(deviation: config.initializerRange))
    _positions.wrappedValue = Embedding(
      config.positionCount, config.hiddenSize, .normal(deviation: config.initializerRange))
    _blocks.wrappedValue = (0..<config.depth).map { GPTBlock(config, layer: $0) }
    _norm.wrappedValue = LayerNorm(config.hiddenSize, epsilon: config.layerNormEpsilon)
  }
}

/// A GPT-2 that turns packed captions into one vector each, its language-model head left out.
///
/// - Source: Radford et al. 2019 (GPT-2). Hidden states equal Hugging Face's `GPT2Model`.
public final class GPTEncoder: TextTower {
  @Child("transformer") var transformer: GPTTransformer
  /// The vectors in front of every caption, nil for none.
  @Child("prompt_encoder.default.embedding") public var virtualTokens: Embedding?
  /// Keys and values in front of every layer's own, nil for none.
  @Child("prefix_encoder.default") public var prefix: PrefixEncoder?
  /// Sizes and numerics.
  public let config: GPTConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false
  /// Whether that cuts blocks with a frozen input off the tape, as published.
  public var detachesUnderRecompute = false
  /// What the parts are called; adapters go where PEFT puts them, IA3 also where the published program does.
  public let names = TextTowerNames(
    blocks: "transformer.h", tokens: "transformer.wte", norms: ["ln_1", "ln_2", "ln_f"],
    adapterTargets: AdapterTargets(
      lowRank: ["c_attn"], scaled: ["c_attn", "mlp.c_proj"], feedForward: ["mlp.c_proj"]))

  /// Makes a tower; the values come later.
  public init(_ config: GPTConfig) {
    self.config = config
    _transformer.wrappedValue = GPTTransformer(config)
    _virtualTokens.wrappedValue = nil
    _prefix.wrappedValue = nil
  }

  /// Channels of a caption's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// Columns of a prefix table.
  public var prefixWidth: Int { 2 * config.depth * config.hiddenSize }

  /// The token embeddings `[V, C]`.
  public var tokenTable: Tensor { transformer.tokens.weight }

  /// The hidden state that stands for each caption, after the final norm.
  ///
  /// - Shapes: `[B, C]`.
  public func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    let embedded = embed(
      batch.rows, tokens: transformer.tokens.table, positions: transformer.positions.weight,
      virtual: virtualTokens?.weight)
    let x = run(
      transformer.blocks, on: context.dropout(embedded, config.dropout, "embedding"), batch,
      keyWidth: config.hiddenSize, context)
    if let taps = context.taps { taps.record("text_hidden", transformer.norm(x, context)) }
    return transformer.norm(gatherRows(x, batch.pooledRows), context)
  }
}
