import CleftNN
import CleftTensor

/// Self-attention of image tokens.
///
/// - Shapes: `[B·T, C]` → `[B·T, C]`.
public final class VisionAttention: Module {
  @Child("qkv") var qkv: any UnaryLayer
  @Child("proj") var output: any UnaryLayer
  let headCount: Int

  init(_ width: Int, headCount: Int, initializer: Initializer) {
    self.headCount = headCount
    _qkv.wrappedValue = Linear(width, 3 * width, initializer: initializer)
    _output.wrappedValue = Linear(width, width, initializer: initializer)
  }

  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ context: ForwardContext) -> Tensor {
    let headSize = x.shape.last / headCount
    let options = AttentionOptions(headCount: headCount, scale: 1 / Float(headSize).squareRoot())
    return output(attention(qkv(x, context.split("qkv")), layout, options), context.split("proj"))
  }
}

/// Two linear layers with exact GELU between.
public final class VisionMLP: Module {
  @Child("fc1") var first: any UnaryLayer
  @Child("fc2") var second: any UnaryLayer

  init(_ width: Int, hiddenSize: Int, initializer: Initializer) {
    _first.wrappedValue = Linear(width, hiddenSize, initializer: initializer)
    _second.wrappedValue = Linear(hiddenSize, width, initializer: initializer)
  }

  func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    second(gelu(first(x, context.split("fc1")), .erf), context.split("fc2"))
  }
}

/// A scale per channel on a residual branch.
public final class LayerScale: Module {
  @Parameter var gamma: Tensor

  init(_ width: Int) { _gamma = Parameter("gamma", [width], .ones) }
}

/// One pre-norm block of DINOv2: `x + γ₁⊙Attn(LN x)`, then `x + γ₂⊙MLP(LN x)`.
public final class VisionBlock: Module {
  @Child("norm1") var norm1: LayerNorm
  @Child("attn") var attention: VisionAttention
  @Child("ls1") var scale1: LayerScale
  @Child("norm2") var norm2: LayerNorm
  @Child("mlp") var mlp: VisionMLP
  @Child("ls2") var scale2: LayerScale

  init(_ config: VisionTransformerConfig) {
    let width = config.hiddenSize
    let start = Initializer.truncatedNormal(deviation: config.initializerRange)
    _norm1.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
    _attention.wrappedValue = VisionAttention(width, headCount: config.headCount, initializer: start)
    _scale1.wrappedValue = LayerScale(width)
    _norm2.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
    _mlp.wrappedValue = VisionMLP(width, hiddenSize: config.mlpRatio * width, initializer: start)
    _scale2.wrappedValue = LayerScale(width)
  }

  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ context: ForwardContext) -> Tensor {
    let attended = attention(norm1(x, context), layout, context.split("attn"))
    let y = addScaled(x, attended, scale1.gamma)
    return addScaled(y, mlp(norm2(y, context), context.split("mlp")), scale2.gamma)
  }
}
