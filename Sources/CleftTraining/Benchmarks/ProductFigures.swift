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
    /// The same by one call of the library.
    public let libraryGFLOPS: Double

    enum CodingKeys: String, CodingKey {
      case m, n, k, gflops
      case transposesA = "transposes_a"
      case transposesB = "transposes_b"
      case isHalf = "half"
      case countPerStep = "count_per_step"
      case libraryGFLOPS = "library_gflops"
    }
  }

  /// Steps whose products were noted.
  public let notedSteps: Int
  /// Floating-point operations of a step.
  public let operationsPerStep: Double
  /// Seconds that they take.
  public let secondsPerStep: Double
  /// Seconds that the libraries alone would take.
  public let librarySecondsPerStep: Double
  /// 10⁹ operations a second while multiplying.
  public let gflops: Double
  /// 10⁹ operations a second over the whole step.
  public let stepGFLOPS: Double
  /// 10⁹ operations a second that the libraries reach on these shapes.
  public let libraryGFLOPS: Double
  /// The libraries' seconds over those of the whole step: 1 for a step that is nothing but products as fast as theirs.
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
    case stepEfficiency = "step_efficiency"
  }

  /// Puts together what was noted and measured.
  ///
  /// - Parameters:
  ///   - entries: what `ProductLog` noted of `steps` steps.
  ///   - rates: operations a second of the library for each of these shapes.
  ///   - stepSeconds: the median step.
  public init(
    _ entries: [ProductShape: ProductLog.Entry], steps: Int, rates: [ProductShape: Double],
    stepSeconds: Double
  ) {
    let count = Double(max(1, steps))
    let operations = entries.reduce(0.0) { $0 + Double($1.value.count) * $1.key.operations }
    let seconds = entries.reduce(0.0) { $0 + $1.value.seconds }
    let library = entries.reduce(0.0) { sum, entry in
      sum + Self.ratio(Double(entry.value.count) * entry.key.operations, rates[entry.key] ?? 0)
    }
    notedSteps = steps
    (operationsPerStep, secondsPerStep, librarySecondsPerStep) = (
      operations / count, seconds / count, library / count
    )
    gflops = Self.ratio(operations, seconds) / 1e9
    stepGFLOPS = Self.ratio(operations / count, stepSeconds) / 1e9
    libraryGFLOPS = Self.ratio(operations, library) / 1e9
    stepEfficiency = Self.ratio(library / count, stepSeconds)
    shapes = entries.sorted { ($0.value.seconds, $0.key.m) > ($1.value.seconds, $1.key.m) }.map {
      shape, entry in
      Row(
        m: shape.m, n: shape.n, k: shape.k, transposesA: shape.transposesA, transposesB: shape.transposesB,
        isHalf: shape.isHalf, countPerStep: Double(entry.count) / count,
        gflops: Self.ratio(Double(entry.count) * shape.operations, entry.seconds) / 1e9,
        libraryGFLOPS: (rates[shape] ?? 0) / 1e9)
    }
  }

  /// A quotient; 0 by nothing.
  private static func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 0 }
}
