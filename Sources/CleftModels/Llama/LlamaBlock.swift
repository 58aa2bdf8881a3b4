import CleftNN
import CleftTensor

/// Causal self-attention of LLaMA: rotated queries and keys, shared heads of keys.
///
/// - Shapes: packed `[rows, C]` → `[rows, C]`; weights stored `[out, in]`, no biases.
public final class LlamaAttention: Module {
  @Child("q_proj") var query: any UnaryLayer
  @Child("k_proj") var key: any UnaryLayer
  @Child("v_proj") var value: any UnaryLayer
  @Child("o_proj") var output: any UnaryLayer
  let config: LlamaConfig

  init(_ config: LlamaConfig) {
    self.config = config
    let start = Initializer.normal(deviation: config.initializerRange)
    let (width, queryWidth) = (config.hiddenSize, config.headCount * config.headSize)
    _query.wrappedValue = Linear(width, queryWidth, bias: false, initializer: start)
    _key.wrappedValue = Linear(width, config.keyWidth, bias: false, initializer: start)
    _value.wrappedValue = Linear(width, config.keyWidth, bias: false, initializer: start)
    _output.wrappedValue = Linear(queryWidth, width, bias: false, initializer: start)
  }

  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor {
    let options = AttentionOptions(
      headCount: config.headCount, keyValueHeadCount: config.keyValueHeadCount,
      scale: 1 / Float(config.headSize).squareRoot(), dropout: context.isTraining ? config.dropout : 0,
      key: context.key.split("attention"))
    func rotated(_ x: Tensor) -> Tensor {
      rotary(x, positions: input.positions, headSize: config.headSize, base: config.rotaryBase)
    }
    let attended = attention(
      query: rotated(query(x, context.split("q_proj"))), key: rotated(key(x, context.split("k_proj"))),
      value: value(x, context.split("v_proj")), input.layout, options, prefix: input.prefix)
    return output(attended, context.split("o_proj"))
  }
}

/// `down(SiLU(gate(x)) ⊙ up(x))`.
public final class LlamaMLP: Module {
  @Child("gate_proj") var gate: any UnaryLayer
  @Child("up_proj") var up: any UnaryLayer
  @Child("down_proj") var down: any UnaryLayer

  init(_ config: LlamaConfig) {
    let start = Initializer.normal(deviation: config.initializerRange)
    let (width, inner) = (config.hiddenSize, config.feedForwardSize)
    _gate.wrappedValue = Linear(width, inner, bias: false, initializer: start)
    _up.wrappedValue = Linear(width, inner, bias: false, initializer: start)
    _down.wrappedValue = Linear(inner, width, bias: false, initializer: start)
  }

  func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    let gated = siluProduct(
      gate: gate(x, context.split("gate_proj")), up: up(x, context.split("up_proj")))
    return down(gated, context.split("down_proj"))
  }
}

/// One pre-norm block of LLaMA.
public final class LlamaBlock: TextBlock {
  @Child("self_attn") var attention: LlamaAttention
  @Child("mlp") var mlp: LlamaMLP
  @Child("input_layernorm") var norm1: RMSNorm
  @Child("post_attention_layernorm") var norm2: RMSNorm

  init(_ config: LlamaConfig) {
    _attention.wrappedValue = LlamaAttention(config)
    _mlp.wrappedValue = LlamaMLP(config)
    _norm1.wrappedValue = RMSNorm(config.hiddenSize, epsilon: config.normEpsilon)
    _norm2.wrappedValue = RMSNorm(config.hiddenSize, epsilon: config.normEpsilon)
  }

  func callAsFunction(_ x: Tensor, _ input: TextBlockInput, _ context: ForwardContext) -> Tensor {
    let y = x + attention(norm1(x, context), input, context.split("self_attn"))
    return y + mlp(norm2(y, context), context.split("mlp"))
  }
}
