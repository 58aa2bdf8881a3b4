import CleftTensor
import Testing

@Suite struct SymmetricSystemTests {
  @Test func solvesWithSeveralRightSides() throws {
    // 4x + 2y = 2, 2x + 3y = 5 and the same for (6, 7); what is above the diagonal is not read.
    let system = try #require(SymmetricSystem(lower: [4, -99, 2, 3], order: 2))
    var right: [Double] = [2, 6, 5, 7]
    system.solve(&right, columns: 2)
    // By hand: (x, y) = (-0.5, 2) and (0.5, 2).
    let expected: [Double] = [-0.5, 0.5, 2, 2]
    for (found, wanted) in zip(right, expected) { #expect(abs(found - wanted) < 1e-14) }
  }

  @Test func aMatrixThatIsNotPositiveDefiniteHasNoFactor() {
    #expect(SymmetricSystem(lower: [1, 0, 2, 1], order: 2) == nil)
    #expect(SymmetricSystem(lower: [0], order: 1) == nil)
  }

  @Test func largeSystemsAreSolvedToRounding() throws {
    let order = 70
    var generator = RandomKey(seed: 3).generator
    let factors = (0..<order * order).map { _ in generator.normal() }
    var matrix = [Double](repeating: 0, count: order * order)
    for i in 0..<order {
      for j in 0..<order {
        for k in 0..<order { matrix[i * order + j] += factors[i * order + k] * factors[j * order + k] }
      }
      matrix[i * order + i] += 1
    }
    let solution = (0..<order).map { _ in generator.normal() }
    var right = (0..<order).map { i in (0..<order).reduce(0.0) { $0 + matrix[i * order + $1] * solution[$1] }
    }
    try #require(SymmetricSystem(lower: matrix, order: order)).solve(&right, columns: 1)
    for (found, wanted) in zip(right, solution) { #expect(abs(found - wanted) < 1e-9) }
  }
}

@Suite struct StandardizedRowsTests {
  /// Rows enough for several blocks, columns enough for several tiles; one column is the same everywhere.
  private static let width = 210
  private static let features: FeatureMatrix = {
    var generator = RandomKey(seed: 5).generator
    var values = (0..<300 * width).map { _ in Float(generator.normal()) * 3 + 2 }
    for row in 0..<300 { values[row * width + 7] = 0.3 }
    return FeatureMatrix(values: values, width: width)
  }()
  /// Some rows, one of them twice.
  private static let rows = StandardizedRows(
    features, rows: Array(20..<290) + [25], scale: FeatureScale(features, rows: Array(0..<280)))

  /// The same by definition.
  private static let plain: [[Double]] = rows.rows.map { row -> [Double] in
    let scale = rows.scale
    var values = scale.columns.indices.map { place -> Double in
      let value = Double(features.values[row * width + scale.columns[place]])
      return (value - scale.means[place]) / scale.deviations[place]
    }
    values.append(1)
    return values
  }

  private func random(_ count: Int, _ seed: UInt64) -> [Double] {
    var generator = RandomKey(seed: seed).generator
    return (0..<count).map { _ in generator.normal() }
  }

  @Test func aScaleIsMeanAndDeviationOfColumnsThatVary() {
    let scale = FeatureScale(FeatureMatrix(values: [1, 5, 3, 5, 8, 5], width: 2), rows: [0, 1, 2])
    #expect(scale.columns == [0] && scale.droppedCount == 1)
    #expect(abs(scale.means[0] - 4) < 1e-15)
    #expect(abs(scale.deviations[0] * scale.deviations[0] - 26.0 / 3) < 1e-14)
    #expect(Self.rows.scale.droppedCount == 1 && Self.rows.width == Self.width)
  }

  @Test func productsAreThoseOfTheStandardizedRows() {
    let weights = random(Self.width * 3, 1)
    let found = Self.rows.products(weights, columns: 3)
    for (row, values) in Self.plain.enumerated() {
      for column in 0..<3 {
        let wanted = values.indices.reduce(0.0) { $0 + values[$1] * weights[$1 * 3 + column] }
        #expect(abs(found[row * 3 + column] - wanted) < 1e-11)
      }
    }
  }

  @Test func sumsGoBackThroughTheRows() {
    let weights = random(Self.width * 2, 2)
    let squares = Self.rows.products(weights, columns: 2).map { $0 * $0 }
    let found = Self.rows.sums(through: weights, columns: 2) { range, products in
      for place in 0..<range.count * 2 { products[place] *= products[place] }
    }
    let direct = Self.rows.sums(squares, columns: 2)
    for place in found.indices {
      let (feature, column) = (place / 2, place % 2)
      let wanted = Self.plain.indices.reduce(0.0) { $0 + Self.plain[$1][feature] * squares[$1 * 2 + column] }
      let tolerance = 1e-11 * max(1, abs(wanted))
      #expect(abs(found[place] - wanted) < tolerance && abs(direct[place] - wanted) < tolerance)
    }
  }

  @Test(arguments: [false, true])
  func aGramMatrixSumsProductsOfColumns(_ isWeighted: Bool) {
    let weights = random(Self.rows.count, 4).map { $0 * $0 }
    let found = Self.rows.gram(weights: isWeighted ? weights : nil)
    for i in stride(from: 0, to: Self.width, by: 13) {
      for j in stride(from: 0, through: i, by: 11) {
        let wanted = Self.plain.indices.reduce(0.0) {
          $0 + Self.plain[$1][i] * Self.plain[$1][j] * (isWeighted ? weights[$1] : 1)
        }
        #expect(abs(found[i * Self.width + j] - wanted) < 1e-10)
      }
    }
  }
}
