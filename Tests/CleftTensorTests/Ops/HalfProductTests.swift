import CleftTensor
import Testing

/// Products with bfloat16 factors against products of the same rounded numbers in float32.
@Suite(.serialized) struct HalfProductTests {
  private func numbers(_ shape: Shape, _ seed: UInt64) -> Tensor {
    var generator = RandomKey(seed: seed).generator
    return Tensor(shape, (0..<shape.count).map { _ in Float(generator.normal()) })
  }

  @Test func roundingIsToNearestEven() {
    let values: [Float] = [1, 1.003_906_25, 1.011_718_75, -0.0, .infinity, 3.4e38, 1e-40]
    let half = HalfMatrix(rounding: Tensor([1, values.count], values))
    #expect(half.widened.array == values.map { float(fromBFloat16: bfloat16Bits($0)) })
    #expect(HalfMatrix(rounding: Tensor([1, 1], [.nan])).widened.item.isNaN)
  }

  @Test(arguments: [(1, 32, 32), (7, 33, 65), (96, 48, 130), (64, 64, 64)], [WeightLayout.outIn, .inOut])
  func productsAndGradientsEqualThoseOfRoundedNumbers(_ extents: (Int, Int, Int), _ layout: WeightLayout) {
    let (rows, width, out) = extents
    let x = HalfMatrix(rounding: numbers([rows, width], 1)).widened
    let w = HalfMatrix(
      rounding: numbers(layout == .outIn ? [out, width] : [width, out], 2)
    ).widened
    let bias = numbers([out], 3)
    // Every gradient is a whole number of bfloat16 steps, so that rounding it changes nothing.
    let slopes = Tensor([1, rows * out], (0..<rows * out).map { Float($0 % 5) - 2 })
    func run(_ body: (Tensor, Tensor, Tensor) -> Tensor) -> [[Float]] {
      let (xNode, wNode, bNode) = (Node(), Node(), Node())
      let y = body(x.tracked(by: xNode), w.tracked(by: wNode), bias.tracked(by: bNode))
      let gradients = linear(y.reshaped([1, rows * out]), slopes, nil).reshaped([]).gradients()
      return [y.array] + [xNode, wNode, bNode].map { gradients[$0]?.array ?? [] }
    }
    let plain = run { linear($0, $1, $2, layout: layout) }
    let half = run { roundedLinear($0, $1, $2, layout: layout) }
    for (a, b) in zip(plain, half) {
      let scale = a.map(abs).max() ?? 1
      #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * scale })
    }
    let frozen = linear(x, frozen: HalfMatrix(rounding: w), bias, layout: layout)
    #expect(frozen.array == half[0])
  }
}
