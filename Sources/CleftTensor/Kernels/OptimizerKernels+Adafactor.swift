extension OptimizerKernels {
  /// One parameter of an Adafactor step.
  public struct AdafactorPart {
    /// What is kept of the squared gradients.
    public enum SecondMoment {
      /// Means over columns `[..., R]` and over rows `[..., C]` of a parameter `[..., R, C]`.
      case factored(rows: Tensor, columns: Tensor)
      /// Every element; for parameters with fewer than two axes.
      case full(Tensor)
    }

    /// Changed in place; `gradient` is only read.
    public var parameter, gradient, firstMoment: Tensor
    /// Changed in place.
    public var secondMoment: SecondMoment
    /// Rate and decay of this step.
    public var learningRate, weightDecay: Double
    /// Steps of this parameter, this one included.
    public var step: Int

    /// Makes a part.
    public init(
      parameter: Tensor, gradient: Tensor, moments: (first: Tensor, second: SecondMoment),
      learningRate: Double, weightDecay: Double, step: Int
    ) {
      precondition(
        gradient.shape == parameter.shape && moments.first.shape == parameter.shape,
        "adafactor: [\(parameter.shape)], gradient [\(gradient.shape)]")
      (self.parameter, self.gradient) = (parameter, gradient)
      (firstMoment, secondMoment) = moments
      (self.learningRate, self.weightDecay, self.step) = (learningRate, weightDecay, step)
    }
  }

  /// Adafactor with a first moment and a rate from outside.
  ///
  /// Two passes over the gradients for means and length, one that moves the weights; small matrices need one less. Sums are
  /// taken in Double over fixed blocks.
  ///
  /// - Parameters:
  ///   - decayExponent: of the step, in the second moment's decay.
  ///   - gradientScale: multiplies every gradient first.
  public static func adafactor(
    _ parts: [AdafactorPart], beta1: Double, decayExponent: Double, clipThreshold: Float,
    gradientScale: Float
  ) -> Int? {
    let plan = AdafactorPlan(parts)
    let factors = Tensor(uninitialized: [plan.factorCount])
    let sums = Storage(byteCount: plan.sumCount * MemoryLayout<Double>.stride)
    return withExtendedLifetime((parts, factors, sums)) {
      let loops = parts.indices.map {
        AdafactorLoop(
          parts[$0], factors: factors.pointer + plan.factorStarts[$0], beta1: beta1,
          decayExponent: decayExponent, gradientScale: gradientScale)
      }
      let columnSums = sums.base.assumingMemoryBound(to: Double.self)
      let squares = plan.squares(loops, columnSums)
      let divisors = parts.indices.map {
        max(1, Float((squares[$0] / Double(parts[$0].parameter.count)).squareRoot()) / clipThreshold)
      }
      return plan.all.map { loops[$0.part].move($0, divisor: divisors[$0.part]) }
        .firstIndex { $0 >> 31 != 0 }.map { plan.all.pieces[$0].part }
    }
  }
}

/// Some matrices of a parameter `[..., R, C]`, or some rows of one; a parameter with fewer axes is one column.
struct MatrixPiece {
  let part: Int
  let matrices: Range<Int>
  let rows: Range<Int>
  /// Whether the rows are all there are, so that means are known when the piece has been read.
  let isWhole: Bool
  /// Where the piece's column sums are.
  let sums: Int
}

/// How the parameters of a step are cut, and where intermediate results lie.
private struct AdafactorPlan {
  /// A matrix of several pieces.
  struct LargeMatrix {
    let part, matrix, sums, blockCount: Int
  }

  let all: FusedPass<MatrixPiece>
  private let blocks: FusedPass<MatrixPiece>
  private let large: [LargeMatrix]
  /// Where each part's factors start.
  let factorStarts: [Int]
  let factorCount, sumCount: Int

  init(_ parts: [OptimizerKernels.AdafactorPart]) {
    var pieces: [MatrixPiece] = []
    var large: [LargeMatrix] = []
    var starts: [Int] = []
    var (factorCount, sumCount) = (0, 0)
    for (index, part) in parts.enumerated() {
      let size = MatrixSize(part.parameter.shape)
      starts.append(factorCount)
      if part.parameter.shape.rank >= 2 { factorCount += size.matrices * (size.rows + size.columns) }
      Self.cut(index, size, isFactored: part.parameter.shape.rank >= 2, &pieces, &large, &sumCount)
    }
    let elements = parts.reduce(0) { $0 + $1.parameter.count }
    all = FusedPass(pieces, elementCount: elements)
    blocks = FusedPass(pieces.filter { !$0.isWhole }, elementCount: elements)
    (self.large, factorStarts) = (large, starts)
    (self.factorCount, self.sumCount) = (factorCount, sumCount)
  }

  private static func cut(
    _ part: Int, _ size: MatrixSize, isFactored: Bool, _ pieces: inout [MatrixPiece],
    _ large: inout [LargeMatrix], _ sumCount: inout Int
  ) {
    let length = FusedPass<MatrixPiece>.pieceLength
    let area = size.rows * size.columns
    if area == 0 || size.matrices == 0 { return }
    func add(_ matrices: Range<Int>, _ rows: Range<Int>, isWhole: Bool) {
      pieces.append(
        MatrixPiece(part: part, matrices: matrices, rows: rows, isWhole: isWhole, sums: sumCount))
      if isFactored { sumCount += size.columns }
    }
    guard isFactored else {
      for start in stride(from: 0, to: size.rows, by: length) {
        add(0..<1, start..<min(start + length, size.rows), isWhole: true)
      }
      return
    }
    if area <= length {
      let several = length / area
      for start in stride(from: 0, to: size.matrices, by: several) {
        add(start..<min(start + several, size.matrices), 0..<size.rows, isWhole: true)
      }
      return
    }
    // At least 64 rows, so that the sums kept for the columns stay few.
    let rows = max(64, (length + size.columns - 1) / size.columns)
    for matrix in 0..<size.matrices {
      large.append(
        LargeMatrix(
          part: part, matrix: matrix, sums: sumCount, blockCount: (size.rows + rows - 1) / rows))
      for start in stride(from: 0, to: size.rows, by: rows) {
        add(matrix..<matrix + 1, start..<min(start + rows, size.rows), isWhole: false)
      }
    }
  }

  /// Moves the second moments, sets the factors, and gives each part's sum of squares of the unclipped update.
  func squares(_ loops: [AdafactorLoop], _ sums: UnsafeMutablePointer<Double>) -> [Double] {
    var squares = [Double](repeating: 0, count: loops.count)
    for (piece, sum) in zip(all.pieces, all.map { loops[$0.part].gather($0, sums + $0.sums) }) {
      squares[piece.part] += sum
    }
    if large.isEmpty { return squares }
    spread(large.count) { index in
      let one = large[index]
      loops[one.part].finish(one.matrix, sums + one.sums, blockCount: one.blockCount)
    }
    for (piece, sum) in zip(blocks.pieces, blocks.map { loops[$0.part].sumOfSquares($0) }) {
      squares[piece.part] += sum
    }
    return squares
  }
}

/// A shape as matrices: `[..., R, C]`; with fewer than two axes one matrix of one column.
struct MatrixSize {
  let matrices, rows, columns: Int

  init(_ shape: Shape) {
    guard shape.rank >= 2 else {
      (matrices, rows, columns) = (1, shape.count, 1)
      return
    }
    columns = shape.last
    rows = shape[-2]
    matrices = shape.dimensions.dropLast(2).reduce(1, *)
  }
}
