import CleftNN
import CleftTensor
import Testing

/// Start values are those of the key's generator, drawn one after the other.
@Suite struct InitializerTests {
  @Test(arguments: [
    Initializer.constant(0.25), .linear(fanIn: 48), .normal(deviation: 1e-6),
    .truncatedNormal(deviation: 0.02),
  ])
  func drawsInSequence(_ initializer: Initializer) {
    let shape: Shape = [3, 11_003]
    let key = RandomKey(seed: 7).split(name: "blocks.0.attn.qkv.weight")
    var generator = key.generator
    let expected = (0..<shape.count).map { _ in draw(initializer, &generator) }
    let tensor = initializer.makeTensor(shape, key: key)
    #expect(tensor.shape == shape)
    #expect(tensor.array.map(\.bitPattern) == expected.map(\.bitPattern))
  }

  private func draw(_ initializer: Initializer, _ generator: inout RandomGenerator) -> Float {
    switch initializer {
    case .constant(let value): return value
    case .uniform(let bound): return Float(generator.uniform(Double(-bound), Double(bound)))
    case .normal(let deviation): return Float(generator.normal()) * deviation
    case .truncatedNormal(let deviation):
      var value = generator.normal()
      while abs(value) > 2 { value = generator.normal() }
      return Float(value) * deviation
    }
  }
}
