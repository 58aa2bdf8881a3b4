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
public final class GPTEncoder: VirtualTokenHost {
  @Child("transformer") var transformer: GPTTransformer
  /// The vectors in front of every caption, nil for none.
  @Child("prompt_encoder.default.embedding") public var virtualTokens: Embedding?
  /// Sizes and numerics.
  public let config: GPTConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false

  /// Where adapters go unless told otherwise: the fused query, key, value layer, as PEFT does for GPT-2.
  public static let defaultAdapterTargets = ["c_attn"]

  /// Makes a tower; the values come later.
  public init(_ config: GPTConfig) {
    self.config = config
    _transformer.wrappedValue = GPTTransformer(config)
    _virtualTokens.wrappedValue = nil
  }

  /// The token embeddings `[V, C]`.
  public var tokenTable: Tensor { transformer.tokens.weight }

  /// The hidden state that stands for each caption, after the final norm.
  ///
  /// - Shapes: `[B, C]`.
  public func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    var x = embed(
      batch.rows, tokens: transformer.tokens.weight, positions: transformer.positions.weight,
      virtual: virtualTokens?.weight)
    x = context.dropout(x, config.dropout, "embedding")
    for (index, block) in transformer.blocks.enumerated() {
      let inner = context.split("block", index)
      x = recomputesBlocks ? recompute(x) { block($0, batch.layout, inner) } : block(x, batch.layout, inner)
      context.taps?.record("text_block\(index)_out", x)
    }
    if let taps = context.taps { taps.record("text_hidden", transformer.norm(x, context)) }
    return transformer.norm(gatherRows(x, batch.pooledRows), context)
  }
}
