import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

@Suite struct ScheduleTests {
  /// Worked values of the published schedule.
  @Test(arguments: [
    (0, 1e-8), (1, 1.99975e-8), (2, 2.9995e-8), (100, 1.00975e-6), (3999, 3.99900025e-5), (4000, 4e-5),
    (4001, 3.999999992386469e-5), (8000, 3.879415395261424e-5), (20000, 2.3477095312450277e-5),
    (22000, 2.0005e-5),
    (39999, 1.0000076135315346e-8), (40000, 1e-8),
  ])
  func pretraining(_ step: Int, _ rate: Double) {
    let schedule = CosineWarmup(peak: 4e-5, floor: 1e-8, warmupSteps: 4000, cycleSteps: 40000)
    #expect(abs(schedule.rate(at: step) - rate) <= 1e-12 * rate)
  }

  @Test(arguments: [
    (0, 1e-5), (1, 1.09e-5), (100, 1e-4), (101, 9.999999644181868e-5), (4000, 5.589469844492816e-5),
    (4050, 5.5e-5),
    (8000, 1e-5), (8001, 1.09e-5),
  ])
  func promptTuning(_ step: Int, _ rate: Double) {
    let schedule = CosineWarmup(peak: 1e-4, floor: 1e-5, warmupSteps: 100, cycleSteps: 8000)
    #expect(abs(schedule.rate(at: step) - rate) <= 1e-12 * rate)
  }

  @Test func withoutWarmUpTheFirstStepIsStillSlow() {
    let schedule = CosineWarmup(peak: 1, floor: 0.1, warmupSteps: 0, cycleSteps: 10)
    #expect(schedule.rate(at: 0) == 0.1)
    #expect(schedule.rate(at: 1) > 0.9)
    #expect(schedule.rate(at: 10) == 1)
  }
}

@Suite struct OptimizerTests {
  private final class Toy: Module {
    @Parameter var matrix: Tensor
    @Parameter var vector: Tensor
    @Parameter var unused: Tensor

    init() {
      _matrix = Parameter("matrix", [1, 2], .constant(1))
      _vector = Parameter("vector", [2], .constant(1))
      _unused = Parameter("unused", [1, 1], .constant(1))
    }
  }

  /// Gradient 2 in each element of `matrix`, 1 in each of `vector`, none in `unused`.
  private func gradients(_ toy: Toy) -> Gradients {
    linear(Tensor([1, 2], [2, 2]), toy.matrix, nil).gradientsOfSum(with: toy.vector)
  }

  @Test func adamWMovesByTheRateAndDecaysMatricesOnly() {
    let toy = Toy()
    let parameters = ParameterGroups.published(toy, weightDecay: 0.5, decaysLogitScale: false)
    let optimizer = AdamW(parameters)
    optimizer.step(gradients(toy), learningRate: 0.1)
    // Decay 1 - 0.1·0.5, then a first step of exactly the rate.
    for value in toy.matrix.array { #expect(abs(value - (0.95 - 0.1)) < 1e-5) }
    for value in toy.vector.array { #expect(abs(value - 0.9) < 1e-5) }
    #expect(toy.unused.array == [1], "no gradient: no decay, no state")
    #expect(optimizer.state.map(\.key).count == 6)
  }

  @Test func sgdFollowsItsMomentum() {
    let toy = Toy()
    let optimizer = SGD(ParameterGroups.single(toy, weightDecay: 0), momentum: 0.5)
    for _ in 0..<2 { optimizer.step(gradients(toy), learningRate: 0.1) }
    for value in toy.matrix.array { #expect(abs(value - (1 - 0.1 * 2 - 0.1 * (0.5 * 2 + 2))) < 1e-5) }
  }

  @Test func restoredStateGoesOnBitForBit() {
    func run(cut: Int?) -> [Float] {
      let toy = Toy()
      var optimizer = AdamW(ParameterGroups.published(toy, weightDecay: 0.1, decaysLogitScale: false))
      for step in 0..<6 {
        if step == cut {
          let state = Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.key, $0.tensor) })
          optimizer = AdamW(ParameterGroups.published(toy, weightDecay: 0.1, decaysLogitScale: false))
          optimizer.restore(state)
        }
        optimizer.step(gradients(toy), learningRate: 0.01 * Double(step + 1))
      }
      return toy.matrix.array + toy.vector.array
    }
    #expect(run(cut: nil) == run(cut: 3))
  }
}

extension Tensor {
  /// Gradients of the sum of `self` and of `other`'s elements.
  fileprivate func gradientsOfSum(with other: Tensor) -> Gradients {
    let ones = Tensor([1, other.count], repeating: 1)
    let sum = matmul(other.reshaped([1, other.count]), ones, transposingB: true)
    return (self + sum).reshaped([]).gradients()
  }
}
