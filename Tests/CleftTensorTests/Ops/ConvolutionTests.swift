import CleftTensor
import Testing

@Suite struct ConvolutionTests {
  /// One convolution to try.
  struct Case: Sendable, CustomStringConvertible {
    let batch, height, width, inputs, outputs: Int
    let kernel: (height: Int, width: Int)
    let stride, padding: Int

    var grid: ImageGrid { ImageGrid(batch: batch, height: height, width: width) }
    var description: String {
      "\(batch)×\(height)×\(width), \(inputs)→\(outputs), \(kernel.height)×\(kernel.width)/\(stride)+\(padding)"
    }
  }

  private static let cases = [
    Case(batch: 2, height: 5, width: 4, inputs: 3, outputs: 2, kernel: (3, 3), stride: 1, padding: 1),
    Case(batch: 1, height: 7, width: 5, inputs: 2, outputs: 3, kernel: (3, 3), stride: 2, padding: 1),
    Case(batch: 3, height: 4, width: 6, inputs: 1, outputs: 5, kernel: (1, 1), stride: 2, padding: 0),
    Case(batch: 2, height: 3, width: 4, inputs: 5, outputs: 4, kernel: (1, 1), stride: 1, padding: 0),
    Case(batch: 1, height: 6, width: 7, inputs: 3, outputs: 2, kernel: (2, 3), stride: 2, padding: 2),
    Case(batch: 1, height: 1, width: 1, inputs: 2, outputs: 1, kernel: (7, 7), stride: 2, padding: 3),
  ]

  /// The definition, in Double.
  private func reference(_ x: [Float], _ weight: [Float], _ bias: [Float], _ c: Case) -> [Double] {
    let out = c.grid.slid(c.kernel, stride: c.stride, padding: c.padding)
    var result: [Double] = []
    for b in 0..<c.batch {
      for oy in 0..<out.height {
        for ox in 0..<out.width {
          for o in 0..<c.outputs {
            var sum = Double(bias[o])
            for i in 0..<c.inputs {
              for ky in 0..<c.kernel.height {
                for kx in 0..<c.kernel.width {
                  let (y, column) = (oy * c.stride - c.padding + ky, ox * c.stride - c.padding + kx)
                  if y < 0 || y >= c.height || column < 0 || column >= c.width { continue }
                  let pixel = x[((b * c.height + y) * c.width + column) * c.inputs + i]
                  let tap = ((o * c.inputs + i) * c.kernel.height + ky) * c.kernel.width + kx
                  sum += Double(pixel) * Double(weight[tap])
                }
              }
            }
            result.append(sum)
          }
        }
      }
    }
    return result
  }

  @Test func byHand() {
    let x = Tensor([9, 1], (1...9).map(Float.init))
    let weight = Tensor([1, 1, 2, 2], [1, 10, 100, 1000])
    let (y, grid) = convolve(
      x, ImageGrid(batch: 1, height: 3, width: 3), weight: weight, bias: Tensor([1], [0.5]))
    #expect(grid == ImageGrid(batch: 1, height: 2, width: 2))
    #expect(y.array == [5421.5, 6532.5, 8754.5, 9865.5])
    let (padded, _) = convolve(
      x, ImageGrid(batch: 1, height: 3, width: 3), weight: weight, bias: nil, stride: 2, padding: 1)
    #expect(padded.array == [1000, 3200, 7040, 9865])
  }

  @Test(arguments: cases)
  func equalsTheDefinition(_ c: Case) {
    let x = numbers([c.grid.rowCount, c.inputs], 1)
    let weight = numbers([c.outputs, c.inputs, c.kernel.height, c.kernel.width], 2)
    let bias = numbers([c.outputs], 3)
    let (y, grid) = convolve(x, c.grid, weight: weight, bias: bias, stride: c.stride, padding: c.padding)
    #expect(y.shape == [grid.rowCount, c.outputs])
    let expected = reference(x.array, weight.array, bias.array, c)
    #expect(expected.count == y.count)
    for (a, b) in zip(y.array, expected) { #expect(abs(Double(a) - b) < 1e-5 * max(1, abs(b))) }
  }

  @Test(arguments: cases)
  func gradient(_ c: Case) {
    checkGradients([
      [c.grid.rowCount, c.inputs], [c.outputs, c.inputs, c.kernel.height, c.kernel.width], [c.outputs],
    ]) {
      convolve($0[0], c.grid, weight: $0[1], bias: $0[2], stride: c.stride, padding: c.padding).output
    }
  }

  @Test func gradientsOverSeveralPieces() {
    // Images of 20 × 17 pixels are cut into bands, images of 3 × 3 share a piece: both must add up as one would.
    for c in [
      Case(batch: 2, height: 20, width: 17, inputs: 40, outputs: 6, kernel: (5, 5), stride: 1, padding: 2),
      Case(batch: 70, height: 3, width: 3, inputs: 4, outputs: 6, kernel: (3, 3), stride: 1, padding: 1),
    ] {
      let (xLeaf, wLeaf) = (Node(), Node())
      let x = numbers([c.grid.rowCount, c.inputs], 1)
      let w = numbers([c.outputs, c.inputs, c.kernel.height, c.kernel.width], 2)
      let (y, _) = convolve(
        x.tracked(by: xLeaf), c.grid, weight: w.tracked(by: wLeaf), bias: nil, stride: 1, padding: c.padding)
      let expected = reference(x.array, w.array, [Float](repeating: 0, count: c.outputs), c)
      for (a, b) in zip(y.array, expected) { #expect(abs(Double(a) - b) < 1e-4 * max(1, abs(b))) }
      // A convolution is linear in both factors: Σ y·g = Σ x·dx = Σ w·dw.
      let g = numbers(y.shape, 3)
      let loss = matmul(y.reshaped([1, y.count]), g.reshaped([1, y.count]), transposingB: true)
      let value = Double(loss.item)
      let gradients = loss.gradients()
      for (leaf, factor) in [(xLeaf, x), (wLeaf, w)] {
        guard let gradient = gradients[leaf] else {
          Issue.record("no gradient")
          continue
        }
        let sum = zip(gradient.array, factor.array).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(sum - value) < 1e-3 * max(1, abs(value)), "\(c): \(sum), expected \(value)")
      }
    }
  }

  @Test func onlyWantedGradients() {
    let grid = ImageGrid(batch: 1, height: 4, width: 4)
    let (x, w) = (numbers([16, 2], 1), numbers([3, 2, 3, 3], 2))
    #expect(!convolve(x, grid, weight: w, bias: nil, padding: 1).output.isTracked)
    let leaf = Node()
    let y = convolve(x, grid, weight: w.tracked(by: leaf), bias: nil, padding: 1).output
    let gradients = matmul(y.reshaped([1, 48]), numbers([1, 48], 3), transposingB: true).gradients()
    #expect(gradients[leaf]?.shape == [3, 2, 3, 3])
  }

  @Test func shapeMismatchNamesTheOperation() async {
    await #expect(processExitsWith: .failure) {
      _ = convolve(
        Tensor([4, 3]), ImageGrid(batch: 1, height: 2, width: 2), weight: Tensor([1, 2, 1, 1]), bias: nil)
    }
  }

  @Test func maxPoolByHand() {
    let x = Tensor([12, 1], [1, 5, 2, 0, 4, 3, 9, 8, 7, 6, -1, -2])
    let (y, grid) = maxPool(
      x, ImageGrid(batch: 1, height: 3, width: 4), size: 3, stride: 2, padding: 1)
    #expect(grid == ImageGrid(batch: 1, height: 2, width: 2))
    #expect(y.array == [5, 9, 7, 9])
    let leaf = Node()
    // Of equal values the first takes the gradient.
    let flat = Tensor([4, 1], repeating: -2).tracked(by: leaf)
    let pooled = maxPool(flat, ImageGrid(batch: 1, height: 2, width: 2), size: 2, stride: 2).output
    #expect(pooled.array == [-2])
    #expect(pooled.reshaped([]).gradients()[leaf]?.array == [1, 0, 0, 0])
  }

  @Test(arguments: [(3, 2, 1), (2, 2, 0), (3, 1, 1)])
  func maxPoolGradient(_ size: Int, _ stride: Int, _ padding: Int) {
    // Far enough apart that no difference changes which value is the largest.
    let offsets = Tensor([2 * 5 * 4, 3], (0..<120).map { Float($0 * 37 % 120) })
    checkGradients([[40, 3]], tolerance: 4e-2) {
      maxPool(
        $0[0] * 0.3 + offsets, ImageGrid(batch: 2, height: 5, width: 4), size: size, stride: stride,
        padding: padding
      ).output
    }
  }

  @Test func channelsLastMovesTheChannels() {
    let images = Tensor([2, 2, 1, 3], (0..<12).map(Float.init))
    let rows = channelsLast(images)
    #expect(rows.shape == [6, 2])
    #expect(rows.array == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])
  }
}

@Suite struct RelativePositionTests {
  @Test func byHand() {
    let table = Tensor([9, 1], (0..<9).map(Float.init))
    let bias = relativePositionBias(table, window: 2)
    #expect(bias.shape == [1, 1, 4, 4])
    #expect(bias.array == [4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4])
    var mask = [Float](repeating: 0, count: 16)
    mask[1] = -100
    let masked = relativePositionBias(table, window: 2, masks: [mask, Array(repeating: 1, count: 16)])
    #expect(masked.shape == [2, 1, 4, 4])
    #expect(masked.array.prefix(3) == [4, -97, 1])
    #expect(masked.array[16] == 5)
  }

  @Test func gradient() {
    checkGradients([[9, 2]]) { relativePositionBias($0[0], window: 2) }
    checkGradients([[25, 2]]) {
      relativePositionBias(
        $0[0], window: 3, masks: Array(repeating: [Float](repeating: -1, count: 81), count: 2))
    }
  }
}

@Suite struct BatchNormRowsTests {
  /// Statistics by the definition, over more rows than one block has.
  @Test(arguments: [(300, 5), (129, 17), (1, 3)])
  func equalsTheDefinition(_ rows: Int, _ width: Int) {
    let spread = numbers([rows, width], 1)
    let x = Tensor([rows, width], spread.array.enumerated().map { 1000 + Float($0 % width) + $1 })
    let (y, statistics) = batchNorm(x, weight: nil, bias: nil, epsilon: 1e-5)
    let (values, found) = (x.array, y.array)
    for c in 0..<width {
      let column = (0..<rows).map { Double(values[$0 * width + c]) }
      let mean = column.reduce(0, +) / Double(rows)
      let squares = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      #expect(abs(Double(statistics.mean.array[c]) - mean) < 1e-4)
      #expect(abs(Double(statistics.variance.array[c]) - squares / Double(max(rows - 1, 1))) < 1e-5)
      for r in 0..<rows {
        let expected = (column[r] - mean) / (squares / Double(rows) + 1e-5).squareRoot()
        #expect(abs(Double(found[r * width + c]) - expected) < 2e-4 * max(1, abs(expected)))
      }
    }
  }

  @Test func frozenStatisticsTrainTheAffinePart() {
    let (mean, variance) = (numbers([3], 9), Tensor([3], [0.5, 2, 1.5]))
    checkGradients([[5, 3], [3], [3]]) {
      batchNormInference(
        $0[0], mean: mean, variance: variance, weight: $0[1], bias: $0[2], epsilon: 1e-5)
    }
    let constant = numbers([5, 3], 4)
    checkGradients([[3], [3]]) {
      batchNormInference(constant, mean: mean, variance: variance, weight: $0[0], bias: $0[1], epsilon: 1e-5)
    }
  }
}
