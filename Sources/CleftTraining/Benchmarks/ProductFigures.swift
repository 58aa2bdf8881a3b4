import CleftTensor

/// The matrix products of steps, held against what the libraries reach on the same shapes.
///
/// Products within attention and convolutions are not among them. JSON keys: those in `CodingKeys`.
public struct ProductFigures: Encodable, Sendable {
  /// Products of one shape.
  public struct Row: Encodable, Sendable {
    /// The result is `m × n`, the inner extent `k`.
    public let m, n, k: Int
    /// Which factors are read transposed.
    public let transposesA, transposesB: Bool
    /// Whether the factors are bfloat16.
    public let isHalf: Bool
    /// How many there are in a step, on average.
    public let countPerStep: Double
    /// 10⁹ operations a second, here.
    public let gflops: Double
    /// The same by one call of the fastest library.
    public let libraryGFLOPS: Double
    /// The same by OpenBLAS; nil for bfloat16 factors.
    public let openBLASGFLOPS: Double?

    enum CodingKeys: String, CodingKey {
      case m, n, k, gflops
      case transposesA = "transposes_a"
      case transposesB = "transposes_b"
      case isHalf = "half"
      case countPerStep = "count_per_step"
      case libraryGFLOPS = "library_gflops"
      case openBLASGFLOPS = "openblas_gflops"
    }
  }

  /// Steps whose products were noted.
  public let notedSteps: Int
  /// Floating-point operations of a step.
  public let operationsPerStep: Double
  /// Seconds that they take.
  public let secondsPerStep: Double
  /// Seconds that the libraries alone would take, for each shape the faster one.
  public let librarySecondsPerStep: Double
  /// 10⁹ operations a second while multiplying.
  public let gflops: Double
  /// 10⁹ operations a second over the whole step.
  public let stepGFLOPS: Double
  /// 10⁹ operations a second that the libraries reach on these shapes.
  public let libraryGFLOPS: Double
  /// The same of OpenBLAS alone; nil without float32 products, which are the only ones it has.
  public let openBLASGFLOPS: Double?
  /// The libraries' seconds over those of the whole step: 1 for a step that is nothing but products as fast as theirs.
  ///
  /// Their rates are taken behind the steps, and are the best of several calls: more than 1 where the machine was
  /// slower during the steps.
  public let stepEfficiency: Double
  /// By shape, the costliest first.
  public let shapes: [Row]

  enum CodingKeys: String, CodingKey {
    case gflops, shapes
    case notedSteps = "noted_steps"
    case operationsPerStep = "operations_per_step"
    case secondsPerStep = "seconds_per_step"
    case librarySecondsPerStep = "library_seconds_per_step"
    case stepGFLOPS = "step_gflops"
    case libraryGFLOPS = "library_gflops"
    case openBLASGFLOPS = "openblas_gflops"
    case stepEfficiency = "step_efficiency"
  }

  /// Puts together what was noted and measured.
  ///
  /// - Parameters:
  ///   - entries: what `ProductLog` noted of `steps` steps.
  ///   - rates: operations a second of the libraries for each of these shapes.
  ///   - stepSeconds: the median step.
  public init(
    _ entries: [ProductShape: ProductLog.Entry], steps: Int, rates: [ProductShape: ProductRates.Rate],
    stepSeconds: Double
  ) {
    let count = Double(max(1, steps))
    let operations = entries.reduce(0.0) { $0 + Double($1.value.count) * $1.key.operations }
    let seconds = entries.reduce(0.0) { $0 + $1.value.seconds }
    let library = entries.reduce(0.0) { sum, entry in
      sum + Self.ratio(Double(entry.value.count) * entry.key.operations, rates[entry.key]?.fastest ?? 0)
    }
    notedSteps = steps
    (operationsPerStep, secondsPerStep, librarySecondsPerStep) = (
      operations / count, seconds / count, library / count
    )
    gflops = Self.ratio(operations, seconds) / 1e9
    stepGFLOPS = Self.ratio(operations / count, stepSeconds) / 1e9
    libraryGFLOPS = Self.ratio(operations, library) / 1e9
    openBLASGFLOPS = Self.openBLAS(entries, rates)
    stepEfficiency = Self.ratio(library / count, stepSeconds)
    shapes = entries.sorted { ($0.value.seconds, $0.key.m) > ($1.value.seconds, $1.key.m) }.map {
      shape, entry in
      Row(
        m: shape.m, n: shape.n, k: shape.k, transposesA: shape.transposesA, transposesB: shape.transposesB,
        isHalf: shape.isHalf, countPerStep: Double(entry.count) / count,
        gflops: Self.ratio(Double(entry.count) * shape.operations, entry.seconds) / 1e9,
        libraryGFLOPS: (rates[shape]?.fastest ?? 0) / 1e9,
        openBLASGFLOPS: rates[shape]?.openBLAS.map { $0 / 1e9 })
    }
  }

  /// 10⁹ operations a second that OpenBLAS reaches on the float32 shapes.
  private static func openBLAS(
    _ entries: [ProductShape: ProductLog.Entry], _ rates: [ProductShape: ProductRates.Rate]
  ) -> Double? {
    var (operations, seconds) = (0.0, 0.0)
    for (shape, entry) in entries {
      guard let rate = rates[shape]?.openBLAS, rate > 0 else { continue }
      operations += Double(entry.count) * shape.operations
      seconds += Double(entry.count) * shape.operations / rate
    }
    return seconds > 0 ? operations / seconds / 1e9 : nil
  }

  /// A quotient; 0 by nothing.
  private static func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 0 }
}
