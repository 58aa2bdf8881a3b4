import CleftNN
import CleftTensor
import CleftTraining

/// A module of nothing but parameters under given keys.
final class LooseParameters: Module {
  final class One: Module {
    @Parameter var value: Tensor
    init(_ name: String, _ shape: Shape) { _value = Parameter(name, shape, .zeros) }
  }

  @Inline var parts: [One]

  init(_ entries: KeyValuePairs<String, Tensor>) {
    _parts = Inline()
    parts = entries.map { One($0.key, $0.value.shape) }
    for (part, entry) in zip(parts, entries) { part.$value.value = entry.value.copied() }
  }

  /// All of them in one group.
  func group(weightDecay: Double = 0) -> [ParameterGroup] {
    ParameterGroups.single(self, weightDecay: weightDecay)
  }

  /// Gradients of some parameters, by key.
  func gradients(_ known: [String: Tensor]) -> Gradients {
    let found = parameters.compactMap { named in known[named.path].map { (named.cell, $0) } }
    return CleftTensor.gradients(of: found.map { $0.0.value.tracked(by: $0.0.leaf) }, found.map(\.1))
  }

  /// A parameter's elements.
  subscript(_ key: String) -> [Float] { parameters.first { $0.path == key }?.cell.value.array ?? [] }
}

/// Start values and gradients that `Tests/Fixtures/optimizers/make.py` writes the same way.
enum KnownValues {
  static func start(_ number: Int, _ shape: Shape) -> Tensor {
    Tensor(shape, (0..<shape.count).map { Float(Double(($0 * 37 + number * 101) % 1009) / 1009 - 0.5) })
  }

  static func gradient(_ number: Int, _ shape: Shape, step: Int, scale: Double) -> Tensor {
    Tensor(
      shape,
      (0..<shape.count).map { i in
        if (i + step) % 11 == 5 { return 0 }
        let remainder = (3 * i * i + 13 * i + 7 * step + 31 * number) % 997
        return Float((Double(remainder) / 997 - 0.5) * scale)
      })
  }
}
