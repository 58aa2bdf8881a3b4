/// Extents of channels-last images that are stored as rows: pixel `(b, y, x)` is row `(b·height + y)·width + x`.
public struct ImageGrid: Sendable, Equatable {
  /// Number of images.
  public var batch: Int
  /// Extents of an image in pixels.
  public var height, width: Int

  /// Makes a grid.
  public init(batch: Int, height: Int, width: Int) {
    self.batch = batch
    self.height = height
    self.width = width
  }

  /// Number of rows.
  public var rowCount: Int { batch * height * width }

  /// The grid after a window of `size` has moved over it.
  public func slid(_ size: (height: Int, width: Int), stride: Int, padding: Int) -> ImageGrid {
    ImageGrid(
      batch: batch, height: (height + 2 * padding - size.height) / stride + 1,
      width: (width + 2 * padding - size.width) / stride + 1)
  }
}

/// Turns images into rows of channels.
///
/// - Shapes: `images` `[B, C, H, W]` → `[B·H·W, C]`.
/// - Saves: nothing; images get no gradient.
public func channelsLast(_ images: Tensor) -> Tensor {
  let shape = images.shape
  precondition(shape.rank == 4, "channelsLast: [\(shape)]")
  precondition(!images.isTracked, "channelsLast: images are constants")
  let (channels, pixels) = (shape[1], shape[2] * shape[3])
  let result = Tensor(uninitialized: [shape[0] * pixels, channels])
  with(images, result) { Kernels.swapInnerAxes($0, into: $1, outer: shape[0], channels, pixels) }
  return result
}

/// Convolves channels-last images.
///
/// Patches are gathered a few lines at a time and multiplied by the weights, which are permuted once a call so that
/// gathering copies whole runs of channels. A 1×1 kernel of stride 1 multiplies the rows as they are.
///
/// - Shapes: `x` `[B·H·W, in]`, `weight` `[out, in, kh, kw]`, `bias` `[out]` → `[B·H'·W', out]` with
///   `H' = (H + 2·padding - kh) / stride + 1`, rounded down.
/// - Saves: `x` if the weight is tracked, the permuted weight if `x` is.
/// - Numerics: float32; the same bits for every thread count.
/// - Source: Matches `torch.nn.functional.conv2d` with one group and no dilation.
public func convolve(
  _ x: Tensor, _ grid: ImageGrid, weight: Tensor, bias: Tensor?, stride: Int = 1, padding: Int = 0
) -> (output: Tensor, grid: ImageGrid) {
  precondition(
    weight.shape.rank == 4 && x.shape == [grid.rowCount, weight.shape[1]] && stride > 0 && padding >= 0,
    "convolve: [\(x.shape)] on \(grid) with [\(weight.shape)], stride \(stride), padding \(padding)")
  precondition(
    bias.map { $0.count == weight.shape[0] } ?? true,
    "convolve: bias [\(bias?.shape ?? [])] for [\(weight.shape)]")
  let (height, width) = (weight.shape[2], weight.shape[3])
  precondition(
    height <= grid.height + 2 * padding && width <= grid.width + 2 * padding,
    "convolve: kernel \(height)×\(width) on \(grid) with padding \(padding)")
  let kernel = ConvolutionKernel(
    input: grid, output: grid.slid((height, width), stride: stride, padding: padding),
    inputChannels: weight.shape[1], outputChannels: weight.shape[0], kernelHeight: height,
    kernelWidth: width, stride: stride, padding: padding)
  return (convolved(x, kernel, weight, bias), kernel.output)
}

private func convolved(_ x: Tensor, _ kernel: ConvolutionKernel, _ weight: Tensor, _ bias: Tensor?) -> Tensor
{
  let (outputs, inputs) = (kernel.outputChannels, kernel.inputChannels)
  let taps = kernel.kernelHeight * kernel.kernelWidth
  let permuted = Tensor(uninitialized: [outputs, taps * inputs])
  let result = Tensor(uninitialized: [kernel.output.rowCount, outputs])
  with(x, weight, permuted, result) { x, w, p, y in
    Kernels.swapInnerAxes(w, into: p, outer: outputs, inputs, taps)
    if let bias {
      bias.read { kernel.forward(x, weight: p, bias: $0, into: y) }
    } else {
      kernel.forward(x, weight: p, bias: nil, into: y)
    }
  }
  let savedInput = weight.isTracked ? x.detached : nil
  let savedWeight = x.isTracked ? permuted : nil
  let (inputShape, weightShape) = (x.shape, weight.shape)
  return result.recorded([x.node, weight.node, bias?.node]) { gradient, sink in
    if let savedWeight, sink.wants(0) {
      sink.accumulate(0, inputShape) { target, beta in
        with(gradient, savedWeight) { kernel.inputGradient($0, weight: $1, into: target, beta: beta) }
      }
    }
    if let savedInput, sink.wants(1) {
      let permuted = Tensor(uninitialized: [outputs, taps * inputs])
      let out = Tensor(uninitialized: weightShape)
      with(savedInput, gradient, permuted, out) { x, dy, p, dw in
        kernel.weightGradient(x, dy, into: p)
        Kernels.swapInnerAxes(p, into: dw, outer: outputs, taps, inputs)
      }
      sink.add(1, out)
    }
    if sink.wants(2) {
      sink.accumulate(2, [outputs]) { target, beta in
        gradient.withMutablePointer {
          Kernels.columnSums(
            $0, times: nil, into: target, beta: beta, rows: kernel.output.rowCount, width: outputs)
        }
      }
    }
  }
}

/// The largest value of each channel under a moving window.
///
/// - Shapes: `x` `[B·H·W, C]` → `[B·H'·W', C]`, extents as in `convolve`; outside of the image counts for nothing.
/// - Saves: for each output which tap was the largest, a byte; of equal ones the first.
/// - Source: Matches `torch.nn.functional.max_pool2d`.
public func maxPool(
  _ x: Tensor, _ grid: ImageGrid, size: Int, stride: Int, padding: Int = 0
) -> (output: Tensor, grid: ImageGrid) {
  let channels = x.shape.last
  precondition(
    x.shape == [grid.rowCount, channels] && stride > 0 && (1...15).contains(size) && 2 * padding <= size
      && size <= min(grid.height, grid.width) + 2 * padding,
    "maxPool: [\(x.shape)] on \(grid) with size \(size), stride \(stride), padding \(padding)")
  let output = grid.slid((size, size), stride: stride, padding: padding)
  let pool = PoolingKernel(
    input: grid, output: output, channels: channels, size: size, stride: stride, padding: padding)
  let result = Tensor(uninitialized: [output.rowCount, channels])
  let taps = Storage(byteCount: result.count)
  with(x, result) { pool.forward($0, into: $1, taps: taps.base.assumingMemoryBound(to: UInt8.self)) }
  let shape = x.shape
  let recorded = result.recorded([x.node]) { gradient, sink in
    sink.accumulate(0, shape) { target, beta in
      withExtendedLifetime(taps) {
        gradient.withMutablePointer {
          pool.backward($0, taps: taps.base.assumingMemoryBound(to: UInt8.self), into: target, beta: beta)
        }
      }
    }
  }
  return (recorded, output)
}
