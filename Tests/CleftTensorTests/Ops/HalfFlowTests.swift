import CleftTensor
import Testing

/// Results in bfloat16 between products, sums within products, and values made again for backward.
struct HalfFlowTests {
  private func numbers(_ shape: Shape, _ seed: UInt64, scale: Double = 1) -> Tensor {
    var generator = RandomKey(seed: seed).generator
    return Tensor(shape, (0..<shape.count).map { _ in Float(scale * generator.normal()) })
  }

  /// The distance over the length of what is expected.
  private func distance(_ found: Tensor?, _ expected: Tensor?) -> Double {
    guard let found, let expected else { return found == nil && expected == nil ? 0 : .infinity }
    let difference = Tensor(found.shape, zip(found.array, expected.array).map { $0 - $1 })
    return (difference.sumOfSquares / max(expected.sumOfSquares, 1e-30)).squareRoot()
  }

  @Test(arguments: [WeightLayout.outIn, .inOut])
  func aScaledSumIsThatOfItsParts(_ layout: WeightLayout) {
    let (rows, width, out) = (7, 40, 48)
    let values = [
      numbers([rows, width], 1), numbers(layout == .outIn ? [out, width] : [width, out], 2, scale: 0.2),
      numbers([out], 3), numbers([rows, out], 4), numbers([out], 5),
    ]
    let slope = numbers([rows, out], 6)
    for tracked in 0..<32 {
      let leaves = values.map { _ in Node() }
      func run(_ body: (Tensor, Tensor, Tensor, Tensor, Tensor) -> Tensor) -> (Tensor, [Tensor?]) {
        let t = values.indices.map {
          tracked >> $0 & 1 == 1 ? values[$0].tracked(by: leaves[$0]) : values[$0]
        }
        let result = body(t[0], t[1], t[2], t[3], t[4])
        let found = gradients(of: [result], [slope])
        return (result, leaves.map { found[$0] })
      }
      let fused = run { linear($0, $1, $2, layout: layout, adding: LinearSum($3, scale: $4)) }
      let parts = run { addScaled($3, linear($0, $1, $2, layout: layout), $4) }
      #expect(distance(fused.0, parts.0) < 1e-6)
      for (index, (a, b)) in zip(fused.1, parts.1).enumerated() {
        #expect(distance(a, b) < 1e-5, "input \(index), tracked \(tracked)")
      }
    }
  }

  @Test func aSumWithAFrozenRoundedMatrixIsThatOfItsParts() {
    let (x, w) = (numbers([9, 64], 1), HalfMatrix(rounding: numbers([96, 64], 2)))
    let (bias, residual, scale) = (numbers([96], 3), numbers([9, 96], 4), numbers([96], 5))
    let leaves = (0..<3).map { _ in Node() }
    let inputs = (x.tracked(by: leaves[0]), residual.tracked(by: leaves[1]), scale.tracked(by: leaves[2]))
    let slope = numbers([9, 96], 6)
    let sum = LinearSum(inputs.1, scale: inputs.2)
    let fused = linear(inputs.0, frozen: w, bias, layout: .outIn, adding: sum)
    let parts = addScaled(inputs.1, linear(inputs.0, frozen: w, bias, layout: .outIn), inputs.2)
    let (a, b) = (gradients(of: [fused], [slope]), gradients(of: [parts], [slope]))
    #expect(distance(fused, parts) < 0.01)
    for leaf in leaves { #expect(distance(a[leaf], b[leaf]) < 0.02) }
  }

  private static let layouts = [
    SequenceLayout.uniform(count: 2, length: 37),
    SequenceLayout(lengths: [5, 1, 19, 8], keyCounts: [4, 0, 19, 7], isCausal: true),
    SequenceLayout(lengths: [300], isCausal: true), SequenceLayout.uniform(count: 1, length: 421),
  ]

  @Test(arguments: [0, 1, 2, 3], [Float(0), 0.3])
  func attentionInBFloat16IsThatOfItsNumbers(_ index: Int, _ dropout: Float) {
    let (layout, width, heads) = (Self.layouts[index], 64, 2)
    let x = numbers([layout.rowCount, 48], 1)
    let weight = numbers([3 * width, 48], 2, scale: 0.15)
    let options = AttentionOptions(
      headCount: heads, scale: 0.18, dropout: dropout, key: RandomKey(seed: 4))
    let slope = numbers([layout.rowCount, width], 3)
    let leaf = Node()
    let qkv = linear(
      x.tracked(by: leaf), frozen: HalfMatrix(rounding: weight), nil, layout: .outIn, halves: true)
    let found = attention(qkv, layout, options)
    let own = Node()
    let full = Tensor(qkv.shape, qkv.array).tracked(by: own)
    let expected = attention(full, layout, options)
    #expect(distance(found, expected) < 0.01)
    let slopes = gradients(of: [expected], [slope])[own]
    let passed = slopes.map { matmul($0, HalfMatrix(rounding: weight).widened) }
    #expect(distance(gradients(of: [found], [slope])[leaf], passed) < 0.02)
  }

  @Test func aNormOfBFloat16NumbersTakesThemAsTheyAre() {
    let leaf = Node()
    let weight = HalfMatrix(rounding: numbers([128, 64], 2))
    let (gain, shift) = (numbers([128], 4), numbers([128], 5))
    let (last, slope) = (numbers([32, 128], 6), numbers([70, 32], 7))
    let trained = Node()
    func run(_ halves: Bool) -> (Tensor, Gradients) {
      let x = numbers([70, 64], 1).tracked(by: leaf)
      let hidden = linear(x, frozen: weight, nil, layout: .outIn, halves: halves)
      let y = linear(
        layerNorm(hidden, gain, shift, epsilon: 1e-5), last.tracked(by: trained), nil)
      return (y, gradients(of: [y], [slope]))
    }
    let (half, full) = (run(true), run(false))
    #expect(distance(half.0, full.0) < 0.01)
    for node in [leaf, trained] { #expect(distance(half.1[node], full.1[node]) < 0.02) }
  }

  @Test func workWithinWorkIsDoneOnce() throws {
    let sums = try Runtime.map(64) { item in
      let x = Tensor([300, 512], repeating: Float(item))
      return (x + x).array.reduce(0.0) { $0 + Double($1) }
    }
    for (item, sum) in sums.enumerated() { #expect(sum == Double(307_200 * item)) }
  }
}
