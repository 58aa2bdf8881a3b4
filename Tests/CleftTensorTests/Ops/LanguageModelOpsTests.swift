import CleftTensor
import Foundation
import Testing

/// Operations of LLaMA, BERT and the adapters: by hand, and by central differences.
@Suite struct LanguageModelOpsTests {
  @Test func rmsNormByHand() {
    let y = rmsNorm(Tensor([2, 2], [3, 4, 0, 0]), Tensor([2], [1, 2]), epsilon: 0.5)
    let scale = Float(1 / (12.5 + 0.5).squareRoot())
    for (a, b) in zip(y.array, [3 * scale, 8 * scale, 0, 0]) { #expect(abs(a - b) < 1e-6) }
  }

  @Test(arguments: [(1, 1), (3, 5), (2, 16), (2, 37)])
  func rmsNormGradient(_ rows: Int, _ width: Int) {
    checkGradients([[rows, width], [width]]) { rmsNorm($0[0], $0[1], epsilon: 0.1) }
  }

  @Test func siluProductByHand() {
    let y = siluProduct(gate: Tensor([1, 3], [0, 1, -100]), up: Tensor([1, 3], [2, 2, 2])).array
    #expect(y[0] == 0 && abs(y[1] - 2 / (1 + exp(-1))) < 1e-6 && abs(y[2]) < 1e-30)
    let packed = siluProduct(packed: Tensor([2, 4], [0, 1, 2, 2, 1, 0, 3, 3])).array
    #expect(packed[0] == 0 && packed[3] == 0)
    #expect(abs(packed[1] - 2 / (1 + exp(-1))) < 1e-6 && abs(packed[2] - 3 / (1 + exp(-1))) < 1e-6)
  }

  @Test(arguments: [(1, 1), (3, 7), (2, 17)])
  func siluProductGradient(_ rows: Int, _ width: Int) {
    checkGradients([[rows, width], [rows, width]]) { siluProduct(gate: $0[0], up: $0[1]) }
    checkGradients([[rows, 2 * width]]) { siluProduct(packed: $0[0]) }
    checkGradients([[rows, width]]) { tanh($0[0]) }
  }

  @Test func rotaryTurnsPairsHalfAHeadApart() {
    let x = Tensor([2, 4], [1, 0, 0, 0, 0, 1, 0, 0])
    let y = rotary(x, positions: [2, 3], headSize: 4, base: 100).array
    // Channel 0 pairs with 2 and turns by the position; channel 1 pairs with 3 and turns by a tenth of it.
    for (a, b) in zip(y, [cosf(2), 0, sinf(2), 0, 0, cosf(0.3), 0, sinf(0.3)]) { #expect(abs(a - b) < 1e-6) }
    let back = rotary(Tensor([2, 4], y), positions: [-2, -3], headSize: 4, base: 100).array
    for (a, b) in zip(back, x.array) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func rotaryGradient() {
    checkGradients([[3, 12]]) { rotary($0[0], positions: [0, 5, 9], headSize: 6, base: 10_000) }
  }

  @Test func rowsAndSequences() {
    #expect(addRow(Tensor([2, 2], [1, 2, 3, 4]), Tensor([1, 2], [10, 20])).array == [11, 22, 13, 24])
    checkGradients([[3, 5], [5]]) { addRow($0[0], $0[1]) }
    #expect(scaleSequences(Tensor([4, 1], [1, 2, 3, 4]), by: [2, 0]).array == [2, 4, 0, 0])
    checkGradients([[4, 3]]) { scaleSequences($0[0], by: [2, 0.5]) }
    let kept = dropPath(
      Tensor([1000, 1], repeating: 1), count: 1000, probability: 0.25, key: RandomKey(seed: 1))
    let share = Float(kept.array.count { $0 != 0 }) / 1000
    #expect(abs(share - 0.75) < 0.05 && kept.array.allSatisfy { $0 == 0 || abs($0 - 4 / 3) < 1e-6 })
  }

  @Test func orthogonalityByHandAndGradient() {
    // Rows of length 2 at a right angle: P·Pᵀ - I = 3·I.
    let p = Tensor([2, 2], [2, 0, 0, 2])
    #expect(abs(orthogonality(p, ofRows: true).item - (18 as Float).squareRoot()) < 1e-5)
    for isOfRows in [true, false] {
      checkGradients([[3, 4]]) { orthogonality($0[0], ofRows: isOfRows) }
    }
  }

  @Test func embeddingsWithoutPositions() {
    let rows = [EmbeddingRow(index: 1, position: 900), EmbeddingRow(index: 0, position: 2, isVirtual: true)]
    checkGradients([[3, 4], [1, 4]]) { embed(rows, tokens: $0[0], positions: nil, virtual: $0[1]) }
  }

  @Test func recomputationPassesGradientsToEveryInput() {
    let (a, b) = (numbers([2, 3], 1), numbers([2, 3], 2))
    func gradients(_ recomputes: Bool) -> [[Float]] {
      let nodes = [Node(), Node()]
      let inputs = [a.tracked(by: nodes[0]), b.tracked(by: nodes[1])]
      let body: ([Tensor]) -> Tensor = { siluProduct(gate: $0[0], up: $0[1]) + $0[0] }
      let y = recomputes ? recompute(inputs, body) : body(inputs)
      let all = matmul(y.reshaped([1, 6]), numbers([1, 6], 3), transposingB: true).reshaped([]).gradients()
      return nodes.map { all[$0]?.array ?? [] }
    }
    #expect(gradients(true) == gradients(false))
  }

  @Test func singularValuesRebuildTheMatrix() {
    let m = numbers([7, 5], 4)
    let whole = SingularValues(m)
    let rebuilt = matmul(scaleColumns(whole.left, by: Tensor([5], whole.values)), whole.right).array
    for (a, b) in zip(rebuilt, m.array) { #expect(abs(a - b) < 1e-5) }
    #expect(whole.values == whole.values.sorted(by: >))
    let large = numbers([60, 40], 5)
    let (exact, quick) = (
      SingularValues.largest(3, of: large, iterations: nil, key: RandomKey(seed: 1)),
      SingularValues.largest(3, of: large, iterations: 24, key: RandomKey(seed: 1))
    )
    for (a, b) in zip(exact.values, quick.values) { #expect(abs(a - b) < 1e-2 * a) }
  }
}

/// Attention with fewer heads of keys, and with numbers added to the scores.
@Suite struct SharedKeyAttentionTests {
  private let layout = SequenceLayout(lengths: [4, 1, 6], keyCounts: [3, 1, 6], isCausal: true)

  @Test func sharedKeysEqualRepeatedOnes() {
    let (q, k, v) = (numbers([11, 12], 1), numbers([11, 6], 2), numbers([11, 6], 3))
    func repeated(_ x: Tensor) -> Tensor {
      // Heads of 3 channels: each of the two heads of keys serves two query heads.
      let values = x.array
      return Tensor(
        [11, 12], (0..<11 * 12).map { values[$0 / 12 * 6 + $0 % 12 / 6 * 3 + $0 % 3] })
    }
    let shared = attention(
      query: q, key: k, value: v, layout, AttentionOptions(headCount: 4, keyValueHeadCount: 2, scale: 0.6))
    let plain = attention(
      query: q, key: repeated(k), value: repeated(v), layout, AttentionOptions(headCount: 4, scale: 0.6))
    for (a, b) in zip(shared.array, plain.array) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func gradientsOfSharedKeysAndPrefix() {
    checkGradients([[11, 8], [11, 4], [11, 4], [2, 8]]) { inputs in
      attention(
        query: inputs[0], key: inputs[1], value: inputs[2], layout,
        AttentionOptions(headCount: 4, keyValueHeadCount: 2, scale: 0.8),
        prefix: AttentionPrefix(table: inputs[3], keyColumn: 0, valueColumn: 4))
    }
  }

  @Test func gradientsOfABiasByGroups() {
    let windows = SequenceLayout.uniform(count: 4, length: 3)
    checkGradients([[12, 12], [2, 2, 3, 3]]) { inputs in
      attention(
        inputs[0], windows, AttentionOptions(headCount: 2, scale: 0.9), bias: AttentionBias(table: inputs[1]))
    }
    // A very negative number keeps a key from being seen.
    var table = [Float](repeating: 0, count: 9)
    for row in 0..<3 { table[row * 3 + 2] = -1e9 }
    let qkv = numbers([3, 6], 7)
    let masked = attention(
      qkv, .uniform(count: 1, length: 3), AttentionOptions(headCount: 1, scale: 1),
      bias: AttentionBias(table: Tensor([1, 1, 3, 3], table)))
    let short = attention(
      qkv, SequenceLayout(lengths: [3], keyCounts: [2], isCausal: false),
      AttentionOptions(headCount: 1, scale: 1))
    for (a, b) in zip(masked.array, short.array) { #expect(abs(a - b) < 1e-6) }
  }
}
