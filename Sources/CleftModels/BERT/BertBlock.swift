import CleftNN
import CleftTensor

/// Queries, keys and values of BERT.
public final class BertSelfAttention: Module {
  @Child("query") var query: any UnaryLayer
  @Child("key") var key: any UnaryLayer
  @Child("value") var value: any UnaryLayer

  init(_ config: BertConfig) {
    let (width, start) = (config.hiddenSize, Initializer.normal(deviation: config.initializerRange))
    _query.wrappedValue = Linear(width, width, initializer: start)
    _key.wrappedValue = Linear(width, width, initializer: start)
    _value.wrappedValue = Linear(width, width, initializer: start)
  }
}

/// A linear layer whose output joins the residual stream, and the norm behind it.
public final class BertOutput: Module {
  @Child("dense") var dense: any UnaryLayer
  @Child("LayerNorm") var norm: LayerNorm
  let dropout: Float

  init(_ inputSize: Int, _ config: BertConfig) {
    _dense.wrappedValue = Linear(
      inputSize, config.hiddenSize, initializer: .normal(deviation: config.initializerRange))
    _norm.wrappedValue = LayerNorm(config.hiddenSize, epsilon: config.layerNormEpsilon)
    dropout = config.dropout
  }

  func callAsFunction(_ x: Tensor, adding residual: Tensor, _ context: ForwardContext) -> Tensor {
    norm(context.dropout(dense(x, context.split("dense")), dropout, "residual", adding: residual), context)
  }
}

/// Self-attention with its output part.
public final class BertAttention: Module {
  @Child("self") var inner: BertSelfAttention
  @Child("output") var output: BertOutput
  let options: AttentionOptions

  init(_ config: BertConfig) {
    _inner.wrappedValue = BertSelfAttention(config)
    _output.wrappedValue = BertOutput(config.hiddenSize, config)
    options = AttentionOptions(
      headCount: config.headCount, scale: 1 / Float(config.hiddenSize / config.headCount).squareRoot(),
      dropout: config.dropout)
  }

  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor {
    var options = options
    options.dropout = context.isTraining ? options.dropout : 0
    options.key = context.key.split("attention")
    let (query, key, value) = (inner.query, inner.key, inner.value)
    let attended = attention(
      query: query(x, context.split("query")), key: key(x, context.split("key")),
      value: value(x, context.split("value")), input.layout, options, prefix: input.prefix)
    return output(attended, adding: x, context.split("output"))
  }
}

/// The first feed-forward layer.
public final class BertIntermediate: Module {
  @Child("dense") var dense: any UnaryLayer

  init(_ config: BertConfig) {
    _dense.wrappedValue = Linear(
      config.hiddenSize, config.feedForwardSize, initializer: .normal(deviation: config.initializerRange))
  }
}

/// One post-norm block of BERT.
public final class BertBlock: TextBlock {
  @Child("attention") var attention: BertAttention
  @Child("intermediate") var intermediate: BertIntermediate
  @Child("output") var output: BertOutput

  init(_ config: BertConfig) {
    _attention.wrappedValue = BertAttention(config)
    _intermediate.wrappedValue = BertIntermediate(config)
    _output.wrappedValue = BertOutput(config.feedForwardSize, config)
  }

  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor {
    let attended = attention(x, input, context.split("attention"))
    let first = intermediate.dense
    let hidden = gelu(first(attended, context.split("intermediate")), .erf)
    return output(hidden, adding: attended, context.split("output"))
  }
}
