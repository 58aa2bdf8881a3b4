import CleftTensor

/// Resampling of patients: how a number could have come out with other patients of the same kind.
///
/// A draw takes as many patients as there are, with replacement; a sample counts as often as its patient was drawn. Nothing is
/// copied or sorted again: numbers are computed from the same samples with other weights.
///
/// - Source: Efron and Tibshirani 1993, *An Introduction to the Bootstrap*; patients as units: Davison and Hinkley 1997, §3.8.
public struct Bootstrap: Sendable {
  /// Draws of patients.
  public var draws: Int
  /// What the draws follow from, to the bit; the number of threads changes nothing.
  public var key: RandomKey

  /// Groups of patients that are left out in turn, at most: enough for an estimate of skewness.
  private static let groupLimit = 200
  /// Draws that share one buffer of weights.
  private static let chunk = 8

  /// Makes a bootstrap of at least one draw.
  public init(draws: Int, key: RandomKey) {
    precondition(draws > 0, "bootstrap: \(draws) draws")
    (self.draws, self.key) = (draws, key)
  }

  /// Numbers of all samples, of every draw of patients, and without each of up to 200 groups of patients.
  ///
  /// - Parameters:
  ///   - clusters: the patient of each sample.
  ///   - leavingOut: whether groups are left out in turn; needed for intervals.
  ///   - measure: numbers of samples that count as often as their weights say, always as many; nil where undefined.
  package func resample(
    clusters: [Int], leavingOut: Bool = true, _ measure: @Sendable (_ weights: [Double]) -> [Double?]
  ) -> ResampledValues {
    let patients = ClusterWeights(clusters)
    let groupCount = leavingOut ? min(patients.count, Self.groupLimit) : 0
    let groups = patients.groups(groupCount, key: key.split("bootstrap-groups"))
    let (draws, key) = (draws, key)
    // Item 0 is the whole set, then come the draws, then the groups left out.
    let total = 1 + draws + groupCount
    let values = Self.collect((total + Self.chunk - 1) / Self.chunk) { part -> [[Double?]] in
      var weights = [Double](repeating: 1, count: clusters.count)
      var counts = [Double](repeating: 1, count: patients.count)
      return (part * Self.chunk..<min(total, (part + 1) * Self.chunk)).map { item in
        if item > draws {
          for place in counts.indices { counts[place] = groups[place] == item - draws - 1 ? 0 : 1 }
        } else if item > 0 {
          patients.draw(key.split("bootstrap-draw", item - 1), into: &counts)
        }
        patients.spread(counts, over: &weights)
        return measure(weights)
      }
    }.flatMap { $0 }
    return ResampledValues(
      whole: values[0], draws: Array(values[1...draws]), leftOut: Array(values[(draws + 1)...]),
      clusterCount: patients.count)
  }

  /// Results of `0 ..< count` in order, on the thread budget.
  static func collect<Result: Sendable>(
    _ count: Int, _ body: @Sendable (Int) -> Result
  ) -> [Result] {
    do {
      return try Runtime.map(count, body)
    } catch {
      preconditionFailure("bootstrap: \(error)")
    }
  }
}

/// Which patient a sample is of, and how often each counts.
struct ClusterWeights: Sendable {
  /// Number of the patient of each sample, without gaps.
  private let places: [Int]
  /// Patients.
  let count: Int

  init(_ clusters: [Int]) {
    var numbers: [Int: Int] = [:]
    var places = [Int](repeating: 0, count: clusters.count)
    for (sample, cluster) in clusters.enumerated() {
      let number = numbers[cluster] ?? numbers.count
      numbers[cluster] = number
      places[sample] = number
    }
    (self.places, count) = (places, numbers.count)
  }

  /// How often each patient is drawn.
  func draw(_ key: RandomKey, into counts: inout [Double]) {
    for place in counts.indices { counts[place] = 0 }
    for index in 0..<count { counts[Self.below(count, key, index)] += 1 }
  }

  /// The count of its patient for each sample.
  func spread(_ counts: [Double], over weights: inout [Double]) {
    for sample in weights.indices { weights[sample] = counts[places[sample]] }
  }

  /// A random group for each patient, groups as large as each other to one patient.
  func groups(_ groupCount: Int, key: RandomKey) -> [Int] {
    var groups = (0..<count).map { $0 % max(1, groupCount) }
    for index in stride(from: count - 1, to: 0, by: -1) {
      groups.swapAt(index, Self.below(index + 1, key, index))
    }
    return groups
  }

  /// The `index`-th number of a stream, below `bound`.
  private static func below(_ bound: Int, _ key: RandomKey, _ index: Int) -> Int {
    Int(key.bits(at: index).multipliedFullWidth(by: UInt64(bound)).high)
  }
}
