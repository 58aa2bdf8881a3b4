/// Adds two tensors of one shape.
public func + (a: Tensor, b: Tensor) -> Tensor {
  precondition(a.shape == b.shape, "add: [\(a.shape)] + [\(b.shape)]")
  let result = Tensor(uninitialized: a.shape)
  with(a, b, result) { Kernels.add($0, $1, into: $2, count: a.count) }
  return result.recorded([a.node, b.node]) { gradient, sink in
    sink.add(0, gradient)
    sink.add(1, gradient)
  }
}

/// Multiplies every element by a constant.
public func * (a: Tensor, factor: Float) -> Tensor {
  let result = Tensor(uninitialized: a.shape)
  with(a, result) { Kernels.scale($0, by: factor, into: $1, count: a.count) }
  return result.recorded([a.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(gradient, out) { Kernels.scale($0, by: factor, into: $1, count: gradient.count) }
    sink.add(0, out)
  }
}

/// The two published forms of the Gaussian error linear unit.
public enum GELUForm: Sendable {
  /// `x·Φ(x)` with the error function; ViT.
  case erf
  /// The tanh approximation (`gelu_new`); GPT-2.
  case tanh
}

/// The Gaussian error linear unit, element by element; in bfloat16 where `x` is.
///
/// - Saves: `x`, from which a product that follows has its factor made again.
/// - Numerics: absolute error below 3e-7 of the float64 value for |x| ≤ 10.
/// - Source: Hendrycks and Gimpel 2016, arXiv 1606.08415.
public func gelu(_ x: Tensor, _ form: GELUForm) -> Tensor {
  let (kept, halves) = (SavedTensor(x, for: [x.node]), x.isHalf)
  var result = geluValues(x, form).recorded([x.node]) { gradient, sink in
    sink.add(0, geluSlopes(kept.tensor, gradient, form, halves: halves))
  }
  if result.isTracked { result.recipe = Recipe { geluValues(kept.tensor, form) } }
  return result
}

private func geluValues(_ x: Tensor, _ form: GELUForm) -> Tensor {
  func run<E: Element>(_ x: UnsafeMutablePointer<E>, _ y: UnsafeMutablePointer<E>, _ count: Int) {
    switch form {
    case .erf: Kernels.gelu(x, into: y, count: count)
    case .tanh: Kernels.geluTanh(x, into: y, count: count)
    }
  }
  let result = Tensor(likeStored: x)
  withExtendedLifetime((x, result)) {
    x.isHalf
      ? run(x.halfPointer, result.halfPointer, x.count) : run(x.pointer, result.pointer, x.count)
  }
  return result
}

private func geluSlopes(_ x: Tensor, _ gradient: Tensor, _ form: GELUForm, halves: Bool) -> Tensor {
  func run<E: Element, G: Element>(
    _ x: UnsafeMutablePointer<E>, _ dy: UnsafeMutablePointer<G>, _ dx: UnsafeMutablePointer<E>, _ count: Int
  ) {
    switch form {
    case .erf: Kernels.geluBackward(x, dy, into: dx, count: count)
    case .tanh: Kernels.geluTanhBackward(x, dy, into: dx, count: count)
    }
  }
  let result = halves ? Tensor(halfUninitialized: x.shape) : Tensor(uninitialized: x.shape)
  withExtendedLifetime((x, gradient, result)) {
    switch (halves, gradient.isHalf) {
    case (true, true): run(x.halfPointer, gradient.halfPointer, result.halfPointer, x.count)
    case (true, false): run(x.halfPointer, gradient.pointer, result.halfPointer, x.count)
    default: run(x.pointer, gradient.pointer, result.pointer, x.count)
    }
  }
  return result
}

/// Adds a branch scaled per channel: `residual + gamma ⊙ branch` (LayerScale).
///
/// - Shapes: `residual`, `branch` `[..., C]`; `gamma` `[C]`.
/// - Saves: `branch` if `gamma` is tracked, `gamma` if `branch` is.
/// - Source: Touvron et al. 2021, arXiv 2103.17239, §2.
public func addScaled(_ residual: Tensor, _ branch: Tensor, _ gamma: Tensor) -> Tensor {
  precondition(
    residual.shape == branch.shape && gamma.shape == [branch.shape.last],
    "addScaled: [\(residual.shape)] + [\(gamma.shape)] ⊙ [\(branch.shape)]")
  let (rows, width) = (branch.shape.rows, branch.shape.last)
  let result = Tensor(uninitialized: residual.shape)
  with(residual, branch, gamma, result) { Kernels.addScaled($0, $1, $2, into: $3, rows: rows, width: width) }
  let savedBranch = gamma.isTracked ? SavedTensor(branch, for: [gamma.node]) : nil
  let savedGamma = gamma.detached
  return result.recorded([residual.node, branch.node, gamma.node]) { gradient, sink in
    sink.add(0, gradient)
    if sink.wants(1) {
      let out = Tensor(uninitialized: gradient.shape)
      with(gradient, savedGamma, out) { Kernels.scaleColumns($0, $1, into: $2, rows: rows, width: width) }
      sink.add(1, out)
    }
    if let savedBranch, sink.wants(2) {
      sink.accumulate(2, [width]) { target, beta in
        with(gradient, savedBranch.tensor) {
          Kernels.columnSums($0, times: $1, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
  }
}

/// Multiplies each channel by a factor of its own: `x ⊙ factors`.
///
/// - Shapes: `x` `[..., C]`; `factors` `C` elements of any shape.
/// - Saves: `x` if the factors are tracked, the factors if `x` is.
public func scaleColumns(_ x: Tensor, by factors: Tensor) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(factors.count == width, "scaleColumns: [\(x.shape)] by [\(factors.shape)]")
  let result = Tensor(uninitialized: x.shape)
  with(x, factors, result) { Kernels.scaleColumns($0, $1, into: $2, rows: rows, width: width) }
  let savedInput = factors.isTracked ? SavedTensor(x, for: [factors.node]) : nil
  let savedFactors = factors.detached
  return result.recorded([x.node, factors.node]) { gradient, sink in
    if sink.wants(0) {
      let out = Tensor(uninitialized: gradient.shape)
      with(gradient, savedFactors, out) { Kernels.scaleColumns($0, $1, into: $2, rows: rows, width: width) }
      sink.add(0, out)
    }
    if let savedInput, sink.wants(1) {
      sink.accumulate(1, savedFactors.shape) { target, beta in
        with(gradient, savedInput.tensor) {
          Kernels.columnSums($0, times: $1, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
  }
}

/// Drops elements with probability `probability` and scales the others by 1/(1 - p), then adds `residual` if given.
///
/// - Shapes: `x` and `residual` `[..., C]`; the decision for an element depends on `key`, its row and its column.
/// - Saves: the key.
public func dropout(_ x: Tensor, probability: Float, key: RandomKey, adding residual: Tensor? = nil) -> Tensor
{
  if probability <= 0 { return residual.map { $0 + x } ?? x }
  precondition(probability < 1, "dropout: probability \(probability)")
  let mask = DropoutMask(key: key, probability: probability)
  let (rows, width) = (x.shape.rows, x.shape.last)
  let result = Tensor(uninitialized: x.shape)
  with(result, residual ?? result) { y, other in
    let added = residual == nil ? nil : other
    x.withElements(
      { Kernels.dropout($0, adding: added, mask: mask, into: y, rows: rows, width: width) },
      { Kernels.dropout($0, adding: added, mask: mask, into: y, rows: rows, width: width) })
  }
  let halvesInput = x.isHalf
  return result.recorded([x.node, residual?.node]) { gradient, sink in
    if sink.wants(0) {
      let out =
        halvesInput ? Tensor(halfUninitialized: gradient.shape) : Tensor(uninitialized: gradient.shape)
      gradient.withMutablePointer { dy in
        out.withElements(
          { Kernels.dropout(dy, adding: nil, mask: mask, into: $0, rows: rows, width: width) },
          { Kernels.dropout(dy, adding: nil, mask: mask, into: $0, rows: rows, width: width) })
      }
      sink.add(0, out)
    }
    sink.add(1, gradient)
  }
}
