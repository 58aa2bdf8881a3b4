import CleftTensor
import Testing

/// A tensor of reproducible numbers between -1 and 1.
func numbers(_ shape: Shape, _ seed: UInt64) -> Tensor {
  let key = RandomKey(seed: seed)
  return Tensor(shape, (0..<shape.count).map { Float(2 * key.uniform(at: $0) - 1) })
}

/// Compares the gradients of `Σ weights·body(inputs)` with central differences in every input element.
///
/// Float32 differences with a step of 1e-2 carry an error of about 1e-4 of the loss's size, hence the tolerance.
func checkGradients(
  _ shapes: [Shape], seed: UInt64 = 1, step: Float = 1e-2, tolerance: Float = 2e-2,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: ([Tensor]) -> Tensor
) {
  let values = shapes.enumerated().map { numbers($1, seed &+ UInt64($0)) }
  let leaves = shapes.map { _ in Node() }
  let output = body(zip(values, leaves).map { $0.tracked(by: $1) })
  let weights = numbers(output.shape, seed &+ 99)
  let gradients = weightedSum(output, weights).gradients()
  for (index, value) in values.enumerated() {
    guard let gradient = gradients[leaves[index]] else {
      Issue.record("no gradient for input \(index)", sourceLocation: sourceLocation)
      continue
    }
    #expect(gradient.shape == value.shape, sourceLocation: sourceLocation)
    let found = gradient.array
    for element in 0..<value.count {
      func loss(_ shift: Float) -> Double {
        var moved = values
        var elements = value.array
        elements[element] += shift
        moved[index] = Tensor(value.shape, elements)
        return zip(body(moved).array, weights.array).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      let expected = Float((loss(step) - loss(-step)) / Double(2 * step))
      let limit = tolerance * max(1, abs(expected))
      #expect(
        abs(found[element] - expected) <= limit,
        "input \(index) element \(element): \(found[element]), expected \(expected)",
        sourceLocation: sourceLocation)
    }
  }
}

/// `Σ a·w` as a tracked scalar, through a product.
private func weightedSum(_ a: Tensor, _ weights: Tensor) -> Tensor {
  matmul(a.reshaped([1, a.count]), weights.reshaped([1, a.count]), transposingB: true).reshaped([])
}
