import CleftNN
import CleftTensor

/// Tables and first norm of BERT.
public final class BertEmbeddings: Module {
  @Child("word_embeddings") var tokens: Embedding
  @Child("position_embeddings") var positions: Embedding
  @Child("token_type_embeddings") var segments: Embedding?
  @Child("LayerNorm") var norm: LayerNorm

  init(_ config: BertConfig) {
    let start = Initializer.normal(deviation: config.initializerRange)
    _tokens.wrappedValue = Embedding(config.vocabularySize, config.hiddenSize, start)
    _positions.wrappedValue = Embedding(config.positionCount, config.hiddenSize, start)
    _segments.wrappedValue =
      config.segmentCount > 0 ? Embedding(config.segmentCount, config.hiddenSize, start) : nil
    _norm.wrappedValue = LayerNorm(config.hiddenSize, epsilon: config.layerNormEpsilon)
  }
}

/// The blocks of BERT.
public final class BertStack: Module {
  @Children("layer") var blocks: [BertBlock]

  init(_ config: BertConfig) { _blocks.wrappedValue = (0..<config.depth).map { _ in BertBlock(config) } }
}

/// A BERT that turns packed captions into the vector of their first token, [CLS]; no pooler.
///
/// - Source: Devlin et al. 2018, arXiv 1810.04805. Hidden states equal Hugging Face's `BertModel`.
public final class BertEncoder: TextTower {
  @Child("embeddings") var embeddings: BertEmbeddings
  @Child("encoder") var stack: BertStack
  /// The vectors in front of every caption, nil for none.
  @Child("prompt_encoder.default.embedding") public var virtualTokens: Embedding?
  /// Keys and values in front of every layer's own, nil for none.
  @Child("prefix_encoder.default") public var prefix: PrefixEncoder?
  /// Sizes and numerics.
  public let config: BertConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false
  /// Whether that cuts blocks with a frozen input off the tape, as published.
  public var detachesUnderRecompute = false
  /// What the parts are called; adapters go where PEFT puts them.
  public let names = TextTowerNames(
    blocks: "encoder.layer", tokens: "embeddings.word_embeddings", norms: ["LayerNorm"],
    adapterTargets: AdapterTargets(
      lowRank: ["query", "value"], scaled: ["key", "value", "output.dense"], feedForward: ["output.dense"]))

  /// Makes a tower; the values come later.
  public init(_ config: BertConfig) {
    self.config = config
    _embeddings.wrappedValue = BertEmbeddings(config)
    _stack.wrappedValue = BertStack(config)
    _virtualTokens.wrappedValue = nil
    _prefix.wrappedValue = nil
  }

  /// Channels of a caption's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// Columns of a prefix table.
  public var prefixWidth: Int { 2 * config.depth * config.hiddenSize }

  /// The token embeddings `[V, C]`.
  public var tokenTable: Tensor { embeddings.tokens.weight }

  /// The hidden state that stands for each caption.
  ///
  /// - Shapes: `[B, C]`.
  public func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    var rows = batch.rows
    if config.readsAllAtPositionZero { for row in rows.indices { rows[row].position = 0 } }
    var x = embed(
      rows, tokens: embeddings.tokens.table, positions: embeddings.positions.weight,
      virtual: virtualTokens?.weight)
    // A caption is one text: every token belongs to the first segment.
    if let segments = embeddings.segments {
      x = addRow(x, gatherRows(segments.weight, [0]))
    }
    x = context.dropout(embeddings.norm(x, context), config.dropout, "embedding")
    x = run(stack.blocks, on: x, batch, keyWidth: config.hiddenSize, context)
    context.taps?.record("text_hidden", x)
    return gatherRows(x, batch.pooledRows)
  }
}
