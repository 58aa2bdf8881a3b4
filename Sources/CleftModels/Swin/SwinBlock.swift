import CleftNN
import CleftTensor

/// How the tokens of square images are put into windows.
struct SwinWindows {
  /// Tokens along one side of an image, along one side of a window, and how far windows are shifted.
  let side, window, shift: Int

  private var windowsPerSide: Int { side / window }
  private var windowsPerImage: Int { windowsPerSide * windowsPerSide }

  /// Rows of `batch` images in the order of windows, and of windows in the order of images.
  func order(batch: Int) -> (windows: [Int], images: [Int]) {
    var windows: [Int] = []
    windows.reserveCapacity(batch * side * side)
    for image in 0..<batch {
      for index in 0..<windowsPerImage {
        for token in 0..<window * window {
          let (y, x) = position(index, token)
          let row = (y + shift) % side * side + (x + shift) % side
          windows.append(image * side * side + row)
        }
      }
    }
    var images = windows
    for (place, row) in windows.enumerated() { images[row] = place }
    return (windows, images)
  }

  /// For each window of an image, -100 where two tokens are neighbors only through the cyclic shift; empty without shift.
  var masks: [[Float]] {
    guard shift > 0 else { return [] }
    func region(_ place: Int) -> Int { place < side - window ? 0 : place < side - shift ? 1 : 2 }
    return (0..<windowsPerImage).map { index in
      let regions = (0..<window * window).map { token in
        let (y, x) = position(index, token)
        return region(y) * 3 + region(x)
      }
      return regions.flatMap { a in regions.map { a == $0 ? 0 : -100 } }
    }
  }

  /// Sequences of a batch.
  func layout(batch: Int) -> SequenceLayout {
    .uniform(count: batch * windowsPerImage, length: window * window)
  }

  /// Place of a window's token in the shifted image.
  private func position(_ index: Int, _ token: Int) -> (y: Int, x: Int) {
    (
      index / windowsPerSide * window + token / window, index % windowsPerSide * window + token % window
    )
  }
}

/// Self-attention within windows, with a learned bias for each relative position.
///
/// - Shapes: `[B·T, C]` → `[B·T, C]`; `biasTable` `[(2W-1)², H]`.
public final class SwinAttention: Module {
  @Parameter var biasTable: Tensor
  @Child("self.query") var query: any UnaryLayer
  @Child("self.key") var key: any UnaryLayer
  @Child("self.value") var value: any UnaryLayer
  @Child("output.dense") var output: any UnaryLayer
  let headCount: Int

  init(_ width: Int, headCount: Int, window: Int, initializer: Initializer) {
    self.headCount = headCount
    let span = 2 * window - 1
    _biasTable = Parameter("self.relative_position_bias_table", [span * span, headCount], .zeros)
    _query.wrappedValue = Linear(width, width, initializer: initializer)
    _key.wrappedValue = Linear(width, width, initializer: initializer)
    _value.wrappedValue = Linear(width, width, initializer: initializer)
    _output.wrappedValue = Linear(width, width, initializer: initializer)
  }

  /// Rows are in the order of windows.
  func callAsFunction(
    _ x: Tensor, _ layout: SequenceLayout, window: Int, masks: [[Float]], _ context: ForwardContext
  ) -> Tensor {
    let options = AttentionOptions(
      headCount: headCount, scale: 1 / Float(x.shape.last / headCount).squareRoot())
    let bias = AttentionBias(table: relativePositionBias(biasTable, window: window, masks: masks))
    let attended = attention(
      query: query(x, context.split("query")), key: key(x, context.split("key")),
      value: value(x, context.split("value")), layout, options, bias: bias)
    return output(attended, context.split("output"))
  }
}

/// One pre-norm block of windowed attention and feed-forward part, with windows shifted or not.
///
/// - Shapes: `[B·T, C]` → `[B·T, C]`, tokens row by row.
public final class SwinBlock: Module {
  @Child("layernorm_before") var norm1: LayerNorm
  @Child("attention") var attention: SwinAttention
  @Child("layernorm_after") var norm2: LayerNorm
  @Child("intermediate.dense") var first: any UnaryLayer
  @Child("output.dense") var second: any UnaryLayer
  let windows: SwinWindows
  let dropPath: Float
  private let masks: [[Float]]

  /// Block `index` of `stage`; `number` counts over all stages.
  init(_ config: SwinConfig, stage: Int, index: Int, number: Int) {
    let width = config.embeddingSize << stage
    let side = config.gridSide(stage: stage)
    let start = Initializer.truncatedNormal(deviation: config.initializerRange)
    let isShifted = index % 2 == 1 && side > config.windowSize
    windows = SwinWindows(
      side: side, window: config.windowSize, shift: isShifted ? config.windowSize / 2 : 0)
    masks = windows.masks
    dropPath = config.dropPath(block: number)
    _norm1.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
    _attention.wrappedValue = SwinAttention(
      width, headCount: config.stageHeadCounts[stage], window: config.windowSize, initializer: start)
    _norm2.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
    _first.wrappedValue = Linear(width, config.mlpRatio * width, initializer: start)
    _second.wrappedValue = Linear(config.mlpRatio * width, width, initializer: start)
  }

  /// The feed-forward branch is never left out, as in Hugging Face's model.
  func callAsFunction(_ x: Tensor, batch: Int, _ context: ForwardContext) -> Tensor {
    let order = windows.order(batch: batch)
    let attended = attention(
      gatherRows(norm1(x, context), order.windows), windows.layout(batch: batch), window: windows.window,
      masks: masks, context.split("attention"))
    let branch = CleftTensor.dropPath(
      gatherRows(attended, order.images), count: batch, probability: context.isTraining ? dropPath : 0,
      key: context.key.split("drop path"))
    let y = x + branch
    let inner = gelu(first(norm2(y, context), context.split("intermediate")), .erf)
    return y + second(inner, context.split("output"))
  }
}
