import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

/// Steps that can be checked by hand, and what all optimizers promise.
@Suite struct OptimizerTests {
  static let names = OptimizerCatalog.all.map(\.name)

  private static func make(
    _ name: String, _ groups: [ParameterGroup], momentum: Double = 0.9
  ) throws -> any Optimizer {
    try OptimizerCatalog.named(name).make(groups, OptimizerSettings(momentum: momentum))
  }

  @Test func adamWMovesByTheRateAndDecaysMatricesOnly() {
    let toy = LooseParameters([
      "matrix": Tensor([1, 2], repeating: 1), "vector": Tensor([2], repeating: 1),
      "unused": Tensor([1, 1], repeating: 1),
    ])
    let optimizer = AdamW(ParameterGroups.published(toy, weightDecay: 0.5, decaysLogitScale: false))
    let gradients = toy.gradients(["matrix": Tensor([1, 2], [2, -2]), "vector": Tensor([2], repeating: 1)])
    #expect(optimizer.step(gradients, learningRate: 0.1) == nil)
    // Decay 1 − 0.1·0.5, then a first step of exactly the rate.
    for (value, expected) in zip(toy["matrix"], [0.95 - 0.1, 0.95 + 0.1] as [Float]) {
      #expect(abs(value - expected) < 1e-6)
    }
    for value in toy["vector"] { #expect(abs(value - 0.9) < 1e-6) }
    #expect(toy["unused"] == [1], "no gradient: no decay, no state")
    #expect(
      optimizer.state.map(\.key) == [
        "step.matrix", "exp_avg.matrix", "exp_avg_sq.matrix", "step.vector", "exp_avg.vector",
        "exp_avg_sq.vector",
      ])
  }

  @Test func sgdFollowsItsMomentum() {
    let toy = LooseParameters(["weight": Tensor([2], [1, 2])])
    let optimizer = SGD(toy.group(), momentum: 0.5)
    for _ in 0..<2 { optimizer.step(toy.gradients(["weight": Tensor([2], [2, 4])]), learningRate: 0.1) }
    for (value, expected) in zip(toy["weight"], [1 - 0.2 - 0.3, 2 - 0.4 - 0.6] as [Float]) {
      #expect(abs(value - expected) < 1e-6)
    }
    #expect(optimizer.state.map(\.key) == ["momentum_buffer.weight"])
  }

  /// Squares of rank one are kept exactly, so that the first update is the gradient's sign: length 1, nothing to clip.
  @Test func adafactorMovesByTheRateWhereTheFactorsFit() {
    let toy = LooseParameters(["weight": Tensor([2, 3], repeating: 1), "bias": Tensor([2], repeating: 1)])
    let optimizer = Adafactor(toy.group(weightDecay: 0.5), beta1: 0)
    let gradients = toy.gradients([
      "weight": Tensor([2, 3], [1, -2, 3, 2, 4, -6]), "bias": Tensor([2], [-3, 0]),
    ])
    #expect(optimizer.step(gradients, learningRate: 0.1) == nil)
    for (value, sign) in zip(toy["weight"], [1, -1, 1, 1, 1, -1] as [Float]) {
      #expect(abs(value - (0.95 - 0.1 * sign)) < 1e-6)
    }
    for (value, sign) in zip(toy["bias"], [-1, 0] as [Float]) {
      #expect(abs(value - (0.95 - 0.1 * sign)) < 1e-6)
    }
    let state = Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.key, $0.tensor) })
    #expect(
      optimizer.state.map(\.key) == [
        "step.bias", "exp_avg.bias", "exp_avg_sq.bias", "step.weight", "exp_avg.weight",
        "exp_avg_sq_row.weight", "exp_avg_sq_col.weight",
      ])
    #expect(state["exp_avg_sq_row.weight"]?.array.map { ($0 * 3).rounded() } == [14, 56])
    #expect(state["exp_avg_sq_col.weight"]?.array.map { ($0 * 2).rounded() } == [5, 20, 45])
  }

  /// A second gradient ten times the first gives an update longer than 1, which is scaled down to 1.
  @Test func adafactorClipsALongUpdate() {
    let toy = LooseParameters(["bias": Tensor([1], repeating: 0)])
    let optimizer = Adafactor(toy.group(), beta1: 0)
    optimizer.step(toy.gradients(["bias": Tensor([1], [1])]), learningRate: 0)
    optimizer.step(toy.gradients(["bias": Tensor([1], [10])]), learningRate: 0.25)
    #expect(abs(toy["bias"][0] + 0.25) < 1e-6)
  }

  /// One element at a time, in the order of operations that stored runs rest on.
  @Test func adamWKeepsItsArithmeticToTheBit() {
    let shape: Shape = [3, 23]
    let toy = LooseParameters(["weight": KnownValues.start(1, shape)])
    let optimizer = AdamW(toy.group(weightDecay: 0.1), beta1: 0.9)
    var (weights, first, second) = (
      toy["weight"], [Float](repeating: 0, count: 69), [Float](repeating: 0, count: 69)
    )
    for step in 1...4 {
      let gradient = KnownValues.gradient(0, shape, step: step, scale: 2)
      optimizer.step(toy.gradients(["weight": gradient]), learningRate: 0.01)
      let rate = Float(0.01 / (1 - pow(0.9, Double(step))))
      let root = Float(1 / (1 - pow(0.999, Double(step))).squareRoot())
      for (i, g) in gradient.array.enumerated() {
        first[i] = (0.9 * first[i]).addingProduct(Float(1 - 0.9), g)
        second[i] = (0.999 * second[i]).addingProduct(Float(1 - 0.999) * g, g)
        weights[i] =
          Float(1 - 0.01 * 0.1) * weights[i] - rate * first[i] / (second[i].squareRoot() * root + 1e-8)
      }
      #expect(toy["weight"] == weights, "step \(step)")
    }
  }

  @Test func sgdKeepsItsArithmeticToTheBit() {
    let shape: Shape = [3, 23]
    let toy = LooseParameters(["weight": KnownValues.start(1, shape)])
    let optimizer = SGD(toy.group(weightDecay: 0.1), momentum: 0.9)
    var (weights, buffer) = (toy["weight"], [Float](repeating: 0, count: 69))
    for step in 1...4 {
      let gradient = KnownValues.gradient(0, shape, step: step, scale: 2)
      optimizer.step(toy.gradients(["weight": gradient]), learningRate: 0.01)
      for (i, g) in gradient.array.enumerated() {
        let decayed = g.addingProduct(0.1, weights[i])
        buffer[i] = step == 1 ? decayed : decayed.addingProduct(0.9, buffer[i])
        weights[i] -= 0.01 * buffer[i]
      }
      #expect(toy["weight"] == weights, "step \(step)")
    }
  }

  @Test(arguments: names)
  func scaledGradientsAreScaledOnce(_ name: String) throws {
    func run(_ factor: Float, _ scale: Float) throws -> [Float] {
      let toy = LooseParameters(["weight": KnownValues.start(0, [9, 7]), "bias": KnownValues.start(1, [5])])
      let optimizer = try Self.make(name, toy.group(weightDecay: 0.1))
      for step in 0..<3 {
        let known = ["weight": Shape([9, 7]), "bias": [5]].mapValues {
          KnownValues.gradient(2, $0, step: step, scale: Double(factor))
        }
        _ = optimizer.step(toy.gradients(known), learningRate: 0.01, gradientScale: scale)
      }
      return toy["weight"] + toy["bias"]
    }
    // Powers of two lose nothing.
    #expect(try run(1, 0.25) == run(0.25, 1))
    if name == "sgd" { #expect(try run(1, 0.25) != run(1, 1)) }
  }

  @Test(arguments: names)
  func aGroupsRateIsScaled(_ name: String) throws {
    func run(_ scale: Double, _ rate: Double) throws -> [Float] {
      let toy = LooseParameters(["weight": KnownValues.start(0, [4, 3])])
      let group = toy.group()[0]
      let optimizer = try Self.make(
        name,
        [ParameterGroup(name: "g", weightDecay: 0.1, rateScale: scale, parameters: group.parameters)])
      let gradient = KnownValues.gradient(0, [4, 3], step: 0, scale: 1)
      optimizer.step(toy.gradients(["weight": gradient]), learningRate: rate)
      return toy["weight"]
    }
    #expect(try run(0.5, 0.02) == run(1, 0.01))
    #expect(try run(0.5, 0.02) != run(1, 0.02))
  }

  @Test(arguments: names)
  func theFirstBrokenWeightIsNamed(_ name: String) throws {
    let shapes: [String: Shape] = ["a": [5], "b": [40, 3], "c": [300, 200], "d": []]
    for (bad, position) in [("a", 4), ("b", 17), ("c", 59_999), ("d", 0)] {
      for value in [Float.nan, -.infinity] {
        let toy = LooseParameters([
          "a": Tensor([5], repeating: 1), "b": Tensor([40, 3], repeating: 1),
          "c": Tensor([300, 200], repeating: 1), "d": Tensor([], repeating: 1),
        ])
        let optimizer = try Self.make(name, toy.group())
        let known = shapes.mapValues { Tensor($0, repeating: 0.5) }
        #expect(optimizer.step(toy.gradients(known), learningRate: 0.1) == nil)
        known[bad]?.withMutablePointer { $0[position] = value }
        known["d"]?.withMutablePointer { $0[0] = .nan }
        #expect(optimizer.step(toy.gradients(known), learningRate: 0.1) == bad)
      }
    }
  }

  @Test(arguments: names, [1, 4])
  func restoredStateGoesOnBitForBit(_ name: String, _ cut: Int) throws {
    func run(cut: Int?) throws -> [Float] {
      let toy = LooseParameters([
        "weight": KnownValues.start(0, [9, 7]), "bias": KnownValues.start(1, [5]),
        "late": KnownValues.start(2, [2, 3]), "scalar": KnownValues.start(3, []),
      ])
      var optimizer = try Self.make(name, toy.group(weightDecay: 0.1))
      for step in 0..<6 {
        if step == cut {
          let state = optimizer.state.map { ($0.key, $0.tensor.copied()) }
          optimizer = try Self.make(name, toy.group(weightDecay: 0.1))
          try optimizer.restore(Dictionary(uniqueKeysWithValues: state))
        }
        var known: [String: Tensor] = [:]
        for (number, named) in toy.parameters.enumerated() where named.path != "late" || step >= 2 {
          known[named.path] = KnownValues.gradient(number, named.cell.shape, step: step, scale: 1)
        }
        optimizer.step(toy.gradients(known), learningRate: 0.01 * Double(step + 1))
      }
      return toy.parameters.flatMap { $0.cell.value.array } + optimizer.state.flatMap(\.tensor.array)
    }
    #expect(try run(cut: nil) == run(cut: cut))
  }

  @Test func foreignOrDamagedStateIsRefused() throws {
    let toy = LooseParameters(["weight": KnownValues.start(0, [4, 3])])
    func message(_ name: String, _ state: [String: Tensor]) throws -> String {
      let optimizer = try Self.make(name, toy.group())
      return try #require(throws: TrainingError.self) { try optimizer.restore(state) }.description
    }
    let shape: Shape = [4, 3]
    let adam = [
      "step.weight": Tensor([]), "exp_avg.weight": Tensor(shape), "exp_avg_sq.weight": Tensor(shape),
    ]
    let hint = "The checkpoint belongs to another optimizer or model."
    #expect(
      try message("sgd", adam)
        == "optimizer state: exp_avg.weight: a tensor of another optimizer; expected the state of SGD. \(hint)"
    )
    #expect(
      try message("adamw", adam.merging(["exp_avg_sq.weight": Tensor([3, 4])]) { $1 })
        == "optimizer state: exp_avg_sq.weight: shape 3x4; expected shape 4x3. \(hint)")
    #expect(
      try message("adafactor", adam)
        == "optimizer state: exp_avg_sq_row.weight: missing; expected shape 4. \(hint)")
    try Self.make("adamw", toy.group()).restore(adam)
    try Self.make("adamw", toy.group()).restore(["adalora.step": Tensor([])])
  }

  @Test func anUnknownNameListsTheKnownOnes() {
    #expect(Self.names == ["adamw", "sgd", "adafactor"])
    let error = #expect(throws: TrainingError.self) { try OptimizerCatalog.named("adam") }
    #expect(error?.description == "--optimizer: 'adam'; expected one of adamw, sgd, adafactor.")
  }
}

/// The same bits for every thread count; in a process of its own, whose budget nobody else uses.
@Suite struct OptimizerThreadTests {
  static let shapes: [Shape] = [
    [], [33], [100_000], [7, 19], [300, 260], [130, 700], [2, 200, 170], [5_000, 3, 3], [4, 3, 5, 5],
  ]

  /// Weights, state and gradient length after three steps of every optimizer.
  static func results() throws -> [Float] {
    try OptimizerCatalog.all.flatMap { entry -> [Float] in
      let cells = shapes.enumerated().map { LooseParameters.One("p\($0)", $1) }
      let toy = LooseParameters([:])
      toy.parts = cells
      for (number, cell) in cells.enumerated() {
        cell.$value.value = KnownValues.start(number, shapes[number])
      }
      let optimizer = entry.make(toy.group(weightDecay: 0.1), OptimizerSettings(momentum: 0.9))
      var lengths: [Float] = []
      for step in 0..<3 {
        var known: [String: Tensor] = [:]
        for (number, shape) in shapes.enumerated() {
          known["p\(number)"] = KnownValues.gradient(number, shape, step: step, scale: 1)
        }
        let gradients = toy.gradients(known)
        lengths.append(
          Float(bitPattern: UInt32(truncatingIfNeeded: GradientNorm(gradients, toy.group()).total.bitPattern))
        )
        _ = optimizer.step(gradients, learningRate: 0.01, gradientScale: 0.5)
      }
      return lengths + toy.parameters.flatMap { $0.cell.value.array }
        + optimizer.state.flatMap(\.tensor.array)
    }
  }

  @Test func threadsChangeNoBit() async {
    await #expect(processExitsWith: .success) {
      Runtime.configure(threads: 1)
      let one = try OptimizerThreadTests.results().map(\.bitPattern)
      #expect(one.count > 600_000)
      for threads in [2, 3, 8] {
        Runtime.configure(threads: threads)
        #expect(try OptimizerThreadTests.results().map(\.bitPattern) == one, "\(threads) threads")
      }
    }
  }
}
