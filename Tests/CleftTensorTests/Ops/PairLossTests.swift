import CleftTensor
import Foundation
import Testing

/// Losses of pairs and of classes: by hand, and their gradients by differences.
@Suite struct PairLossTests {
  private let unit = Tensor([2, 2], [1, 0, 0, 1])
  private let zero = Tensor([], [0])

  /// log(1 + eˣ).
  private func softplus(_ x: Double) -> Float { Float(log1p(exp(x))) }

  @Test func sigmoidLossByHand() {
    // Scores 0 on the diagonal, -1 beside it.
    let shift = Tensor([], [-1])
    let pairs = sigmoidLoss(images: unit, texts: unit, logitScale: zero, logitBias: shift)
    #expect(pairs.logits.array == [0, -1, -1, 0])
    #expect(abs(pairs.loss.item - (softplus(0) + softplus(-1))) < 1e-6)
    let all = sigmoidLoss(images: unit, texts: unit, logitScale: zero, logitBias: shift, groups: [4, 4])
    #expect(abs(all.loss.item - (softplus(0) + softplus(1))) < 1e-6)
  }

  @Test func oneSigmoidPairByHand() {
    let row = Tensor([1, 2], [0.6, 0.8])
    let loss = sigmoidLoss(
      images: row, texts: row, logitScale: Tensor([], [Float(log(2.0))]), logitBias: Tensor([], [-1])
    ).loss.item
    #expect(abs(loss - softplus(-1)) < 1e-6)
  }

  @Test func equalCaptionsShareTheTargetByHand() {
    let pairs = contrastiveLoss(images: unit, texts: unit, logitScale: zero)
    #expect(abs(pairs.loss.item - 2 * softplus(-1)) < 1e-6)
    // log(e + 1) less the mean of 1 and 0, in both directions.
    let all = contrastiveLoss(images: unit, texts: unit, logitScale: zero, groups: [0, 0])
    #expect(abs(all.loss.item - 2 * (softplus(1) - 0.5)) < 1e-6)
  }

  @Test(arguments: [1, 2, 9])
  func withoutEqualCaptionsEveryBitIsTheSame(_ count: Int) throws {
    let leaves = [Node(), Node(), Node()]
    func run(_ groups: [Int]?) -> (loss: UInt32, gradients: [[UInt32]]) {
      let loss = contrastiveLoss(
        images: numbers([count, 5], 1).tracked(by: leaves[0]),
        texts: numbers([count, 5], 2).tracked(by: leaves[1]),
        logitScale: Tensor([], [2.6]).tracked(by: leaves[2]), groups: groups
      ).loss
      let gradients = loss.gradients()
      return (
        loss.item.bitPattern, leaves.map { leaf in (gradients[leaf]?.array ?? []).map(\.bitPattern) }
      )
    }
    let (plain, grouped) = (run(nil), run((0..<count).map { 100 - $0 }))
    #expect(plain.loss == grouped.loss)
    #expect(plain.gradients == grouped.gradients)
    #expect(plain.gradients.map(\.count) == [5 * count, 5 * count, 1])
    if count > 1 { #expect(run([Int](repeating: 0, count: count)).loss != plain.loss) }
  }

  @Test(arguments: [(1, 1), (2, 3), (5, 17)])
  func pairGradients(_ batch: Int, _ width: Int) {
    for groups in [nil, (0..<batch).map { $0 % 2 }] {
      checkGradients([[batch, width], [batch, width], [], []]) {
        sigmoidLoss(images: $0[0], texts: $0[1], logitScale: $0[2], logitBias: $0[3], groups: groups).loss
          .reshaped([1])
      }
      checkGradients([[batch, width], [batch, width], []]) {
        contrastiveLoss(images: $0[0], texts: $0[1], logitScale: $0[2], groups: groups).loss.reshaped([1])
      }
    }
  }

  @Test(arguments: [(1, 1, 1), (3, 2, 5), (4, 17, 3)])
  func scoreGradients(_ rows: Int, _ columns: Int, _ width: Int) {
    checkGradients([[rows, width], [columns, width], [], []]) {
      scaledScores($0[0], $0[1], logitScale: $0[2], logitBias: $0[3])
    }
  }

  @Test func scoresByHand() {
    let scores = scaledScores(
      Tensor([1, 2], [3, 4]), Tensor([3, 2], [1, 0, 0, 1, 1, 1]), logitScale: Tensor([], [Float(log(2.0))]))
    for (found, expected) in zip(scores.array, [6, 8, 14] as [Float]) {
      #expect(abs(found - expected) < 1e-5)
    }
    #expect(scores.shape == [1, 3])
  }

  @Test func frozenInputsOfScoresGetNoGradient() {
    let leaf = Node()
    let scores = scaledScores(
      numbers([2, 3], 1), numbers([4, 3], 2).tracked(by: leaf), logitScale: zero, logitBias: nil)
    let gradients = binaryCrossEntropy(scores, Tensor([2, 4])).gradients()
    #expect(gradients[leaf]?.shape == [4, 3])
  }

  @Test func binaryCrossEntropyByHand() {
    let loss = binaryCrossEntropy(Tensor([1, 4], [0, 2, -3, 1]), Tensor([1, 4], [1, 0, 0, 0.25]))
    let expected = (softplus(0) + softplus(2) + softplus(-3) + softplus(1) - 0.25) / 4
    #expect(abs(loss.item - expected) < 1e-6)
  }

  @Test func binaryCrossEntropyOfLargeScoresIsFinite() {
    let leaf = Node()
    let scores = Tensor([4], [200, -200, 200, -200]).tracked(by: leaf)
    let loss = binaryCrossEntropy(scores, Tensor([4], [1, 0, 0, 1]))
    #expect(loss.item == 100)
    #expect(loss.gradients()[leaf]?.array == [0, 0, 0.25, -0.25])
  }

  @Test(arguments: [Shape([1]), [3, 7], [2, 16]])
  func binaryCrossEntropyGradient(_ shape: Shape) {
    let targets = Tensor(shape, (0..<shape.count).map { [0, 1, 0.3][$0 % 3] })
    checkGradients([shape]) { binaryCrossEntropy($0[0], targets).reshaped([1]) }
    checkGradients([shape]) { binaryCrossEntropy($0[0], targets, divisor: 2).reshaped([1]) }
  }
}
