import CleftNN
import CleftTensor

/// A trained low-rank correction of a frozen matrix.
///
/// `y = x·W + b + scale · dropout(x)·Aᵀ·Bᵀ`; with DoRA each output's whole weight vector has a trained length `m`.
///
/// - Shapes: `A` `[rank, in]`; `B` `[out, rank]`; `m` `[out]`.
/// - Initial state: `A` Kaiming-uniform with a = √5, `B` zero, `m` the lengths of the weights, so the output equals the
///   base layer's; see `LoRAConfig.Start` for others.
/// - Source: Hu et al. 2021, arXiv 2106.09685, §4.1; Kalajdzievski 2023, arXiv 2312.03732 (rsLoRA); Liu et al. 2024,
///   arXiv 2402.09353 (DoRA); Meng et al. 2024, arXiv 2404.02948 (PiSSA). Matches PEFT `lora.Linear`.
public final class LoRABranch: AdapterBranch {
  @Parameter var a: Tensor
  @Parameter var b: Tensor
  @OptionalParameter var magnitude: Tensor?
  /// Name of the adapter.
  public let adapterName: String
  /// Factor on the correction.
  public let scale: Float
  private let config: LoRAConfig
  /// Squared lengths of the base layer's weight vectors; its weights are frozen.
  private var baseLengths: [Double]?

  init(_ base: Linear, _ config: LoRAConfig, rank: Int, scale: Float, name: String) {
    self.config = config
    self.scale = scale
    adapterName = name
    let startOfA: Initializer =
      config.start == .gaussian ? .normal(deviation: 1 / Float(rank)) : .linear(fanIn: base.inputSize)
    _a = Parameter("lora_A.\(name).weight", [rank, base.inputSize], startOfA)
    _b = Parameter(
      "lora_B.\(name).weight", [base.outputSize, rank],
      config.start == .random ? .linear(fanIn: rank) : .zeros)
    _magnitude = OptionalParameter(
      "lora_magnitude_vector.\(name).weight", [base.outputSize], .ones, isPresent: config.usesDoRA)
  }

  /// Sets the values that depend on the base layer's; PiSSA also changes those.
  func start(from base: Linear) {
    withoutGradients {
      if case .pissa(let iterations) = config.start {
        let weight = base.layout == .outIn ? base.$weight.value : transposed(base.$weight.value)
        let top = SingularValues.largest(
          $a.shape[0], of: weight, iterations: iterations, key: RandomKey(seed: 0).split("pissa"))
        let roots = top.values.map { ($0 / scale).squareRoot() }
        let columns = Tensor([1, roots.count], roots)
        $b.value = scaleColumns(top.left, by: columns)
        $a.value = transposed(scaleColumns(transposed(top.right), by: columns))
        var weights = LinearWeights(base)
        weights.addProduct($b.value, $a.value, scale: -scale)
        base.$weight.value = weights.weight
      }
      if let magnitude = $magnitude {
        magnitude.value = Tensor(magnitude.shape, lengths(base).map { Float($0) })
      }
    }
  }

  /// That of the correction's input.
  public var dropout: Float { config.dropout }

  /// Adds the correction.
  public func output(_ y: Tensor, _ x: Tensor, _ base: Linear, _ context: ForwardContext) -> Tensor {
    let dropout = context.isTraining ? config.dropout : 0
    let dropped = context.dropout(x, dropout, "lora")
    // The factor goes where there is least to multiply.
    let low = linear(dropped, a, nil) * scale
    guard let magnitude else { return linear(low, b, nil, adding: LinearSum(y)) }
    let correction = linear(low, b, nil)
    let lengths = withoutGradients { self.lengths(base) }
    let factors = scaleColumns(magnitude, by: Tensor([magnitude.count], lengths.map { Float(1 / $0) }))
    if dropout > 0 {
      // PEFT scales the dropped input's product and leaves the plain output as it is.
      let product = linear(dropped, base.weight, nil, layout: base.layout)
      return y + scaleColumns(product + correction, by: factors) + product * -1
    }
    guard let bias = base.bias else { return scaleColumns(y + correction, by: factors) }
    return addRow(scaleColumns(addRow(y, bias * -1) + correction, by: factors), bias)
  }

  /// The published alpha is 32, whatever the rank.
  public var scaleOverPublished: Float? { scale * Float($a.shape[0]) / 32 }

  /// Puts the correction into the matrix.
  public func merged(_ weights: LinearWeights) -> LinearWeights {
    var weights = weights
    weights.addProduct($b.value, $a.value, scale: scale)
    guard let magnitude = $magnitude?.value else { return weights }
    let rows = weights.layout == .outIn ? weights.weight : transposed(weights.weight)
    let lengths = (0..<rows.shape[0]).map { row in gatherRows(rows, [row]).sumOfSquares.squareRoot() }
    weights.scaleOutputs(
      Tensor([lengths.count], zip(magnitude.array, lengths).map { $0 / Float($1) }))
    return weights
  }

  /// Lengths of the rows of `W + scale·B·A`, without ever making that matrix.
  ///
  /// `‖w + s·b·A‖² = ‖w‖² + 2s·b·(A·w) + s²·b·(A·Aᵀ)·b`
  private func lengths(_ base: Linear) -> [Double] {
    let (a, b) = ($a.value, $b.value)
    let known = baseLengths ?? squaredLengths(base)
    baseLengths = known
    let rank = a.shape[0]
    let weight = base.$weight.peek()
    let along =
      base.layout == .outIn ? matmul(weight, a, transposingB: true) : transposed(matmul(a, weight))
    let within = matmul(b, matmul(a, a, transposingB: true))
    let scale = Double(scale)
    return along.read { along in
      b.read { b in
        within.read { within in
          known.indices.map { row in
            var (cross, square) = (0.0, 0.0)
            for r in row * rank..<(row + 1) * rank {
              cross += Double(b[r]) * Double(along[r])
              square += Double(b[r]) * Double(within[r])
            }
            return max(known[row] + 2 * scale * cross + scale * scale * square, 0).squareRoot()
          }
        }
      }
    }
  }

  private func squaredLengths(_ base: Linear) -> [Double] {
    let weight = base.$weight.peek()
    let rows = base.layout == .outIn ? weight : transposed(weight)
    return (0..<rows.shape[0]).map { gatherRows(rows, [$0]).sumOfSquares }
  }
}
