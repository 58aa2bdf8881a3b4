/// Middle and ends of several measurements of one thing, in seconds.
///
/// JSON keys: `median`, `min`, `max`.
public struct Timing: Codable, Sendable, Equatable {
  /// The middle one; of an even number the mean of the two in the middle.
  public let median: Double
  /// The shortest.
  public let min: Double
  /// The longest.
  public let max: Double

  /// Sums up measurements; none are all 0.
  public init(_ seconds: [Double]) {
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    min = sorted.first ?? 0
    max = sorted.last ?? 0
    median =
      sorted.isEmpty
      ? 0 : sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
