/// Extents of one convolution over channels-last images, and how its work is cut into pieces.
///
/// A piece is a run of output lines whose patches are gathered into one scratch matrix `[rows, kh·kw·in]`. Small images
/// share a piece, large ones are cut into bands. Pieces depend on the extents alone, never on the thread count.
struct ConvolutionKernel {
  typealias Pointer = UnsafeMutablePointer<Float>

  let input, output: ImageGrid
  let inputChannels, outputChannels: Int
  let kernelHeight, kernelWidth: Int
  let stride, padding: Int

  /// Columns of the gathered patches.
  var patchWidth: Int { kernelHeight * kernelWidth * inputChannels }

  /// Whether patches are the pixels themselves, so that nothing needs gathering.
  private var isPointwise: Bool { kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0 }

  private static let wantedRows = 256
  private static let wantedFloats = 1 << 18

  /// Images whose lines may share a piece; gradients of different groups touch different inputs.
  private var imagesPerGroup: Int {
    let rows = max(1, output.height * output.width)
    return rows >= Self.wantedRows ? 1 : (Self.wantedRows + rows - 1) / rows
  }

  private var linesPerPiece: Int {
    if imagesPerGroup > 1 { return imagesPerGroup * output.height }
    let width = max(1, output.width)
    let lines = max(Self.wantedFloats / max(1, width * patchWidth), (Self.wantedRows + width - 1) / width)
    return max(1, min(output.height, lines))
  }

  /// Runs of output lines, in order, a list for each group of images.
  private var pieces: [[Range<Int>]] {
    let (group, step) = (imagesPerGroup, linesPerPiece)
    return Swift.stride(from: 0, to: input.batch, by: group).map { first in
      let end = min(first + group, input.batch) * output.height
      return Swift.stride(from: first * output.height, to: end, by: step).map { $0..<min($0 + step, end) }
    }
  }

  // MARK: - Products

  /// `y = patches(x)·wᵀ + b`; `w` is `[out, kh·kw·in]`.
  func forward(_ x: Pointer, weight: Pointer, bias: UnsafePointer<Float>?, into y: Pointer) {
    let start = WorkClock.now()
    defer { WorkClock.add(.product, since: start) }
    let all = pieces.flatMap { $0 }
    spread(all.count) { index in
      let lines = all[index]
      let target = y + lines.lowerBound * output.width * outputChannels
      let rows = lines.count * output.width
      withPatches(rows) { scratch in
        let patches = gathered(x, lines, into: scratch)
        if let bias {
          for row in 0..<rows {
            (target + row * outputChannels).update(from: bias, count: outputChannels)
          }
        }
        Kernels.matmulSerial(
          Operand(patches, rowStride: patchWidth), Operand(weight, rowStride: patchWidth, transposed: true),
          into: target, rowStride: outputChannels, m: rows, n: outputChannels, k: patchWidth,
          beta: bias == nil ? 0 : 1)
      }
    }
  }

  /// `dx = spread(dy·w) + beta · dx`; images in parallel, the pieces of one in order.
  func inputGradient(_ dy: Pointer, weight: Pointer, into dx: Pointer, beta: Float) {
    let start = WorkClock.now()
    defer { WorkClock.add(.product, since: start) }
    let (groups, perGroup) = (pieces, imagesPerGroup)
    spread(groups.count) { index in
      let pixels = input.height * input.width * inputChannels
      let images = min(perGroup, input.batch - index * perGroup)
      if beta == 0 && !isPointwise {
        (dx + index * perGroup * pixels).update(repeating: 0, count: images * pixels)
      }
      let largest = (groups[index].map(\.count).max() ?? 0) * output.width
      withPatches(largest) { scratch in
        for lines in groups[index] {
          let patches = isPointwise ? dx + lines.lowerBound * output.width * patchWidth : scratch
          Kernels.matmulSerial(
            Operand(dy + lines.lowerBound * output.width * outputChannels, rowStride: outputChannels),
            Operand(weight, rowStride: patchWidth), into: patches, rowStride: patchWidth,
            m: lines.count * output.width, n: patchWidth, k: outputChannels, beta: isPointwise ? beta : 0)
          if !isPointwise { scatter(patches, lines, into: dx) }
        }
      }
    }
  }

  /// `dw = Σ dyᵀ·patches(x)` `[out, kh·kw·in]`: a fixed number of partial sums, added up in order.
  func weightGradient(_ x: Pointer, _ dy: Pointer, into dw: Pointer) {
    let start = WorkClock.now()
    defer { WorkClock.add(.product, since: start) }
    let all = pieces.flatMap { $0 }
    let size = outputChannels * patchWidth
    // At most 16 sums, and no more than about 64 MiB of them.
    let sums = max(1, min(all.count, 16, max(2, (1 << 24) / max(size, 1))))
    let storage = Storage(byteCount: sums * size * MemoryLayout<Float>.stride)
    withExtendedLifetime(storage) {
      let partial = storage.base.assumingMemoryBound(to: Float.self)
      spread(sums) { sum in
        let own = all[sum * all.count / sums..<(sum + 1) * all.count / sums]
        withPatches((own.map(\.count).max() ?? 0) * output.width) { scratch in
          for lines in own {
            let patches = gathered(x, lines, into: scratch)
            Kernels.matmulSerial(
              Operand(
                dy + lines.lowerBound * output.width * outputChannels, rowStride: outputChannels,
                transposed: true),
              Operand(patches, rowStride: patchWidth), into: partial + sum * size, rowStride: patchWidth,
              m: outputChannels, n: patchWidth, k: lines.count * output.width,
              beta: lines == own.first ? 0 : 1)
          }
        }
        if own.isEmpty { (partial + sum * size).update(repeating: 0, count: size) }
      }
      parallel(size, grain: 1 << 15) { range in
        for i in range { dw[i] = partial[i] }
        for sum in 1..<max(sums, 1) {
          let source = partial + sum * size
          for i in range { dw[i] += source[i] }
        }
      }
    }
  }

  // MARK: - Patches

  /// The patch under each output pixel of `lines` as one row, zero outside of the image; `scratch` unless pointwise.
  private func gathered(_ x: Pointer, _ lines: Range<Int>, into patches: Pointer) -> Pointer {
    if isPointwise { return x + lines.lowerBound * output.width * patchWidth }
    eachRun(lines) { row, column, source, count in
      let target = patches + row * patchWidth + column
      if let source {
        target.update(from: x + source, count: count)
      } else {
        target.update(repeating: 0, count: count)
      }
    }
    return patches
  }

  /// Adds each row to the input pixels its patch was gathered from.
  private func scatter(_ patches: Pointer, _ lines: Range<Int>, into dx: Pointer) {
    eachRun(lines) { row, column, source, count in
      guard let source else { return }
      let (target, addend) = (dx + source, patches + row * patchWidth + column)
      for c in 0..<count { target[c] += addend[c] }
    }
  }

  /// Names every run of a patch that is contiguous in the image, `source` nil where it lies outside.
  @inline(__always)
  private func eachRun(
    _ lines: Range<Int>, _ body: (_ row: Int, _ column: Int, _ source: Int?, _ count: Int) -> Void
  ) {
    let lineWidth = kernelWidth * inputChannels
    for line in lines {
      let (image, outputY) = (line / output.height, line % output.height)
      for outputX in 0..<output.width {
        let row = (line - lines.lowerBound) * output.width + outputX
        let left = outputX * stride - padding
        let (first, end) = (min(max(-left, 0), kernelWidth), max(min(kernelWidth, input.width - left), 0))
        for ky in 0..<kernelHeight {
          let y = outputY * stride - padding + ky
          if y < 0 || y >= input.height || first >= end {
            body(row, ky * lineWidth, nil, lineWidth)
            continue
          }
          let column = ky * lineWidth
          if first > 0 { body(row, column, nil, first * inputChannels) }
          let pixel = (image * input.height + y) * input.width + left + first
          body(row, column + first * inputChannels, pixel * inputChannels, (end - first) * inputChannels)
          if end < kernelWidth {
            body(row, column + end * inputChannels, nil, (kernelWidth - end) * inputChannels)
          }
        }
      }
    }
  }

  /// Scratch for patches, none where nothing is gathered.
  private func withPatches(_ rows: Int, _ body: (Pointer) -> Void) {
    let storage = Storage(byteCount: isPointwise ? 0 : rows * patchWidth * MemoryLayout<Float>.stride)
    withExtendedLifetime(storage) { body(storage.base.assumingMemoryBound(to: Float.self)) }
  }
}

extension Kernels {
  /// Swaps the two inner axes of `[outer, a, b]`: `out[o, j, i] = x[o, i, j]`.
  static func swapInnerAxes(_ x: Pointer, into out: Pointer, outer: Int, _ a: Int, _ b: Int) {
    parallel(outer, grain: max(1, (1 << 14) / max(a * b, 1))) { range in
      for o in range {
        let (source, target) = (x + o * a * b, out + o * a * b)
        for i in 0..<a { for j in 0..<b { target[j * a + i] = source[i * b + j] } }
      }
    }
  }
}
