/// The product behind `linear`: its matrix, how it is read, and its gradients.
struct LinearProduct {
  /// The matrix as it is stored.
  enum Weight {
    case full(Tensor)
    case half(HalfMatrix)
  }

  let weight: Weight
  /// Whether factors are rounded to bfloat16.
  let rounds: Bool
  let layout: WeightLayout
  let bias: Tensor?
  /// Factor of each output.
  let scale: Tensor?

  /// Extents as stored.
  private var extents: (rows: Int, columns: Int) {
    switch weight {
    case .full(let tensor): (tensor.shape[0], tensor.shape[1])
    case .half(let matrix): (matrix.rows, matrix.columns)
    }
  }
  private var out: Int { layout == .outIn ? extents.rows : extents.columns }
  private var width: Int { layout == .outIn ? extents.columns : extents.rows }

  /// The result with its place in the tape.
  func result(
    _ x: Tensor, weightNode: Node?, biasNode: Node?, adding sum: LinearSum?, halves: Bool
  ) -> Tensor {
    precondition(x.shape.last == width, "linear: [\(x.shape)] × [\(extents)] \(layout)")
    precondition(
      [bias, scale].allSatisfy { $0.map { $0.count == out } ?? true },
      "linear: bias [\(bias?.shape ?? [])], scale [\(scale?.shape ?? [])] for \(out) outputs")
    let shape = x.shape.replacingLast(out)
    precondition(
      sum.map { $0.residual.shape == shape } ?? true, "linear: sum with [\(sum?.residual.shape ?? [])]")
    let y = forward(x, shape, sum?.residual, halves: halves && rounds && sum == nil)
    let nodes = [x.node, weightNode, biasNode, sum?.residual.node, sum?.scale?.node]
    let keepsInput = weightNode != nil || sum?.scale?.node != nil
    let kept = keepsInput ? SavedTensor(x, for: nodes) : nil
    let (inputShape, halvesInput) = (x.shape, x.isHalf)
    return y.recorded(nodes) { gradient, sink in
      sink.add(3, gradient)
      let dy = sink.wants(0) || keepsInput ? factor(gradient) : .full(gradient)
      if sink.wants(0) { inputGradient(dy, sink, inputShape, halves: halvesInput) }
      parameterGradients(gradient, dy, kept?.tensor, sink)
    }
  }

  // MARK: - Forward

  private func forward(_ x: Tensor, _ shape: Shape, _ residual: Tensor?, halves: Bool) -> Tensor {
    let rows = x.shape.rows
    let input = factor(x)
    let matrix = scaledMatrix()
    if halves, case .half(let a) = input, case .half(let b) = matrix {
      let result = Tensor(halfUninitialized: shape)
      withExtendedLifetime((result, bias)) {
        Kernels.matmul(
          HalfOperand(a), HalfOperand(b, transposed: layout == .outIn),
          bias: bias.map { UnsafePointer($0.pointer) },
          into: result.halfPointer, m: rows, n: out, k: width)
      }
      return result
    }
    let result = Tensor(uninitialized: shape)
    result.withMutablePointer { y in
      let start = start(y, residual, rows)
      multiply(input, matrix, transposingB: layout == .outIn, into: y, rows, out, width, beta: start)
    }
    return result
  }

  /// Writes what the product is added to, and how much of it counts.
  private func start(_ y: UnsafeMutablePointer<Float>, _ residual: Tensor?, _ rows: Int) -> Float {
    let shift = scale.map { scale in bias.map { scaledBias($0, scale) } } ?? bias
    switch (residual, shift) {
    case (nil, nil): return 0
    case (nil, let shift?): shift.read { Kernels.fillRows(y, with: $0, rows: rows, width: out) }
    case (let residual?, nil): residual.read { Kernels.copy($0, into: y, count: rows * out) }
    case (let residual?, let shift?):
      with(residual, shift) { Kernels.addRow($0, $1, into: y, rows: rows, width: out) }
    }
    return 1
  }

  private func scaledBias(_ bias: Tensor, _ scale: Tensor) -> Tensor {
    let result = Tensor(uninitialized: bias.shape)
    with(bias, scale, result) { Kernels.multiply($0, $1, into: $2, count: out) }
    return result
  }

  // MARK: - Factors

  /// A factor in the form that the product takes.
  private func factor(_ x: Tensor) -> Weight { rounds ? .half(HalfMatrix(rounding: x)) : .full(x.detached) }

  /// The matrix with every output's factor in it.
  private func scaledMatrix() -> Weight {
    let (rows, columns) = extents
    switch weight {
    case .half(let matrix):
      guard let scale else { return weight }
      let result = HalfMatrix(uninitialized: rows, columns)
      withExtendedLifetime((matrix, scale)) {
        Kernels.scaleMatrix(
          matrix.pointer, scale.pointer, along: layout, into: result.pointer, rows: rows, columns: columns)
      }
      return .half(result)
    case .full(let tensor):
      guard let scale else { return factor(tensor) }
      if rounds {
        let result = HalfMatrix(uninitialized: rows, columns)
        with(tensor, scale) {
          Kernels.scaleMatrix($0, $1, along: layout, into: result.pointer, rows: rows, columns: columns)
        }
        return .half(result)
      }
      let result = Tensor(uninitialized: tensor.shape)
      with(tensor, scale, result) {
        Kernels.scaleMatrix($0, $1, along: layout, into: $2, rows: rows, columns: columns)
      }
      return .full(result)
    }
  }

  /// `c = a·b + beta · c`, the factors read transposed where asked.
  private func multiply(
    _ a: Weight, transposingA: Bool = false, _ b: Weight, transposingB: Bool,
    into c: UnsafeMutablePointer<Float>,
    _ m: Int, _ n: Int, _ k: Int, beta: Float
  ) {
    switch (a, b) {
    case (.half(let a), .half(let b)):
      Kernels.matmul(
        HalfOperand(a, transposed: transposingA), HalfOperand(b, transposed: transposingB), into: c, m: m,
        n: n,
        k: k, beta: beta)
    case (.full(let a), .full(let b)):
      with(a, b) { x, y in
        Kernels.matmul(
          Operand(x, rowStride: transposingA ? m : k, transposed: transposingA),
          Operand(y, rowStride: transposingB ? k : n, transposed: transposingB), into: c, rowStride: n, m: m,
          n: n,
          k: k, beta: beta)
      }
    default: preconditionFailure("linear: factors of two kinds")
    }
  }

  // MARK: - Backward

  /// `dx = dy·W`.
  private func inputGradient(_ dy: Weight, _ sink: GradientSink, _ shape: Shape, halves: Bool) {
    let matrix = scaledMatrix()
    let rows = shape.rows
    if halves, case .half(let a) = dy, case .half(let b) = matrix {
      let result = Tensor(halfUninitialized: shape)
      withExtendedLifetime(result) {
        Kernels.matmul(
          HalfOperand(a), HalfOperand(b, transposed: layout == .inOut), bias: nil, into: result.halfPointer,
          m: rows,
          n: width, k: out)
      }
      return sink.add(0, result)
    }
    sink.accumulate(0, shape) { target, beta in
      multiply(dy, matrix, transposingB: layout == .inOut, into: target, rows, width, out, beta: beta)
    }
  }

  /// Gradients of matrix, bias and factors.
  private func parameterGradients(_ gradient: Tensor, _ dy: Weight, _ x: Tensor?, _ sink: GradientSink) {
    let rows = gradient.shape.rows
    guard let scale else {
      if let x, sink.wants(1) {
        let input = factor(x)
        sink.accumulate(1, Shape([extents.rows, extents.columns])) { target, beta in
          weightGradient(dy, input, into: target, rows, beta: beta)
        }
      }
      if sink.wants(2) {
        sink.accumulate(2, [out]) { target, beta in columnSums(gradient, into: target, rows, beta: beta) }
      }
      return
    }
    guard sink.wants(1) || sink.wants(2) || sink.wants(4) else { return }
    let shift = Tensor(uninitialized: [out])
    shift.withMutablePointer { columnSums(gradient, into: $0, rows, beta: 0) }
    if sink.wants(2) { sink.add(2, scaledBias(shift, scale)) }
    guard let x, sink.wants(1) || sink.wants(4) else { return }
    // Of the product before its factors: the gradient of W is γ times it, that of γ what W makes of it.
    let plain = Tensor(uninitialized: Shape([extents.rows, extents.columns]))
    let input = factor(x)
    plain.withMutablePointer { weightGradient(dy, input, into: $0, rows, beta: 0) }
    scaledGradients(plain, shift, scale, sink)
  }

  private func scaledGradients(_ plain: Tensor, _ shift: Tensor, _ scale: Tensor, _ sink: GradientSink) {
    let (rows, columns) = extents
    if sink.wants(4) {
      let full =
        switch weight {
        case .full(let tensor): tensor
        case .half(let matrix): matrix.widened
        }
      sink.accumulate(4, scale.shape) { target, beta in
        with(plain, full) {
          Kernels.matrixDots($0, $1, along: layout, into: target, beta: beta, rows: rows, columns: columns)
        }
        if let bias { with(bias, shift) { b, s in for i in 0..<out { target[i] += b[i] * s[i] } } }
      }
    }
    if sink.wants(1) {
      let own = Tensor(uninitialized: plain.shape)
      with(plain, scale, own) {
        Kernels.scaleMatrix($0, $1, along: layout, into: $2, rows: rows, columns: columns)
      }
      sink.add(1, own)
    }
  }

  /// `dyᵀ·x`, or its transpose where the matrix is stored so.
  private func weightGradient(
    _ dy: Weight, _ x: Weight, into target: UnsafeMutablePointer<Float>, _ rows: Int, beta: Float
  ) {
    if layout == .outIn {
      multiply(dy, transposingA: true, x, transposingB: false, into: target, out, width, rows, beta: beta)
    } else {
      multiply(x, transposingA: true, dy, transposingB: false, into: target, width, out, rows, beta: beta)
    }
  }

  private func columnSums(
    _ gradient: Tensor, into target: UnsafeMutablePointer<Float>, _ rows: Int, beta: Float
  ) {
    gradient.withElements(
      { Kernels.columnSums($0, times: nil, into: target, beta: beta, rows: rows, width: out) },
      { Kernels.columnSums($0, times: nil, into: target, beta: beta, rows: rows, width: out) })
  }
}

extension Tensor {
  /// Lends the elements in the form in which they lie in memory.
  @inline(__always)
  func withElements<R>(
    _ full: (UnsafeMutablePointer<Float>) -> R, _ half: (UnsafeMutablePointer<BFloat16>) -> R
  ) -> R {
    withExtendedLifetime(storage) { isHalf ? half(halfPointer) : full(pointer) }
  }
}
