import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

/// What stands around an optimizer, and the length of gradients.
@Suite struct OptimizerWrapperTests {
  private static func isHalf(_ value: Float) -> Bool { value.bitPattern & 0xFFFF == 0 }

  @Test(arguments: OptimizerCatalog.all.map(\.name))
  func everythingHalfStoredIsRounded(_ name: String) throws {
    let toy = LooseParameters([
      "weight": KnownValues.start(0, [9, 7]), "bias": KnownValues.start(1, [5]),
      "frozen": KnownValues.start(2, [3]),
    ])
    toy.parts[2].$value.isTrainable = false
    let frozen = toy["frozen"]
    let optimizer = try OptimizerCatalog.named(name).make(
      toy.group(), OptimizerSettings(momentum: 0.9, isHalfStored: true))
    for step in 0..<3 {
      let known = ["weight": Shape([9, 7]), "bias": [5]].mapValues {
        KnownValues.gradient(0, $0, step: step, scale: 1)
      }
      optimizer.step(toy.gradients(known), learningRate: 0.05)
      #expect(toy["weight"].allSatisfy(Self.isHalf) && toy["bias"].allSatisfy(Self.isHalf))
    }
    let state = optimizer.state.filter { !$0.key.hasPrefix("step.") }
    #expect(state.count >= 2)
    // transformers keeps Adafactor's state in float32.
    for (key, tensor) in state where name != "adafactor" || key.hasPrefix("exp_avg_sq.") {
      #expect(tensor.array.allSatisfy(Self.isHalf) == (name != "adafactor"), "\(key)")
    }
    #expect(toy["frozen"] == frozen && frozen.contains { !Self.isHalf($0) }, "frozen weights are left alone")
  }

  @Test func halfStoredStateGoesOnBitForBit() throws {
    func run(cut: Int?) throws -> [Float] {
      let toy = LooseParameters(["weight": KnownValues.start(0, [9, 7])])
      let settings = OptimizerSettings(momentum: 0.9, isHalfStored: true, maxLogitScale: 100)
      var optimizer = try OptimizerCatalog.named("adamw").make(toy.group(weightDecay: 0.1), settings)
      for step in 0..<6 {
        if step == cut {
          let state = optimizer.state.map { ($0.key, $0.tensor.copied()) }
          optimizer = try OptimizerCatalog.named("adamw").make(toy.group(weightDecay: 0.1), settings)
          try optimizer.restore(Dictionary(uniqueKeysWithValues: state))
        }
        let gradient = KnownValues.gradient(0, [9, 7], step: step, scale: 1)
        optimizer.step(toy.gradients(["weight": gradient]), learningRate: 0.01)
      }
      return toy["weight"] + optimizer.state.flatMap(\.tensor.array)
    }
    #expect(try run(cut: nil) == run(cut: 3))
  }

  /// To nearest, ties to even; overflow is found.
  @Test func roundingIsToNearestEven() {
    let bits: [(from: UInt32, to: UInt32)] = [
      (0x3F80_0000, 0x3F80_0000), (0x3F80_7FFF, 0x3F80_0000), (0x3F80_8000, 0x3F80_0000),
      (0x3F80_8001, 0x3F81_0000), (0x3F81_8000, 0x3F82_0000), (0xBF81_8000, 0xBF82_0000),
      (0x0000_8001, 0x0001_0000), (0x7F80_0000, 0x7F80_0000), (0x7F7F_FFFF, 0x7F80_0000),
    ]
    let source = Tensor([bits.count], bits.map { Float(bitPattern: $0.from) })
    let target = Tensor([bits.count])
    #expect(GradientKernels.roundToHalf([(source, target)]) == 0)
    #expect(target.array.map(\.bitPattern) == bits.map(\.to))
    let odd = Tensor([1], [Float(bitPattern: 0x7F80_0001)])
    #expect(GradientKernels.roundToHalf([(Tensor([3]), Tensor([3])), (odd, odd)]) == 1)
    #expect(odd.item.isNaN)
  }

  @Test func theLogitScaleIsHeldAtItsLimit() throws {
    let toy = LooseParameters(["logit_scale": Tensor([], [4.5]), "weight": Tensor([2, 2], repeating: 4.5)])
    let optimizer = MaxLogitScale(SGD(toy.group(), momentum: 0), limit: 100)
    let up = ["logit_scale": Tensor([], [-1]), "weight": Tensor([2, 2], repeating: -1)]
    optimizer.step(toy.gradients(up), learningRate: 0.1)
    #expect(abs(toy["logit_scale"][0] - 4.6) < 1e-6)
    #expect(optimizer.notes.isEmpty)
    for _ in 0..<3 { optimizer.step(toy.gradients(up), learningRate: 0.1) }
    #expect(toy["logit_scale"] == [Float(log(100.0))])
    #expect(abs(toy["weight"][0] - 4.9) < 1e-5, "nothing else is held")
    #expect(optimizer.notes == ["--max_logit_scale 100.0 held logit_scale back after 3 step(s)."])
    #expect(optimizer.state.map(\.key) == ["momentum_buffer.logit_scale", "momentum_buffer.weight"])
    let down = ["logit_scale": Tensor([], [1])]
    optimizer.step(toy.gradients(down), learningRate: 0.1)
    #expect(abs(toy["logit_scale"][0] - 4.505_17) < 1e-4, "it may fall again")

    let without = LooseParameters(["weight": Tensor([2])])
    let notes = MaxLogitScale(SGD(without.group(), momentum: 0), limit: 100).notes
    #expect(notes == ["--max_logit_scale 100.0 has no effect: logit_scale is not trained."])
  }

  @Test func theWholeGradientIsMeasured() {
    let toy = LooseParameters([
      "a": Tensor([3]), "b": Tensor([2, 2]), "long": Tensor([100_003]), "none": Tensor([2]),
    ])
    let known = [
      "a": Tensor([3], [3, 0, 0]), "b": Tensor([2, 2], [0, 4, 0, 0]),
      "long": Tensor([100_003], repeating: 0.5),
    ]
    let norm = GradientNorm(toy.gradients(known), toy.group())
    #expect(abs(norm.total - (25 + 100_003 * 0.25).squareRoot()) < 1e-10)
    #expect(norm.broken == nil)
    #expect(norm.scale(limit: nil) == 1 && norm.scale(limit: 1e6) == 1)
    #expect(abs(norm.scale(limit: 1) * Float(norm.total) - 1) < 1e-6)
    // A square beyond float32's range is no broken gradient.
    let large = GradientNorm(toy.gradients(["a": Tensor([3], [3e30, 4e30, 0])]), toy.group())
    #expect(abs(large.total / 5e30 - 1) < 1e-6 && large.broken == nil)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func theFirstBrokenGradientIsNamed(_ value: Float) {
    let toy = LooseParameters(["a": Tensor([3]), "long": Tensor([100_003]), "z": Tensor([])])
    for position in [0, 7, 32_767, 32_768, 100_002] {
      var elements = [Float](repeating: 1, count: 100_003)
      elements[position] = value
      let known = ["a": Tensor([3]), "long": Tensor([100_003], elements), "z": Tensor([], [value])]
      let norm = GradientNorm(toy.gradients(known), toy.group())
      #expect(norm.broken == "long" && !norm.total.isFinite)
    }
  }
}
