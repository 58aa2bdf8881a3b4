import Glibc

/// The loops of Adafactor over one parameter.
///
/// - Source: matches transformers' `Adafactor`, operation by operation where elements are concerned.
struct AdafactorLoop {
  private let size: MatrixSize
  private let parameter, firstMoment: UnsafeMutablePointer<Float>
  private let gradient: UnsafePointer<Float>
  /// Second moment: all elements, or means of rows and of columns.
  private let full, rowMeans, columnMeans: UnsafeMutablePointer<Float>?
  private let rowFactors, columnFactors: UnsafeMutablePointer<Float>
  private let rate, decay, b1, c1, b2, c2, scale: Float
  /// Added to every square.
  private let epsilon: Float = 1e-30

  init(
    _ part: OptimizerKernels.AdafactorPart, factors: UnsafeMutablePointer<Float>, beta1: Double,
    decayExponent: Double, gradientScale: Float
  ) {
    size = MatrixSize(part.parameter.shape)
    (parameter, gradient) = (part.parameter.pointer, UnsafePointer(part.gradient.pointer))
    firstMoment = part.firstMoment.pointer
    switch part.secondMoment {
    case .full(let tensor): (full, rowMeans, columnMeans) = (tensor.pointer, nil, nil)
    case .factored(let rows, let columns):
      (full, rowMeans, columnMeans) = (nil, rows.pointer, columns.pointer)
    }
    rowFactors = factors
    columnFactors = factors + size.matrices * size.rows
    let beta2 = 1 - pow(Double(part.step), decayExponent)
    (b1, c1) = (Float(beta1), Float(1 - beta1))
    (b2, c2) = (Float(beta2), Float(1 - beta2))
    rate = Float(part.learningRate)
    decay = Float(-part.weightDecay * part.learningRate)
    scale = gradientScale
  }

  /// Reads the gradients of a piece into the second moment.
  ///
  /// - Parameter sums: for one sum a column.
  /// - Returns: sum of squares of the update, if the piece knows it yet.
  func gather(_ piece: MatrixPiece, _ sums: UnsafeMutablePointer<Double>) -> Double {
    guard let rowMeans else { return gatherFull(piece.rows) }
    let (columns, perColumn) = (size.columns, Double(scale) * Double(scale) / Double(size.columns))
    for matrix in piece.matrices {
      sums.update(repeating: 0, count: columns)
      for row in piece.rows {
        let index = matrix * size.rows + row
        let g = gradient + index * columns
        let mean = Float(Kernels.sumOfSquares(g, count: columns) * perColumn) + epsilon
        rowMeans[index] = (b2 * rowMeans[index]).addingProduct(c2, mean)
        for c in 0..<columns {
          let value = Double(g[c])
          sums[c] += value * value
        }
      }
      if piece.isWhole { finish(matrix, sums, blockCount: 1) }
    }
    return piece.isWhole ? sumOfSquares(piece) : 0
  }

  private func gatherFull(_ range: Range<Int>) -> Double {
    guard let full else { return 0 }
    for i in range {
      let g = gradient[i] * scale
      full[i] = (b2 * full[i]).addingProduct(c2, g * g + epsilon)
    }
    var sum = 0.0
    for i in range {
      let update = Double(1 / full[i].squareRoot() * (gradient[i] * scale))
      sum += update * update
    }
    return sum
  }

  /// Moves the column means of a matrix whose row means have been moved, and sets its factors.
  ///
  /// - Parameter sums: one sum a column for each block of rows; the first ones become the totals.
  func finish(_ matrix: Int, _ sums: UnsafeMutablePointer<Double>, blockCount: Int) {
    guard let rowMeans, let columnMeans else { return }
    let (rows, columns) = (size.rows, size.columns)
    for block in 1..<max(1, blockCount) {
      let other = sums + block * columns
      for c in 0..<columns { sums[c] += other[c] }
    }
    let perRow = Double(scale) * Double(scale) / Double(rows)
    let (state, factors) = (columnMeans + matrix * columns, columnFactors + matrix * columns)
    for c in 0..<columns {
      let moved = (b2 * state[c]).addingProduct(c2, Float(sums[c] * perRow) + epsilon)
      state[c] = moved
      factors[c] = 1 / moved.squareRoot()
    }
    let (own, ownFactors) = (rowMeans + matrix * rows, rowFactors + matrix * rows)
    var total = 0.0
    for row in 0..<rows { total += Double(own[row]) }
    let mean = Float(total / Double(rows))
    for row in 0..<rows { ownFactors[row] = 1 / (own[row] / mean).squareRoot() }
  }

  /// Sum of squares of a piece's update before it is clipped.
  func sumOfSquares(_ piece: MatrixPiece) -> Double {
    var sum = 0.0
    for matrix in piece.matrices {
      let factors = UnsafePointer(columnFactors + matrix * size.columns)
      for row in piece.rows {
        let index = matrix * size.rows + row
        let factor = Double(rowFactors[index]) * Double(scale)
        sum += factor * factor * rowSquares(gradient + index * size.columns, factors)
      }
    }
    return sum
  }

  /// `Σ (g·f)²` of a row, in lanes over blocks of 4,096.
  private func rowSquares(_ g: UnsafePointer<Float>, _ f: UnsafePointer<Float>) -> Double {
    var sum = 0.0
    var i = 0
    while i < size.columns {
      let end = min(i + 4_096, size.columns)
      var lanes = SIMD16<Float>()
      while i + 16 <= end {
        let product = Kernels.load(g + i) * Kernels.load(f + i)
        lanes.addProduct(product, product)
        i &+= 16
      }
      var rest: Float = 0
      while i < end {
        rest += g[i] * f[i] * (g[i] * f[i])
        i &+= 1
      }
      sum += Double(lanes.sum()) + Double(rest)
    }
    return sum
  }

  /// Moves first moment and weights of a piece.
  ///
  /// - Returns: marks of values that are not finite.
  func move(_ piece: MatrixPiece, divisor: Float) -> UInt32 {
    let mover = Mover(b1: b1, c1: c1, rate: rate, decay: decay, scale: scale, divisor: divisor)
    if let full {
      let start = piece.rows.lowerBound
      return mover.moveFull(
        parameter + start, firstMoment + start, gradient + start, full + start, count: piece.rows.count)
    }
    var marks: UInt32 = 0
    for matrix in piece.matrices {
      let factors = columnFactors + matrix * size.columns
      for row in piece.rows {
        let index = matrix * size.rows + row
        let start = index * size.columns
        marks |= mover.moveRow(
          parameter + start, firstMoment + start, gradient + start, factors, rowFactors[index],
          count: size.columns)
      }
    }
    return marks
  }
}

/// The innermost loops, not inlined so that the numbers stay in registers while memory is written.
private struct Mover {
  let b1, c1, rate, decay, scale, divisor: Float

  @inline(never)
  func moveRow(
    _ parameter: UnsafeMutablePointer<Float>, _ moment: UnsafeMutablePointer<Float>,
    _ gradient: UnsafePointer<Float>, _ factors: UnsafePointer<Float>, _ rowFactor: Float, count: Int
  ) -> UInt32 {
    var marks: UInt32 = 0
    for i in 0..<count {
      marks |= move(parameter + i, moment + i, rowFactor * factors[i] * (gradient[i] * scale))
    }
    return marks
  }

  @inline(never)
  func moveFull(
    _ parameter: UnsafeMutablePointer<Float>, _ moment: UnsafeMutablePointer<Float>,
    _ gradient: UnsafePointer<Float>, _ squares: UnsafePointer<Float>, count: Int
  ) -> UInt32 {
    var marks: UInt32 = 0
    for i in 0..<count {
      marks |= move(parameter + i, moment + i, 1 / squares[i].squareRoot() * (gradient[i] * scale))
    }
    return marks
  }

  @inline(__always)
  private func move(
    _ parameter: UnsafeMutablePointer<Float>, _ moment: UnsafeMutablePointer<Float>, _ update: Float
  ) -> UInt32 {
    let moved = (b1 * moment.pointee).addingProduct(c1, update / divisor * rate)
    let new = parameter.pointee.addingProduct(decay, parameter.pointee) - moved
    moment.pointee = moved
    parameter.pointee = new
    return brokenMark(new)
  }
}
