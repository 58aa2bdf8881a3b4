import CleftTensor
import Foundation
import Testing

@Suite struct OperationTests {
  @Test func linearByHand() {
    let x = Tensor([1, 2], [1, 2])
    let w = Tensor([3, 2], [1, 0, 0, 1, 1, 1])
    #expect(linear(x, w, Tensor([3], [10, 20, 30])).array == [11, 22, 33])
    let transposed = Tensor([2, 3], [1, 0, 1, 0, 1, 1])
    #expect(linear(x, transposed, nil, layout: .inOut).array == [1, 2, 3])
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 2), (17, 19, 33)])
  func linearGradient(_ rows: Int, _ width: Int, _ out: Int) {
    checkGradients([[rows, width], [out, width], [out]]) { linear($0[0], $0[1], $0[2]) }
    checkGradients([[rows, width], [width, out], [out]]) { linear($0[0], $0[1], $0[2], layout: .inOut) }
  }

  @Test func frozenInputsGetNoGradient() {
    let leaf = Node()
    let x = numbers([2, 3], 1)
    let w = numbers([4, 3], 2).tracked(by: leaf)
    let output = linear(x, w, nil)
    let gradients = matmul(output.reshaped([1, 8]), numbers([1, 8], 3), transposingB: true).gradients()
    #expect(gradients[leaf] != nil)
    #expect(!linear(x, w.detached, nil).isTracked)
    #expect(withoutGradients { linear(x, w, nil) }.isTracked == false)
  }

  @Test func matmulAgreesWithTheDefinitionForEveryThreadCount() {
    let (a, b) = (numbers([70, 130], 1), numbers([130, 90], 2))
    let product = matmul(a, b).array
    let (x, y) = (a.array, b.array)
    for (i, j) in [(0, 0), (69, 89), (31, 47)] {
      let expected = (0..<130).reduce(0.0) { $0 + Double(x[i * 130 + $1]) * Double(y[$1 * 90 + j]) }
      #expect(abs(Double(product[i * 90 + j]) - expected) < 1e-4)
    }
  }

  @Test(arguments: [GELUForm.erf, .tanh])
  func geluMatchesDouble(_ form: GELUForm) {
    let x = Tensor([2001], (0...2000).map { Float($0 - 1000) / 100 })
    for (value, found) in zip(x.array, gelu(x, form).array) {
      let v = Double(value)
      let expected =
        form == .erf
        ? 0.5 * v * (1 + erf(v / 2.0.squareRoot()))
        : 0.5 * v * (1 + tanh((2 / Double.pi).squareRoot() * (v + 0.044715 * v * v * v)))
      #expect(abs(Double(found) - expected) <= 1e-6 * max(1, abs(expected)), "\(value)")
    }
    checkGradients([[3, 7]]) { gelu($0[0], form) }
  }

  @Test(arguments: [1, 5, 16, 37])
  func layerNormGradient(_ width: Int) {
    if width > 1 {
      let rows = layerNorm(
        numbers([3, width], 4), Tensor([width], repeating: 1), Tensor([width]), epsilon: 1e-6
      ).array
      #expect(abs(rows[0..<width].reduce(0, +)) < 1e-4)
    }
    // With one channel the output is the bias whatever the input is.
    checkGradients([[3, width], [width], [width]], step: 3e-3, tolerance: 5e-2) {
      layerNorm($0[0], $0[1], $0[2], epsilon: 1e-2)
    }
  }

  @Test func residualOperations() {
    #expect((Tensor([2], [1, 2]) + Tensor([2], [3, 4])).array == [4, 6])
    checkGradients([[2, 3], [2, 3]]) { $0[0] + $0[1] }
    checkGradients([[2, 3]]) { $0[0] + $0[0] }
    checkGradients([[2, 3]]) { $0[0] * -1.5 }
    checkGradients([[4, 5], [4, 5], [5]]) { addScaled($0[0], $0[1], $0[2]) }
    checkGradients([[4, 5]]) { normalizeRows($0[0]) }
    checkGradients([[4, 5]]) { relu($0[0] + Tensor([4, 5], repeating: 0.013)) }
  }

  @Test func dropoutKeepsTheMeanAndRepeats() {
    let x = Tensor([200, 100], repeating: 1)
    let key = RandomKey(seed: 3)
    let dropped = dropout(x, probability: 0.25, key: key).array
    #expect(dropped == dropout(x, probability: 0.25, key: key).array)
    #expect(dropped != dropout(x, probability: 0.25, key: key.split("other")).array)
    #expect(abs(dropped.reduce(0, +) / 20_000 - 1) < 0.02)
    #expect(Set(dropped.map { ($0 * 1000).rounded() }) == [0, 1333])
    checkGradients([[3, 4], [3, 4]]) { dropout($0[0], probability: 0.4, key: key, adding: $0[1]) }
  }

  @Test func gatherSumsRepeats() {
    #expect(gatherRows(Tensor([2, 2], [1, 2, 3, 4]), [1, 0, 1]).array == [3, 4, 1, 2, 3, 4])
    checkGradients([[4, 3]]) { gatherRows($0[0], [3, 0, 3, 3, 1]) }
    let rows = [
      EmbeddingRow(index: 1, position: 0, isVirtual: true), EmbeddingRow(index: 4, position: 1),
      EmbeddingRow(index: 4, position: 0), EmbeddingRow(index: 0, position: 2, isVirtual: true),
    ]
    checkGradients([[5, 3], [3, 3], [2, 3]]) { embed(rows, tokens: $0[0], positions: $0[1], virtual: $0[2]) }
  }

  @Test(arguments: [0, 1])
  func tokensGradient(_ classRows: Int) {
    checkGradients([[8, 3], [4 + classRows, 3], [3], [2, 3]]) {
      assembleTokens(patches: $0[0], positions: $0[1], classToken: $0[2], registers: $0[3], batch: 2)
    }
    checkGradients([[6, 3]]) { meanOverSequences($0[0], count: 2) }
  }

  @Test func patchesKeepTheConvolutionsOrder() {
    let image = Tensor([1, 2, 2, 4], (0..<16).map(Float.init))
    #expect(patchify(image, size: 2).array == [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15])
  }

  @Test func batchNormGradient() {
    checkGradients([[6, 3], [3], [3]], tolerance: 5e-2) {
      batchNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-2).output
    }
    let fixed = numbers([3], 9)
    checkGradients([[6, 3]]) {
      batchNormInference(
        $0[0], mean: fixed, variance: Tensor([3], repeating: 2), weight: nil, bias: nil, epsilon: 1e-5)
    }
  }

  @Test func contrastiveLossAtChance() {
    let same = normalizeRows(Tensor([4, 3], repeating: 1))
    let loss = contrastiveLoss(images: same, texts: same, logitScale: Tensor([], [2]))
    #expect(abs(loss.loss.item - 2 * Float(log(4.0))) < 1e-5)
    checkGradients([[3, 4], [3, 4], []]) {
      contrastiveLoss(images: $0[0], texts: $0[1], logitScale: $0[2]).loss.reshaped([1])
    }
    checkGradients([[3, 4]]) { crossEntropy($0[0], [1, 0, 3]).reshaped([1]) }
  }
}
