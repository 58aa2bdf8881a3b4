import CleftNN
import CleftTensor

/// Causal self-attention of GPT-2, added to `sum` where given.
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

  func callAsFunction(
    _ x: Tensor, _ input: TextBlockInput, adding sum: LinearSum?, _ context: ForwardContext
  ) -> Tensor {
    var options = options
    options.dropout = context.isTraining ? options.dropout : 0
    options.key = context.key.split("attention")
    let attended = attention(qkv(x, context.split("c_attn")), input.layout, options, prefix: input.prefix)
    let inner = context.split("c_proj")
    return sum.map { output(attended, adding: $0, inner) } ?? output(attended, inner)
  }
}

/// Two linear layers with tanh GELU between, added to `sum` where given.
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

  func callAsFunction(_ x: Tensor, adding sum: LinearSum?, _ context: ForwardContext) -> Tensor {
    let hidden = gelu(first(x, context.split("c_fc")), .tanh)
    let inner = context.split("c_proj")
    return sum.map { second(hidden, adding: $0, inner) } ?? second(hidden, inner)
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
    var context = context
    context.halvesResults = Runtime.savesHalf
    let y = joined(x, "attn residual", context) { sum in
      attention(norm1(x, context), input, adding: sum, context.split("attn"))
    }
    return joined(y, "mlp residual", context) { sum in
      mlp(norm2(y, context), adding: sum, context.split("mlp"))
    }
  }

  /// `x` plus a branch, which takes the sum over itself where nothing is dropped.
  private func joined(
    _ x: Tensor, _ label: StaticString, _ context: ForwardContext, _ branch: (LinearSum?) -> Tensor
  ) -> Tensor {
    guard context.isTraining, dropout > 0 else { return branch(LinearSum(x)) }
    return context.dropout(branch(nil), dropout, label, adding: x)
  }
}

/// GPT-2 shrinks the start values of layers that write to the residual stream.
private func residualDeviation(_ config: GPTConfig) -> Float {
  config.initializerRange / Float(2 * config.depth).squareRoot()
}
