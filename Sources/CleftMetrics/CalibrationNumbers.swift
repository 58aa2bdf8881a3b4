/// Calibration of a table as it is and, if there is a temperature, at that.
struct CalibrationNumbers {
  /// Bins of equal width.
  static let binCount = 10

  private let temperature: Double?
  private let plain: CalibrationCurve?
  private let scaled: CalibrationCurve?
  /// The calibration error, then the error and the log-loss at the temperature.
  let measurements: [Measurement]

  init(_ scored: ScoredTable, temperature: Double?) {
    self.temperature = temperature
    plain = CalibrationCurve(scored, binCount: Self.binCount)
    var measurements = [Self.error(scored, plain, name: "ece", title: "Expected calibration error")]
    if let temperature {
      let other = ScoredTable(scored.table, temperature: temperature)
      scaled = CalibrationCurve(other, binCount: Self.binCount)
      measurements.append(
        Self.error(other, scaled, name: "ece_scaled", title: "Expected calibration error, scaled"))
      let chance = MetricCatalog.logLoss.chance(scored.table)
      let item = Measurement.Item(
        name: "log_loss_scaled", title: "Log-loss, scaled", chance: chance,
        reason: Measurement.reason(scored.table), largest: nil)
      measurements.append(
        Measurement(items: [item]) { weights in [MetricCatalog.logLoss.value(other, weights)] })
    } else {
      scaled = nil
    }
    self.measurements = measurements
  }

  /// The card, from the log-loss of the table and the numbers measured.
  func card(logLoss: MetricValue?, _ values: [MetricValue]) -> CalibrationCard {
    CalibrationCard(
      bins: plain?.bins ?? [], temperature: temperature, scaledBins: scaled?.bins ?? [],
      metrics: values.prefix(1) + (logLoss.map { [$0] } ?? []) + values.dropFirst())
  }

  /// The expected calibration error, from how far each sample pulls its bin.
  private static func error(
    _ scored: ScoredTable, _ curve: CalibrationCurve?, name: String, title: String
  ) -> Measurement {
    let item = Measurement.Item(
      name: name, title: title, chance: nil, reason: Measurement.reason(scored.table))
    guard let curve else { return Measurement(items: [item]) { _ in [nil] } }
    let pulls = BinPulls(scored, edges: curve.bins.map(\.upper))
    return Measurement(items: [item]) { weights in
      [weights.map { pulls.error($0) } ?? curve.expectedError]
    }
  }
}

/// How far each answer pulls the bin that its probability falls in.
private struct BinPulls: Sendable {
  private let binCount: Int
  /// Behind each sample's last answer.
  private var ends: [Int] = []
  /// Bin of each answer, and the difference of outcome and probability.
  private var bins: [UInt8] = []
  private var pulls: [Float] = []

  /// Answers as `CalibrationCurve` takes them; `edges` are the upper ones of its bins, and lie in them.
  init(_ scored: ScoredTable, edges: [Double]) {
    binCount = edges.count
    let (table, width) = (scored.table, scored.table.classCount)
    for row in 0..<table.count {
      if table.question == .oneOf {
        let answer = scored.predictions[row]
        add(scored.probabilities[row * width + answer], answer == table.labels[row][0], edges)
      } else {
        for place in row * width..<(row + 1) * width where scored.truths[place] != .unknown {
          add(scored.probabilities[place], scored.truths[place] == .yes, edges)
        }
      }
      ends.append(bins.count)
    }
  }

  private mutating func add(_ probability: Double, _ outcome: Bool, _ edges: [Double]) {
    bins.append(UInt8(edges.firstIndex { probability <= $0 } ?? edges.count - 1))
    pulls.append(Float((outcome ? 1 : 0) - probability))
  }

  /// Mean over answers of the distance of their bin's probability from what came true; nil without any.
  func error(_ weights: [Double]) -> Double? {
    var sums = [Double](repeating: 0, count: binCount)
    var (start, total) = (0, 0.0)
    for (end, weight) in zip(ends, weights) {
      if weight > 0 {
        for place in start..<end { sums[Int(bins[place])] += weight * Double(pulls[place]) }
        total += weight * Double(end - start)
      }
      start = end
    }
    return total > 0 ? sums.reduce(0) { $0 + abs($1) } / total : nil
  }
}
