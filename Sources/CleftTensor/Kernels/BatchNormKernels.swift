extension Kernels {
  /// Blocks that column sums of batch norm are cut into: at least 64 rows each, at most 64 blocks.
  ///
  /// Enough to share out, few enough that their Double sums stay small; they depend on the row count alone.
  private static func columnBlocks(_ rows: Int) -> Int { max(1, min(64, rows / 64)) }

  /// Runs `body` over fixed blocks of rows with `2·width` zeroed sums each, then adds the blocks up in order.
  private static func blockSums(
    rows: Int, width: Int, _ body: (Range<Int>, _ first: UnsafeMutablePointer<Double>) -> Void
  ) -> [Double] {
    let blocks = columnBlocks(rows)
    let partial = UnsafeMutablePointer<Double>.allocate(capacity: blocks * 2 * width)
    defer { partial.deallocate() }
    partial.update(repeating: 0, count: blocks * 2 * width)
    spread(blocks) { block in
      body(block * rows / blocks..<(block + 1) * rows / blocks, partial + block * 2 * width)
    }
    var sums = [Double](repeating: 0, count: 2 * width)
    for block in 0..<blocks {
      for c in 0..<2 * width { sums[c] += partial[block * 2 * width + c] }
    }
    return sums
  }

  /// Mean of each column and mean squared distance from it, in Double, in one pass.
  ///
  /// Sums are taken of distances from the first row, so that columns far from zero lose nothing.
  static func columnMoments(_ x: Pointer, rows: Int, width: Int) -> (means: [Double], variances: [Double]) {
    let sums = blockSums(rows: rows, width: width) { range, first in
      let second = first + width
      for row in range {
        let line = x + row * width
        for c in 0..<width {
          let distance = Double(line[c]) - Double(x[c])
          first[c] += distance
          second[c] = second[c].addingProduct(distance, distance)
        }
      }
    }
    let count = Double(max(rows, 1))
    var (means, variances) = ([Double](), [Double]())
    for c in 0..<width {
      let shift = sums[c] / count
      means.append((rows > 0 ? Double(x[c]) : 0) + shift)
      variances.append(max(0, sums[width + c] / count - shift * shift))
    }
    return (means, variances)
  }

  /// `y[r, c] = (x[r, c] - mean[c]) · gain[c] + shift[c]`.
  static func normalizeColumns(
    _ x: Pointer, mean: Pointer, gain: Pointer, shift: Pointer, into y: Pointer, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, (1 << 15) / max(width, 1))) { range in
      for row in range {
        let (source, target) = (x + row * width, y + row * width)
        for c in 0..<width { target[c] = shift[c].addingProduct(source[c] - mean[c], gain[c]) }
      }
    }
  }

  /// `along[c] = Σᵣ dy[r, c] · (x[r, c] - mean[c]) · rstd[c]` and `plain[c] = Σᵣ dy[r, c]`, in Double.
  static func columnSlopes(
    _ x: Pointer, mean: Pointer, rstd: Pointer, _ dy: Pointer, along: Pointer, plain: Pointer, rows: Int,
    width: Int
  ) {
    let sums = blockSums(rows: rows, width: width) { range, first in
      let second = first + width
      for row in range {
        let (source, gradient) = (x + row * width, dy + row * width)
        for c in 0..<width {
          first[c] = first[c].addingProduct(Double(gradient[c]), Double(source[c] - mean[c]))
          second[c] += Double(gradient[c])
        }
      }
    }
    for c in 0..<width {
      along[c] = Float(sums[c] * Double(rstd[c]))
      plain[c] = Float(sums[width + c])
    }
  }

  /// Gradient of batch norm in its input: `dx = gain · (dy - plain[c] - (x - mean[c]) · slope[c])`.
  static func batchNormBackward(
    _ x: Pointer, mean: Pointer, gain: Pointer, plain: Pointer, slope: Pointer, _ dy: Pointer,
    into dx: Pointer, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, (1 << 15) / max(width, 1))) { range in
      for row in range {
        let (source, gradient, target) = (x + row * width, dy + row * width, dx + row * width)
        for c in 0..<width {
          target[c] = gain[c] * (gradient[c] - plain[c] - (source[c] - mean[c]) * slope[c])
        }
      }
    }
  }

  /// `y = max(x, 0)`.
  static func relu(_ x: Pointer, into y: Pointer, count: Int) {
    parallel(count, grain: 1 << 15) { range in for i in range { y[i] = x[i] > 0 ? x[i] : 0 } }
  }

  /// `dx = dy` where the output was positive, 0 elsewhere.
  static func reluBackward(_ y: Pointer, _ dy: Pointer, into dx: Pointer, count: Int) {
    parallel(count, grain: 1 << 15) { range in for i in range { dx[i] = y[i] > 0 ? dy[i] : 0 } }
  }
}
