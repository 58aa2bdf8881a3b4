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
public final class GPTEncoder: VirtualTokenHost, PrefixHost {
  @Child("transformer") var transformer: GPTTransformer
  /// The vectors in front of every caption, nil for none.
  @Child("prompt_encoder.default.embedding") public var virtualTokens: Embedding?
  /// Keys and values in front of every layer's own, nil for none.
  ///
  /// Row `p` holds, for each layer, the key and then the value of virtual position `p`, `C` numbers each.
  @Child("prompt_encoder.default.embedding") public var prefixTable: Embedding?
  /// Sizes and numerics.
  public let config: GPTConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false

  /// Where adapters go unless told otherwise, as PEFT does for GPT-2 and the published program for IA3.
  public static let adapterTargets = AdapterTargets(attention: ["c_attn"], feedForward: ["mlp.c_proj"])

  /// Makes a tower; the values come later.
  public init(_ config: GPTConfig) {
    self.config = config
    _transformer.wrappedValue = GPTTransformer(config)
    _virtualTokens.wrappedValue = nil
    _prefixTable.wrappedValue = nil
  }

  /// Columns of a prefix table.
  public var prefixWidth: Int { 2 * config.depth * config.hiddenSize }

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
    // A frozen tower keeps nothing for backward, so there is nothing to compute again.
    let recomputes =
      recomputesBlocks && (x.isTracked || parameters.contains { $0.cell.isTrainable })
    for (index, block) in transformer.blocks.enumerated() {
      let inner = context.split("block", index)
      let run: (Tensor) -> Tensor = { [self] in block($0, batch.layout, prefix(ofBlock: index), inner) }
      x = recomputes ? recompute(x, run) : run(x)
      context.taps?.record("text_block\(index)_out", x)
    }
    if let taps = context.taps { taps.record("text_hidden", transformer.norm(x, context)) }
    return transformer.norm(gatherRows(x, batch.pooledRows), context)
  }

  private func prefix(ofBlock index: Int) -> AttentionPrefix? {
    prefixTable.map {
      AttentionPrefix(
        table: $0.weight, keyColumn: 2 * index * config.hiddenSize,
        valueColumn: (2 * index + 1) * config.hiddenSize)
    }
  }
}
