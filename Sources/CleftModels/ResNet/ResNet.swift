import CleftNN
import CleftTensor

/// A convolution without bias.
///
/// - Shapes: `weight` `[out, in, k, k]`.
public final class ResNetConvolution: Module {
  @Parameter var weight: Tensor
  let size, stride: Int

  /// Starts with the normal deviation that keeps gradients level through ReLUs.
  init(_ inputs: Int, _ outputs: Int, size: Int, stride: Int = 1) {
    (self.size, self.stride) = (size, stride)
    let deviation = (2 / Float(outputs * size * size)).squareRoot()
    _weight = Parameter("weight", [outputs, inputs, size, size], .normal(deviation: deviation))
  }

  /// The grid of the output.
  func outputGrid(_ grid: ImageGrid) -> ImageGrid {
    grid.slid((size, size), stride: stride, padding: size / 2)
  }

  /// `[B·H·W, in]` → `[B·H'·W', out]`.
  func callAsFunction(_ x: Tensor, _ grid: ImageGrid) -> Tensor {
    convolve(x, grid, weight: weight, bias: nil, stride: stride, padding: size / 2).output
  }
}

/// A bottleneck block: 1×1, 3×3, 1×1 and the way around them, in torchvision's order (stride in the 3×3).
///
/// - Shapes: `[B·H·W, in]` → `[B·H'·W', 4·width]`.
public final class ResNetBlock: Module {
  @Child("conv1") var reduce: ResNetConvolution
  @Child("bn1") var norm1: BatchNorm
  @Child("conv2") var middle: ResNetConvolution
  @Child("bn2") var norm2: BatchNorm
  @Child("conv3") var expand: ResNetConvolution
  @Child("bn3") var norm3: BatchNorm
  @Child("downsample.0") var shortcut: ResNetConvolution?
  @Child("downsample.1") var shortcutNorm: BatchNorm?

  init(_ inputs: Int, width: Int, stride: Int) {
    _reduce.wrappedValue = ResNetConvolution(inputs, width, size: 1)
    _norm1.wrappedValue = BatchNorm(width)
    _middle.wrappedValue = ResNetConvolution(width, width, size: 3, stride: stride)
    _norm2.wrappedValue = BatchNorm(width)
    _expand.wrappedValue = ResNetConvolution(width, 4 * width, size: 1)
    _norm3.wrappedValue = BatchNorm(4 * width)
    let changes = stride != 1 || inputs != 4 * width
    _shortcut.wrappedValue = changes ? ResNetConvolution(inputs, 4 * width, size: 1, stride: stride) : nil
    _shortcutNorm.wrappedValue = changes ? BatchNorm(4 * width) : nil
  }

  func outputGrid(_ grid: ImageGrid) -> ImageGrid { middle.outputGrid(grid) }

  func callAsFunction(_ x: Tensor, _ grid: ImageGrid, _ context: ForwardContext) -> Tensor {
    var y = relu(norm1(reduce(x, grid), context))
    y = relu(norm2(middle(y, grid), context))
    y = norm3(expand(y, outputGrid(grid)), context)
    guard let shortcut, let shortcutNorm else { return relu(y + x) }
    return relu(y + shortcutNorm(shortcut(x, grid), context))
  }
}

/// A residual network without classifier: GLoRIA's image tower.
///
/// - Shapes: images `[B, 3, H, W]` → `[B, 32·width]`, the mean over the last stage's pixels.
/// - Source: He et al. 2015, arXiv 1512.03385. Keys and numerics equal torchvision's `resnet50` without `fc`; published
///   CLEFT calls that model, not GLoRIA's own forward pass with its resizing to 299 pixels.
public final class ResNet: ImageTower {
  @Child("conv1") var stem: ResNetConvolution
  @Child("bn1") var stemNorm: BatchNorm
  @Children("layer1") var layer1: [ResNetBlock]
  @Children("layer2") var layer2: [ResNetBlock]
  @Children("layer3") var layer3: [ResNetBlock]
  @Children("layer4") var layer4: [ResNetBlock]
  /// Sizes.
  public let config: ResNetConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false
  /// None: convolutions take no adapters.
  public let adapterTargets = AdapterTargets(lowRank: [], scaled: [], feedForward: [])

  /// Makes a tower; the values come later.
  public init(_ config: ResNetConfig) {
    precondition(config.contradiction == nil, "resnet: \(config.contradiction ?? "")")
    self.config = config
    _stem.wrappedValue = ResNetConvolution(3, config.width, size: 7, stride: 2)
    _stemNorm.wrappedValue = BatchNorm(config.width)
    var inputs = config.width
    let stages = config.stageDepths.enumerated().map { stage, depth in
      (0..<depth).map { index in
        let width = config.width << stage
        defer { inputs = 4 * width }
        return ResNetBlock(inputs, width: width, stride: index == 0 && stage > 0 ? 2 : 1)
      }
    }
    (_layer1.wrappedValue, _layer2.wrappedValue) = (stages[0], stages[1])
    (_layer3.wrappedValue, _layer4.wrappedValue) = (stages[2], stages[3])
  }

  /// Channels of an image's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// One vector for each image; `pooling` has nothing to choose from.
  public func feature(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> Tensor {
    let shape = images.shape
    precondition(shape.rank == 4 && shape[1] == 3, "resnet: images [\(shape)]")
    let source = ImageGrid(batch: shape[0], height: shape[2], width: shape[3])
    var x = relu(stemNorm(stem(channelsLast(images), source), context))
    var grid = stem.outputGrid(source)
    (x, grid) = maxPool(x, grid, size: 3, stride: 2, padding: 1)
    for block in layer1 + layer2 + layer3 + layer4 {
      x = recomputesBlocks ? recomputed(block, x, grid, context) : block(x, grid, context)
      grid = block.outputGrid(grid)
    }
    return meanOverSequences(x, count: shape[0])
  }

  /// The second run of a block leaves the running statistics alone.
  private func recomputed(
    _ block: ResNetBlock, _ x: Tensor, _ grid: ImageGrid, _ context: ForwardContext
  ) -> Tensor {
    var context = context
    return recompute(x) {
      defer { context.movesStatistics = false }
      return block($0, grid, context)
    }
  }
}
