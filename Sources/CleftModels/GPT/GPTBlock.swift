import CleftNN
import CleftTensor

/// Causal self-attention of GPT-2.
///
/// - Shapes: packed `[rows, C]` → `[rows, C]`; weights stored `[in, out]`.
public final class GPTAttention: Module {
  @Child("c_attn") var qkv: any UnaryLayer
  @Child("c_proj") var output: any UnaryLayer
  let options: AttentionOptions

  init(_ config: GPTConfig, layer: Int) {
    let width = config.hiddenSize
    let start = Initializer.normal(deviation: config.initializerRange)
    _qkv.wrappedValue = Linear(width, 3 * width, layout: .inOut, initializer: start)
    _output.wrappedValue = Linear(
      width, width, layout: .inOut, initializer: .normal(deviation: residualDeviation(config)))
    let inverse = config.scalesAttentionByInverseLayerIndex ? 1 / Float(layer + 1) : 1
    options = AttentionOptions(
      headCount: config.headCount, scale: inverse / Float(width / config.headCount).squareRoot(),
      dropout: config.dropout)
  }

  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor {
    var options = options
    options.dropout = context.isTraining ? options.dropout : 0
    options.key = context.key.split("attention")
    return output(
      attention(qkv(x, context.split("c_attn")), input.layout, options, prefix: input.prefix),
      context.split("c_proj"))
  }
}

/// Two linear layers with tanh GELU between.
public final class GPTMLP: Module {
  @Child("c_fc") var first: any UnaryLayer
  @Child("c_proj") var second: any UnaryLayer

  init(_ config: GPTConfig) {
    let width = config.hiddenSize
    _first.wrappedValue = Linear(
      width, 4 * width, layout: .inOut, initializer: .normal(deviation: config.initializerRange))
    _second.wrappedValue = Linear(
      4 * width, width, layout: .inOut, initializer: .normal(deviation: residualDeviation(config)))
  }

  func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    second(gelu(first(x, context.split("c_fc")), .tanh), context.split("c_proj"))
  }
}

/// One pre-norm block of GPT-2.
public final class GPTBlock: TextBlock {
  @Child("ln_1") var norm1: LayerNorm
  @Child("attn") var attention: GPTAttention
  @Child("ln_2") var norm2: LayerNorm
  @Child("mlp") var mlp: GPTMLP
  let dropout: Float

  init(_ config: GPTConfig, layer: Int) {
    _norm1.wrappedValue = LayerNorm(config.hiddenSize, epsilon: config.layerNormEpsilon)
    _attention.wrappedValue = GPTAttention(config, layer: layer)
    _norm2.wrappedValue = LayerNorm(config.hiddenSize, epsilon: config.layerNormEpsilon)
    _mlp.wrappedValue = GPTMLP(config)
    dropout = config.dropout
  }

  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor {
    let attended = attention(norm1(x, context), input, context.split("attn"))
    let y = context.dropout(attended, dropout, "attn residual", adding: x)
    return context.dropout(mlp(norm2(y, context), context.split("mlp")), dropout, "mlp residual", adding: y)
  }
}

/// GPT-2 shrinks the start values of layers that write to the residual stream.
private func residualDeviation(_ config: GPTConfig) -> Float {
  config.initializerRange / Float(2 * config.depth).squareRoot()
}
