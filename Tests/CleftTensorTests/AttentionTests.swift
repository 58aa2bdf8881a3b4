import CleftTensor
import Foundation
import Testing

@Suite struct AttentionTests {
  /// The definition, row by row, in Double.
  private func reference(_ qkv: [Float], _ layout: SequenceLayout, heads: Int, width: Int, scale: Double)
    -> [Double]
  {
    var out = [Double](repeating: 0, count: layout.rowCount * width)
    let size = width / heads
    for s in 0..<layout.count {
      let first = layout.offsets[s]
      for t in 0..<layout.length(s) {
        let seen = max(1, layout.isCausal ? min(layout.keyCounts[s], t + 1) : layout.keyCounts[s])
        for h in 0..<heads {
          func value(_ row: Int, _ part: Int, _ c: Int) -> Double {
            Double(qkv[(first + row) * 3 * width + part * width + h * size + c])
          }
          let scores = (0..<seen).map { j in
            scale * (0..<size).reduce(0) { $0 + value(t, 0, $1) * value(j, 1, $1) }
          }
          let top = scores.max() ?? 0
          let weights = scores.map { exp($0 - top) }
          let sum = weights.reduce(0, +)
          for c in 0..<size {
            out[(first + t) * width + h * size + c] = (0..<seen).reduce(0) {
              $0 + weights[$1] / sum * value($1, 2, c)
            }
          }
        }
      }
    }
    return out
  }

  private static let layouts = [
    SequenceLayout.uniform(count: 2, length: 5),
    SequenceLayout(lengths: [4, 1, 7], keyCounts: [3, 0, 7], isCausal: true),
    SequenceLayout(lengths: [6], keyCounts: [2], isCausal: true),
    SequenceLayout(lengths: [3, 2], isCausal: false),
  ]

  @Test(arguments: layouts)
  func equalsTheDefinition(_ layout: SequenceLayout) {
    let qkv = numbers([layout.rowCount, 24], 5)
    let found = attention(qkv, layout, AttentionOptions(headCount: 2, scale: 0.7)).array
    for (a, b) in zip(found, reference(qkv.array, layout, heads: 2, width: 8, scale: 0.7)) {
      #expect(abs(Double(a) - b) < 1e-5)
    }
  }

  @Test(arguments: layouts)
  func gradient(_ layout: SequenceLayout) {
    checkGradients([[layout.rowCount, 12]]) {
      attention($0[0], layout, AttentionOptions(headCount: 2, scale: 0.9))
    }
    checkGradients([[layout.rowCount, 12]]) {
      attention(
        $0[0], layout, AttentionOptions(headCount: 2, scale: 0.9, dropout: 0.3, key: RandomKey(seed: 8)))
    }
  }

  @Test func prefixGradient() {
    let layout = SequenceLayout(lengths: [3, 5], keyCounts: [2, 5], isCausal: true)
    for dropout: Float in [0, 0.3] {
      checkGradients([[layout.rowCount, 12], [3, 8]]) {
        attention(
          $0[0], layout,
          AttentionOptions(headCount: 2, scale: 0.9, dropout: dropout, key: RandomKey(seed: 8)),
          prefix: AttentionPrefix(table: $0[1], keyColumn: 0, valueColumn: 4))
      }
    }
  }

  @Test func longSequencesAreTiled() {
    let layout = SequenceLayout(lengths: [700], isCausal: true)
    let qkv = numbers([700, 6], 6)
    let found = attention(qkv, layout, AttentionOptions(headCount: 1, scale: 1)).array
    for (a, b) in zip(found, reference(qkv.array, layout, heads: 1, width: 2, scale: 1)) {
      #expect(abs(Double(a) - b) < 1e-5)
    }
    // Gradients over tiles: the sum over rows of a constant shift of all values is the sum of output gradients.
    let leaf = Node()
    let output = attention(qkv.tracked(by: leaf), layout, AttentionOptions(headCount: 1, scale: 1))
    let ones = Tensor([1, 1400], repeating: 1)
    let gradient =
      matmul(output.reshaped([1, 1400]), ones, transposingB: true).gradients()[leaf]?.array ?? []
    let values = stride(from: 4, to: gradient.count, by: 6).reduce(0) { $0 + gradient[$1] }
    #expect(abs(values - 700) < 0.05)
  }
}
