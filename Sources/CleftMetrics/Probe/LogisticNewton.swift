import CleftTensor

/// Newton's method for logistic regression: each step solves a system by conjugate gradients, which need the matrix of second
/// derivatives only through products with it, and goes as far along its solution as the loss falls.
///
/// Conjugate gradients are preconditioned with the Cholesky factor of `a·ZᵀZ + λ·I`, `a` being the mean curvature; with ½ or ¼
/// for `a` that matrix is Böhning's bound of the second derivatives. Where that takes longer than to sum up the rows anew,
/// each row counts by its own mean curvature.
///
/// - Source: Böhning 1992, "Multinomial logistic regression algorithm"; Nocedal & Wright 2006, §7.1.
struct LogisticNewton {
  private let rows: StandardizedRows
  private let loss: LogisticLoss
  /// `ZᵀZ`, below and on the diagonal.
  private let gram: [Double]
  /// Whether rows count by their own curvature in the preconditioner.
  private var weighsRows = false
  /// Factor of half the squared weights, intercepts left out.
  private let penalty: Double
  private var preconditioner: (curvature: Double, system: SymmetricSystem)?

  /// Weights `[width, J]`, intercepts last.
  private(set) var weights: [Double]
  /// Steps taken.
  private(set) var steps = 0
  /// The largest slope by a weight when it ended.
  private(set) var gradientNorm = Double.infinity
  /// Whether another step would change nothing that matters.
  private(set) var isConverged = false
  private var scores: [Double]

  private static let stepLimit = 100
  private static let solutionLimit = 400

  init(
    _ rows: StandardizedRows, _ loss: LogisticLoss, gram: [Double], penalty: Double, start: [Double]
  ) {
    (self.rows, self.loss, self.gram, self.penalty) = (rows, loss, gram, penalty)
    weights = start
    scores = rows.products(start, columns: loss.columns)
  }

  /// Goes to the minimum.
  mutating func run() {
    let columns = loss.columns
    var isDone = [Bool](repeating: false, count: loss.groupCount)
    var first: Double?
    while true {
      let probabilities = loss.probabilities(scores)
      var gradient = rows.sums(loss.residuals(probabilities), columns: columns)
      addPenalty(weights, to: &gradient)
      gradientNorm = gradient.reduce(0) { max($0, abs($1)) }
      isConverged = isDone.allSatisfy { $0 } || gradientNorm <= 1e-13 * Double(max(rows.count, 1))
      if isConverged || steps == Self.stepLimit { return }
      steps += 1
      prepare(loss.curvatures(probabilities))
      let start = first ?? gradientNorm
      first = start
      // Loose far away, tight near the minimum, so that the number of right digits doubles there.
      let tolerance = max(1e-4, min(0.1, (gradientNorm / start).squareRoot()))
      let direction = solve(gradient, probabilities, tolerance, isDone)
      let changes = rows.products(direction, columns: columns)
      let lengths = lengths(gradient, direction, changes)
      for place in weights.indices {
        weights[place] += lengths[loss.group(place % columns)] * direction[place]
      }
      for place in scores.indices { scores[place] += lengths[loss.group(place % columns)] * changes[place] }
      let sizes = largest(direction)
      let limits = largest(weights)
      for group in isDone.indices where lengths[group] == 1 {
        if sizes[group] <= 1e-8 * max(1, limits[group]) { isDone[group] = true }
      }
    }
  }

  // MARK: - The direction

  private mutating func prepare(_ curvatures: [Double]) {
    let mean = max(curvatures.reduce(0, +) / Double(curvatures.count), 1e-10)
    if !weighsRows, let known = preconditioner?.curvature, (0.5...2).contains(mean / known) { return }
    let width = rows.width
    var matrix =
      weighsRows ? rows.gram(weights: curvatures.map { max($0, 1e-10) }) : gram.map { $0 * mean }
    let top = (0..<width).reduce(0) { max($0, matrix[$1 * width + $1]) }
    // It only has to be near the second derivatives, but must have a factor.
    for place in 0..<width - 1 { matrix[place * width + place] += max(penalty, 1e-10 * top) }
    guard let system = SymmetricSystem(lower: matrix, order: width) else {
      preconditionFailure("logistic regression: \(width) columns have no factor at \(mean)")
    }
    preconditioner = (mean, system)
  }

  /// The preconditioner's solution; without what changes all scores of a softmax alike, of which its loss knows nothing.
  private func preconditioned(_ values: [Double], _ system: SymmetricSystem) -> [Double] {
    let columns = loss.columns
    var result = values
    system.solve(&result, columns: columns)
    guard loss.isSoftmax else { return result }
    for start in stride(from: 0, to: result.count, by: columns) {
      let mean = result[start..<start + columns].reduce(0, +) / Double(columns)
      for place in start..<start + columns { result[place] -= mean }
    }
    return result
  }

  /// Solves `H·s = -g` for the groups that are not done, until the preconditioned residual is small against the first.
  private mutating func solve(
    _ gradient: [Double], _ probabilities: [Double], _ tolerance: Double, _ isDone: [Bool]
  ) -> [Double] {
    guard let system = preconditioner?.system else { preconditionFailure("logistic regression: no factor") }
    let columns = loss.columns
    var (isDone, solution) = (isDone, [Double](repeating: 0, count: weights.count))
    var residual = gradient.map { -$0 }
    var direction = preconditioned(residual, system)
    var sizes = dots(residual, direction)
    let goals = sizes.map { tolerance * tolerance * $0 }
    for iteration in 0..<Self.solutionLimit {
      // What so many products cost, new sums of the rows cost too.
      if iteration * 4 * columns > rows.width { weighsRows = true }
      for group in isDone.indices where sizes[group] <= goals[group] || sizes[group] == 0 {
        isDone[group] = true
      }
      if isDone.allSatisfy({ $0 }) { break }
      var bent = rows.sums(through: direction, columns: columns) { range, changes in
        loss.bend(range, changes, probabilities)
      }
      addPenalty(direction, to: &bent)
      let curvatures = dots(direction, bent)
      let lengths = sizes.indices.map {
        isDone[$0] || curvatures[$0] <= 0 ? 0 : sizes[$0] / curvatures[$0]
      }
      for group in isDone.indices where curvatures[group] <= 0 { isDone[group] = true }
      for place in solution.indices {
        let length = lengths[loss.group(place % columns)]
        solution[place] += length * direction[place]
        residual[place] -= length * bent[place]
      }
      let next = preconditioned(residual, system)
      let nextSizes = dots(residual, next)
      for place in direction.indices {
        let group = loss.group(place % columns)
        direction[place] =
          isDone[group] ? 0 : next[place] + nextSizes[group] / sizes[group] * direction[place]
      }
      for group in sizes.indices where !isDone[group] { sizes[group] = nextSizes[group] }
    }
    return solution
  }

  // MARK: - How far

  /// For each group the part of the direction along which the loss falls, 1 near the minimum.
  private func lengths(_ gradient: [Double], _ direction: [Double], _ changes: [Double]) -> [Double] {
    let start = dots(gradient, direction)
    let (squares, mixed) = (penalized(direction, direction), penalized(weights, direction))
    let base = loss.along(scores, changes, steps: start.map { _ in 0 }).values
    var lengths = start.map { $0 < 0 ? 1.0 : 0 }
    var isDone = start.map { $0 >= 0 }
    for _ in 0..<50 where !isDone.allSatisfy({ $0 }) {
      let there = loss.along(scores, changes, steps: lengths)
      for group in isDone.indices where !isDone[group] {
        let length = lengths[group]
        let slope = there.slopes[group] + penalty * (mixed[group] + length * squares[group])
        let value = there.values[group] + penalty * length * (mixed[group] + length * squares[group] / 2)
        let isLower = value <= base[group] + 1e-12 * (1 + abs(base[group]))
        isDone[group] = slope <= 0 || (isLower && slope <= 0.1 * -start[group])
        if isDone[group] { continue }
        // Where a line through both slopes is 0.
        lengths[group] = length * min(0.7, max(0.1, start[group] / (start[group] - slope)))
      }
    }
    return lengths
  }

  // MARK: - Sums by group

  private func addPenalty(_ values: [Double], to result: inout [Double]) {
    for place in 0..<values.count - loss.columns { result[place] += penalty * values[place] }
  }

  private func dots(_ a: [Double], _ b: [Double]) -> [Double] { sums(a, b, below: a.count) }

  /// The same without the intercepts.
  private func penalized(_ a: [Double], _ b: [Double]) -> [Double] {
    sums(a, b, below: a.count - loss.columns)
  }

  private func sums(_ a: [Double], _ b: [Double], below end: Int) -> [Double] {
    var result = [Double](repeating: 0, count: loss.groupCount)
    for place in 0..<end { result[loss.group(place % loss.columns)] += a[place] * b[place] }
    return result
  }

  private func largest(_ values: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: loss.groupCount)
    for place in values.indices {
      let group = loss.group(place % loss.columns)
      result[group] = max(result[group], abs(values[place]))
    }
    return result
  }
}
