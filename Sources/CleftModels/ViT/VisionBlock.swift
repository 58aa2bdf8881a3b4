import CleftNN
import CleftTensor

/// Self-attention of image tokens, added to `sum` where given.
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

  func callAsFunction(
    _ x: Tensor, _ layout: SequenceLayout, adding sum: LinearSum?, _ context: ForwardContext
  )
    -> Tensor
  {
    let headSize = x.shape.last / headCount
    let options = AttentionOptions(headCount: headCount, scale: 1 / Float(headSize).squareRoot())
    let packed = qkv(x, context.split("qkv"))
    var attended = attention(packed, layout, options)
    if let taps = context.taps { attended = taps.watch(packed, attended, options) }
    let inner = context.split("proj")
    return sum.map { output(attended, adding: $0, inner) } ?? output(attended, inner)
  }
}

/// The feed-forward part of a vision block.
public protocol VisionFeedForward: Module {
  /// `[B·T, C]` → `[B·T, C]`, added to `sum` where given.
  func callAsFunction(_ x: Tensor, adding sum: LinearSum?, _ context: ForwardContext) -> Tensor
}

/// Two linear layers with exact GELU between.
public final class VisionMLP: VisionFeedForward {
  @Child("fc1") var first: any UnaryLayer
  @Child("fc2") var second: any UnaryLayer

  init(_ width: Int, hiddenSize: Int, initializer: Initializer) {
    _first.wrappedValue = Linear(width, hiddenSize, initializer: initializer)
    _second.wrappedValue = Linear(hiddenSize, width, initializer: initializer)
  }

  /// Applies the layers.
  public func callAsFunction(_ x: Tensor, adding sum: LinearSum?, _ context: ForwardContext) -> Tensor {
    let hidden = gelu(first(x, context.split("fc1")), .erf)
    let inner = context.split("fc2")
    return sum.map { second(hidden, adding: $0, inner) } ?? second(hidden, inner)
  }
}

/// `w3(SiLU(a) ⊙ b)` with `a` and `b` the two halves of `w12(x)`; timm calls the two layers `fc1` and `fc2`.
public final class VisionSwiGLU: VisionFeedForward {
  @Child("w12") var first: any UnaryLayer
  @Child("w3") var second: any UnaryLayer

  init(_ width: Int, hiddenSize: Int, initializer: Initializer, names: VisionTransformerConfig.TokenNames) {
    if names != .hub {
      _first = Child("fc1")
      _second = Child("fc2")
    }
    _first.wrappedValue = Linear(width, 2 * hiddenSize, initializer: initializer)
    _second.wrappedValue = Linear(hiddenSize, width, initializer: initializer)
  }

  /// Applies the layers.
  public func callAsFunction(_ x: Tensor, adding sum: LinearSum?, _ context: ForwardContext) -> Tensor {
    let hidden = siluProduct(packed: first(x, context.split("w12")))
    let inner = context.split("w3")
    return sum.map { second(hidden, adding: $0, inner) } ?? second(hidden, inner)
  }
}

/// A scale per channel on a residual branch.
public final class LayerScale: Module {
  @Parameter var gamma: Tensor

  init(_ width: Int) { _gamma = Parameter("gamma", [width], .ones) }
}

/// One pre-norm block: `x + γ₁⊙Attn(LN x)`, then `x + γ₂⊙MLP(LN x)`; γ is left out without LayerScale.
public final class VisionBlock: Module {
  @Child("norm1") var norm1: LayerNorm
  @Child("attn") var attention: VisionAttention
  @Child("ls1") var scale1: LayerScale?
  @Child("norm2") var norm2: LayerNorm
  @Child("mlp") var mlp: any VisionFeedForward
  @Child("ls2") var scale2: LayerScale?
  let dropPath: Float

  /// Makes a block; `feedForwardSize` nil follows from `mlpRatio`.
  public init(
    width: Int, headCount: Int, mlpRatio: Int, feedForward: VisionTransformerConfig.FeedForward,
    usesLayerScale: Bool, layerNormEpsilon: Float, dropPath: Float, initializer: Initializer,
    feedForwardSize: Int? = nil, names: VisionTransformerConfig.TokenNames = .hub
  ) {
    self.dropPath = dropPath
    let inner = feedForwardSize ?? mlpRatio * width
    _norm1.wrappedValue = LayerNorm(width, epsilon: layerNormEpsilon)
    _attention.wrappedValue = VisionAttention(width, headCount: headCount, initializer: initializer)
    _scale1.wrappedValue = usesLayerScale ? LayerScale(width) : nil
    _norm2.wrappedValue = LayerNorm(width, epsilon: layerNormEpsilon)
    switch feedForward {
    case .mlp: _mlp.wrappedValue = VisionMLP(width, hiddenSize: inner, initializer: initializer)
    case .swiglu:
      _mlp.wrappedValue = VisionSwiGLU(width, hiddenSize: inner, initializer: initializer, names: names)
    }
    _scale2.wrappedValue = usesLayerScale ? LayerScale(width) : nil
  }

  /// Block `index` of a tower; stochastic depth grows from 0 at the first block.
  convenience init(_ config: VisionTransformerConfig, index: Int) {
    self.init(
      width: config.hiddenSize, headCount: config.headCount, mlpRatio: config.mlpRatio,
      feedForward: config.feedForward, usesLayerScale: config.usesLayerScale,
      layerNormEpsilon: config.layerNormEpsilon,
      dropPath: config.dropPath * Float(index) / Float(max(config.depth - 1, 1)),
      initializer: .truncatedNormal(deviation: config.initializerRange), feedForwardSize: config.innerSize,
      names: config.tokenNames)
  }

  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ context: ForwardContext) -> Tensor {
    var context = context
    context.halvesResults = Runtime.savesHalf
    let y = joined(x, scale1, layout, context.split("drop path", 1)) { sum in
      attention(norm1(x, context), layout, adding: sum, context.split("attn"))
    }
    return joined(y, scale2, layout, context.split("drop path", 2)) { sum in
      mlp(norm2(y, context), adding: sum, context.split("mlp"))
    }
  }

  /// `x` plus a branch, which takes the sum over itself where no sequence is left out.
  private func joined(
    _ x: Tensor, _ scale: LayerScale?, _ layout: SequenceLayout, _ context: ForwardContext,
    _ branch: (LinearSum?) -> Tensor
  ) -> Tensor {
    guard context.isTraining, dropPath > 0 else { return branch(LinearSum(x, scale: scale?.gamma)) }
    let kept = CleftTensor.dropPath(
      branch(nil), count: layout.count, probability: dropPath, key: context.key)
    return scale.map { addScaled(x, kept, $0.gamma) } ?? x + kept
  }
}
