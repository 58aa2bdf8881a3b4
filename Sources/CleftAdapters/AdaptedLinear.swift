import CleftNN
import CleftTensor

/// What one adapter does at one linear layer.
///
/// The branch sees the layer's input and its output, and knows how to put its effect into the weights.
public protocol AdapterBranch: Module {
  /// Name of the adapter that the branch is part of.
  var adapterName: String { get }
  /// Dropout in training, 0 for none.
  var dropout: Float { get }
  /// What the base layer is given instead of `x`.
  func input(_ x: Tensor) -> Tensor
  /// The layer's output: `y` is that of the base layer and of the branches before.
  func output(_ y: Tensor, _ x: Tensor, _ base: Linear, _ context: ForwardContext) -> Tensor
  /// The factor on the correction over the one that the published program's fixed alpha gives; nil without one.
  var scaleOverPublished: Float? { get }
  /// The same effect on weights.
  func merged(_ weights: LinearWeights) -> LinearWeights
}

extension AdapterBranch {
  /// The factor on the correction over the one that the published program's fixed alpha gives; nil without one.
  public var scaleOverPublished: Float? { nil }

  /// The input as it is.
  public func input(_ x: Tensor) -> Tensor { x }
}

/// Matrix and bias of a linear layer, as stored.
public struct LinearWeights {
  /// `[out, in]` or `[in, out]`.
  public var weight: Tensor
  /// `[out]`.
  public var bias: Tensor?
  /// How the matrix is stored.
  public let layout: WeightLayout

  init(_ layer: Linear) {
    weight = layer.$weight.value
    bias = layer.$bias?.value
    layout = layer.layout
  }

  /// Adds `scale · B·A`.
  ///
  /// - Shapes: `a` `[rank, in]`, `b` `[out, rank]`.
  mutating func addProduct(_ b: Tensor, _ a: Tensor, scale: Float) {
    let correction = layout == .outIn ? matmul(b, a) : matmul(transposed(a), b, transposingB: true)
    weight = weight + correction * scale
  }

  /// Multiplies every output's row of the matrix by a factor, the bias left as it is.
  mutating func scaleOutputs(_ factors: Tensor) {
    weight = layout == .inOut ? scaleColumns(weight, by: factors) : scaledRows(weight, by: factors)
  }

  /// Multiplies every input's column of the matrix by a factor.
  mutating func scaleInputs(_ factors: Tensor) {
    weight = layout == .outIn ? scaleColumns(weight, by: factors) : scaledRows(weight, by: factors)
  }
}

/// A frozen linear layer with one or more adapters on it.
///
/// - Shapes: `[..., in]` → `[..., out]`; keys `base_layer.weight`, `base_layer.bias` and those of the branches.
public final class AdaptedLinear: UnaryLayer {
  /// The wrapped layer.
  @Child("base_layer") public var base: Linear
  /// What each adapter does here, in the order they were added.
  @Inline public var branches: [any AdapterBranch]

  init(_ base: Linear) { _base.wrappedValue = base }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    var y = base(branches.reduce(x) { $1.input($0) }, context)
    for branch in branches { y = branch.output(y, x, base, context) }
    return y
  }

  /// A plain layer with the adapters' effect in its weights.
  public func merged() -> Linear {
    let weights = withoutGradients { branches.reduce(LinearWeights(base)) { $1.merged($0) } }
    let layer = Linear(base.inputSize, base.outputSize, bias: weights.bias != nil, layout: base.layout)
    layer.$weight.value = weights.weight
    if let bias = weights.bias { layer.$bias?.value = bias }
    return layer
  }
}

/// Layers that were replaced by merged ones, to take the merge back.
public struct MergedAdapters {
  /// Paths of the merged layers.
  public let paths: [String]
  private let originals: [String: AdaptedLinear]

  /// Puts every adapter's effect into the weights of its layer and takes the adapters out.
  public init(_ root: any Module) {
    var originals: [String: AdaptedLinear] = [:]
    paths = root.replaceChildren { path, module in
      guard let adapted = module as? AdaptedLinear else { return nil }
      originals[path] = adapted
      return adapted.merged()
    }
    self.originals = originals
  }

  /// Puts the adapted layers back; the base weights were never changed.
  public func undo(in root: any Module) {
    root.replaceChildren { path, _ in originals[path] }
  }
}

/// A copy with the two axes exchanged.
func transposed(_ x: Tensor) -> Tensor {
  let (rows, columns) = (x.shape[0], x.shape[1])
  let result = Tensor(uninitialized: [columns, rows])
  x.read { source in
    result.withMutablePointer { target in
      for row in 0..<rows {
        for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
      }
    }
  }
  return result
}

/// A copy with each row multiplied by its factor.
private func scaledRows(_ x: Tensor, by factors: Tensor) -> Tensor {
  let (rows, columns) = (x.shape[0], x.shape[1])
  let result = Tensor(uninitialized: x.shape)
  x.read { source in
    factors.read { factors in
      result.withMutablePointer { target in
        for i in 0..<rows * columns { target[i] = source[i] * factors[i / columns] }
      }
    }
  }
  return result
}
