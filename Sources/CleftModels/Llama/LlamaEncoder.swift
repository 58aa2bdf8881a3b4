import CleftNN
import CleftTensor

/// Embeddings, blocks and final norm of LLaMA.
public final class LlamaTransformer: Module {
  @Child("embed_tokens") var tokens: Embedding
  @Children("layers") var blocks: [LlamaBlock]
  @Child("norm") var norm: RMSNorm

  init(_ config: LlamaConfig) {
    _tokens.wrappedValue = Embedding(
      config.vocabularySize, config.hiddenSize, .normal(deviation: config.initializerRange))
    _blocks.wrappedValue = (0..<config.depth).map { _ in LlamaBlock(config) }
    _norm.wrappedValue = RMSNorm(config.hiddenSize, epsilon: config.normEpsilon)
  }
}

/// A LLaMA that turns packed captions into one vector each, its language-model head left out.
///
/// - Source: Touvron et al. 2023, arXiv 2302.13971. Hidden states equal Hugging Face's `LlamaModel`.
public final class LlamaEncoder: TextTower {
  @Child("model") var transformer: LlamaTransformer
  /// The vectors in front of every caption, nil for none.
  @Child("prompt_encoder.default.embedding") public var virtualTokens: Embedding?
  /// Keys and values in front of every layer's own, nil for none; prefix keys are not rotated.
  @Child("prefix_encoder.default") public var prefix: PrefixEncoder?
  /// Sizes and numerics.
  public let config: LlamaConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false
  /// Whether that cuts blocks with a frozen input off the tape, as published.
  public var detachesUnderRecompute = false
  /// What the parts are called; adapters go where PEFT puts them.
  public let names = TextTowerNames(
    blocks: "model.layers", tokens: "model.embed_tokens",
    norms: ["input_layernorm", "post_attention_layernorm", "norm"],
    adapterTargets: AdapterTargets(
      lowRank: ["q_proj", "v_proj"], scaled: ["k_proj", "v_proj", "down_proj"], feedForward: ["down_proj"]))

  /// Makes a tower; the values come later.
  public init(_ config: LlamaConfig) {
    self.config = config
    _transformer.wrappedValue = LlamaTransformer(config)
    _virtualTokens.wrappedValue = nil
    _prefix.wrappedValue = nil
  }

  /// Channels of a caption's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// Columns of a prefix table.
  public var prefixWidth: Int { 2 * config.depth * config.keyWidth }

  /// The token embeddings `[V, C]`.
  public var tokenTable: Tensor { transformer.tokens.weight }

  /// The hidden state that stands for each caption, after the final norm.
  ///
  /// - Shapes: `[B, C]`.
  public func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    let embedded = embed(
      batch.rows, tokens: transformer.tokens.table, positions: nil, virtual: virtualTokens?.weight)
    let x = run(transformer.blocks, on: embedded, batch, keyWidth: config.keyWidth, context)
    if let taps = context.taps { taps.record("text_hidden", transformer.norm(x, context)) }
    return transformer.norm(gatherRows(x, batch.pooledRows), context)
  }
}
