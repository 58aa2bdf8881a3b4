import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

/// What PyTorch's and transformers' optimizers make of the same gradients; see `Fixtures/optimizers`.
@Suite(.tags(.parity)) struct OptimizerFixtureTests {
  struct Fixture: Decodable {
    struct Parameter: Decodable {
      var name: String
      var shape: [Int]
    }
    struct Case: Decodable {
      var optimizer: String
      var momentum, weight_decay: Double
      var clip: Double?
      var norms: [Double]
    }
    struct Half: Decodable {
      var start, end: [Float]
      var steps: Int
      var moved: [Bool]
    }
    var steps: Int
    var rates, scales: [Double]
    var shapes: [Parameter]
    var missing: [String: [Int]]
    var cases: [String: Case]
    var half: [String: Half]
  }

  static func read() throws -> Fixture {
    try JSONDecoder().decode(
      Fixture.self, from: Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/optimizers/cases.json")))
  }

  /// Weights and all state after eight steps, to 1e-6 of each tensor's largest magnitude, and the length of every step's
  /// gradient.
  @Test(arguments: [
    "adamw_decay", "adamw_plain", "adamw_clipped", "sgd_decay", "sgd_plain", "sgd_clipped", "adafactor_decay",
    "adafactor_plain", "adafactor_clipped",
  ])
  func everyTensorIsPyTorchs(_ name: String) throws {
    let fixture = try Self.read()
    #expect(fixture.cases.count == 9)
    let settings = try #require(fixture.cases[name])
    let expected = try SafeTensorsFile("\(fixtures)/optimizers/expected.safetensors")
    let toy = LooseParameters([:])
    toy.parts = fixture.shapes.map { LooseParameters.One($0.name, Shape($0.shape)) }
    for (number, part) in toy.parts.enumerated() {
      part.$value.value = KnownValues.start(number, part.value.shape)
    }
    let groups = toy.group(weightDecay: settings.weight_decay)
    let optimizer = try OptimizerCatalog.named(settings.optimizer).make(
      groups, OptimizerSettings(momentum: settings.momentum))
    for step in 0..<fixture.steps {
      var known: [String: Tensor] = [:]
      for (number, parameter) in fixture.shapes.enumerated()
      where fixture.missing[parameter.name]?.contains(step) != true {
        known[parameter.name] = KnownValues.gradient(
          number, Shape(parameter.shape), step: step, scale: fixture.scales[step])
      }
      let gradients = toy.gradients(known)
      let norm = GradientNorm(gradients, groups)
      if settings.clip != nil { #expect(abs(norm.total - settings.norms[step]) <= 1e-12 * norm.total) }
      let broken = optimizer.step(
        gradients, learningRate: fixture.rates[step], gradientScale: norm.scale(limit: settings.clip))
      #expect(broken == nil)
    }
    var found: [String: Tensor] = [:]
    for named in toy.parameters { found["\(named.path).value"] = named.cell.value }
    for (key, tensor) in optimizer.state {
      let parts = key.split(separator: ".")
      if parts[0] == "step" {
        let missing = fixture.missing[String(parts[1])]?.count ?? 0
        #expect(tensor.item == Float(fixture.steps - missing), "\(key)")
      } else {
        found["\(parts[1]).\(parts[0])"] = tensor
      }
    }
    let keys = expected.entries.keys.filter { $0.hasPrefix(name + "/") }.map {
      String($0.dropFirst(name.count + 1))
    }
    // PyTorch keeps no buffer for a momentum of 0.
    #expect(Set(keys) == Set(found.keys.filter { settings.momentum > 0 || !$0.hasSuffix("momentum_buffer") }))
    for key in keys {
      let all = try #require(found[key]?.array)
      let answers = try expected.tensor("\(name)/\(key)").array
      let sampled = stride(from: 0, to: all.count, by: (all.count / 100) | 1).map { all[$0] }
      try #require(sampled.count == answers.count)
      let largest = answers.reduce(0) { max($0, abs($1)) }
      let error = zip(sampled, answers).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(largest > 0 && error <= 1e-6 * largest, "\(key): \(error / largest)")
    }
  }

  /// Weights without a finer copy: what stands still in PyTorch stands still here, bit for bit, and what moves moves.
  @Test(arguments: ["adamw", "sgd"])
  func bfloat16WeightsStandStillWherePyTorchsDo(_ name: String) throws {
    let half = try #require(try Self.read().half[name])
    let toy = LooseParameters(["weight": Tensor([half.start.count], half.start)])
    let entry = try OptimizerCatalog.named(name)
    let optimizer = entry.make(
      toy.group(weightDecay: name == "adamw" ? 0.1 : 0), OptimizerSettings(momentum: 0.9, isHalfStored: true))
    let rounded = half.start.map { float(fromBFloat16: bfloat16Bits($0)) }
    #expect(toy["weight"] == rounded, "start weights are rounded")
    let gradient = Tensor([half.start.count], repeating: 0.1)
    for _ in 0..<half.steps {
      let broken = optimizer.step(
        toy.gradients(["weight": gradient]), learningRate: name == "adamw" ? 4e-5 : 1e-4)
      #expect(broken == nil)
    }
    #expect(zip(toy["weight"], rounded).map { $0 != $1 } == half.moved)
    for (i, moved) in half.moved.enumerated() where !moved { #expect(toy["weight"][i] == half.end[i]) }
    for (i, moved) in half.moved.enumerated() where moved {
      // PyTorch rounds within the step too: the way is the same to a fifth.
      let (way, torch) = (toy["weight"][i] - rounded[i], half.end[i] - rounded[i])
      #expect(abs(way - torch) < 0.2 * abs(torch), "\(way), PyTorch \(torch)")
    }
    #expect(gradient.array.allSatisfy { $0 == 0.1 }, "the caller's gradients stay")
  }
}
