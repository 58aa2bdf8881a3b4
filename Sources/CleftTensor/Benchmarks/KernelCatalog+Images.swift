extension KernelCatalog {
  private static let channels = 64

  /// Batch norm, convolution and pooling, as in a residual network's first stage.
  static var images: [KernelEntry] { batchNorms + convolutions + pooling }

  private static var batchNorms: [KernelEntry] {
    [
      KernelEntry("batch norm, statistics", "Kernels.columnMoments", reads: 1, writes: 0, columns: 2) {
        $0.keep(Kernels.columnMoments($0[0], rows: $0.rows, width: $0.width).variances[0])
      },
      KernelEntry("batch norm, forward", "Kernels.normalizeColumns", reads: 1, writes: 1, columns: 3) {
        Kernels.normalizeColumns(
          $0[0], mean: $0.column(0), gain: $0.column(1), shift: $0.column(2), into: $0[1], rows: $0.rows,
          width: $0.width)
      },
      KernelEntry("batch norm, sums", "Kernels.columnSlopes", reads: 2, writes: 0, columns: 4) {
        Kernels.columnSlopes(
          $0[0], mean: $0.column(0), rstd: $0.column(1), $0[1], along: $0.column(2), plain: $0.column(3),
          rows: $0.rows, width: $0.width)
      },
      KernelEntry("batch norm, backward", "Kernels.batchNormBackward", reads: 2, writes: 1, columns: 4) {
        Kernels.batchNormBackward(
          $0[0], mean: $0.column(0), gain: $0.column(1), plain: $0.column(2), slope: $0.column(3), $0[1],
          into: $0[2], rows: $0.rows, width: $0.width)
      },
    ]
  }

  private static var convolutions: [KernelEntry] {
    [
      convolution("convolution 3×3", "ConvolutionKernel.forward") { kernel, x, w, y in
        kernel.forward(x, weight: w, bias: nil, into: y)
      },
      convolution("convolution 3×3, dx", "ConvolutionKernel.inputGradient") { kernel, x, w, y in
        kernel.inputGradient(y, weight: w, into: x, beta: 0)
      },
      convolution("convolution 3×3, dw", "ConvolutionKernel.weightGradient") { kernel, x, w, y in
        kernel.weightGradient(x, y, into: w)
      },
    ]
  }

  private static func convolution(
    _ name: String, _ function: String,
    _ body:
      @escaping (ConvolutionKernel, _ x: Kernels.Pointer, _ w: Kernels.Pointer, _ y: Kernels.Pointer) -> Void
  ) -> KernelEntry {
    KernelEntry(name, function) { sizes in
      let grid = grid(sizes)
      let kernel = ConvolutionKernel(
        input: grid, output: grid, inputChannels: channels, outputChannels: channels, kernelHeight: 3,
        kernelWidth: 3, stride: 1, padding: 1)
      let (x, y) = (Tensor(noise: [grid.rowCount, channels]), Tensor(noise: [grid.rowCount, channels]))
      let weight = Tensor(noise: [channels, kernel.patchWidth])
      return KernelWork(
        shape: "\(grid.batch)×\(grid.height)×\(grid.width)×\(channels)", elements: y.count,
        bytes: 4 * (x.count + y.count + weight.count),
        operations: 2 * Double(y.count) * Double(kernel.patchWidth)
      ) { body(kernel, x.pointer, weight.pointer, y.pointer) }
    }
  }

  private static var pooling: [KernelEntry] {
    [
      pool("max pooling 3×3", "PoolingKernel.forward") { $0.forward($1, into: $2, taps: $3) },
      pool("max pooling 3×3, backward", "PoolingKernel.backward") { kernel, x, y, taps in
        kernel.backward(y, taps: taps, into: x, beta: 0)
      },
    ]
  }

  private static func pool(
    _ name: String, _ function: String,
    _ body:
      @escaping (
        PoolingKernel, _ x: Kernels.Pointer, _ y: Kernels.Pointer, _ taps: UnsafeMutablePointer<UInt8>
      ) -> Void
  ) -> KernelEntry {
    KernelEntry(name, function) { sizes in
      let input = grid(sizes)
      let output = input.slid((3, 3), stride: 2, padding: 1)
      let kernel = PoolingKernel(
        input: input, output: output, channels: channels, size: 3, stride: 2, padding: 1)
      let (x, y) = (Tensor(noise: [input.rowCount, channels]), Tensor(noise: [output.rowCount, channels]))
      let taps = Storage(byteCount: y.count)
      let bytes = taps.base.assumingMemoryBound(to: UInt8.self)
      kernel.forward(x.pointer, into: y.pointer, taps: bytes)
      return KernelWork(
        shape: "\(input.batch)×\(input.height)×\(input.width)×\(channels)", elements: x.count,
        bytes: 4 * x.count + 5 * y.count
      ) { withExtendedLifetime(taps) { body(kernel, x.pointer, y.pointer, bytes) } }
    }
  }

  /// Pixels of the first stage: a quarter of the picture's side.
  private static func grid(_ sizes: KernelSizes) -> ImageGrid {
    let side = sizes.side * 7 / 2
    return ImageGrid(batch: sizes.imageCount, height: side, width: side)
  }
}
