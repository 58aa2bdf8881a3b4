import Foundation

/// The temperature at which probabilities fit what came true best.
public enum TemperatureScaling {
  /// A temperature, and whether a better one lies outside of the range searched.
  public struct Fit: Sendable, Equatable {
    /// What logits are to be divided by.
    public var temperature: Double
    /// Whether it is an end of the range: the log-loss still falls there, as it does when every sample is classified
    /// rightly, or when the scores say nothing.
    public var isAtLimit: Bool
  }

  /// Temperatures that are tried: from a hundredth to a hundred.
  public static let range = 0.01...100.0

  /// The temperature of least log-loss; nil without samples of known truth, or with logits that are no numbers.
  ///
  /// The log-loss is convex in 1 / T, so the zero of its slope is the one minimum; Newton's steps over log T, a bisection
  /// where one would leave the bracket.
  ///
  /// - Source: Guo et al. 2017, arXiv 1706.04599, §4.2.
  public static func fit(_ table: PredictionTable) -> Fit? {
    if table.count == 0 || table.classCount == 0 || table.logits.contains(where: { !$0.isFinite }) {
      return nil
    }
    if table.question == .each && !hasKnown(table) { return nil }
    // Over u = log(1 / T).
    var (lower, upper) = (-log(range.upperBound), -log(range.lowerBound))
    if slope(table, at: lower).value >= 0 { return Fit(temperature: range.upperBound, isAtLimit: true) }
    if slope(table, at: upper).value <= 0 { return Fit(temperature: range.lowerBound, isAtLimit: true) }
    var place = min(max(0, lower), upper)
    for _ in 0..<200 {
      let (value, change) = slope(table, at: place)
      if value > 0 { upper = place } else { lower = place }
      var next = place - value / change
      if !(next > lower && next < upper) { next = (lower + upper) / 2 }
      let step = abs(next - place)
      place = next
      if step < 1e-12 { break }
    }
    return Fit(temperature: exp(-place), isAtLimit: false)
  }

  private static func hasKnown(_ table: PredictionTable) -> Bool {
    table.unknown.isEmpty || table.unknown.contains { $0.count < table.classCount }
  }

  /// Slope of the summed log-loss over log(1 / T), per 1 / T, and the slope's own.
  private static func slope(_ table: PredictionTable, at place: Double) -> (value: Double, change: Double) {
    let inverse = exp(place)
    let (value, curvature) =
      table.question == .oneOf ? softmaxSlope(table, inverse) : sigmoidSlope(table, inverse)
    return (value, curvature * inverse)
  }

  /// Sums of expected minus true logit, and of the logits' variance, under the softmax at 1 / T.
  private static func softmaxSlope(_ table: PredictionTable, _ inverse: Double) -> (Double, Double) {
    let width = table.classCount
    var total = (slope: 0.0, curvature: 0.0)
    for row in 0..<table.count {
      guard let label = table.labels[row].first else { continue }
      let start = row * width
      var top = table.logits[start]
      for place in start..<start + width { top = max(top, table.logits[place]) }
      var (mass, mean, square) = (0.0, 0.0, 0.0)
      for place in start..<start + width {
        let distance = table.logits[place] - top
        let share = exp(distance * inverse)
        mass += share
        mean += share * distance
        square += share * distance * distance
      }
      mean /= mass
      total.slope += mean - (table.logits[start + label] - top)
      total.curvature += max(0, square / mass - mean * mean)
    }
    return total
  }

  /// The same under sigmoids; what is unknown is left out.
  private static func sigmoidSlope(_ table: PredictionTable, _ inverse: Double) -> (Double, Double) {
    let width = table.classCount
    var total = (slope: 0.0, curvature: 0.0)
    var truth = [Double](repeating: 0, count: width)
    var counts = [Double](repeating: 1, count: width)
    for row in 0..<table.count {
      for label in table.labels[row] { truth[label] = 1 }
      if !table.unknown.isEmpty { for label in table.unknown[row] { counts[label] = 0 } }
      for index in 0..<width {
        let logit = table.logits[row * width + index]
        let probability = 1 / (1 + exp(-logit * inverse))
        total.slope += counts[index] * (probability - truth[index]) * logit
        total.curvature += counts[index] * probability * (1 - probability) * logit * logit
      }
      for label in table.labels[row] { truth[label] = 0 }
      if !table.unknown.isEmpty { for label in table.unknown[row] { counts[label] = 1 } }
    }
    return total
  }
}
