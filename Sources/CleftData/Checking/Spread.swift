/// Smallest, middle, 95 % and largest of some whole numbers, each of them one of the numbers.
public struct Spread: Sendable, Equatable, Codable {
  /// The least and the greatest.
  public var minimum, maximum: Int
  /// The number that at least half of them do not exceed.
  public var median: Int
  /// The number that at least 95 % of them do not exceed.
  public var percentile95: Int

  /// Sums up numbers; nil if there are none.
  public init?(_ values: some Sequence<Int>) {
    let sorted = values.sorted()
    guard let first = sorted.first, let last = sorted.last else { return nil }
    minimum = first
    maximum = last
    median = sorted[(sorted.count + 1) / 2 - 1]
    percentile95 = sorted[(sorted.count * 95 + 99) / 100 - 1]
  }
}
