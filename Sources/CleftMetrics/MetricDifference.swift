/// One number of two tables of predictions for the same samples.
public struct MetricDifference: Codable, Sendable, Equatable {
  /// Name in files, and for people.
  public var name, title: String
  /// The number here and there; nil where undefined.
  public var value, other: Double?
  /// `value - other`; nil where one of them is undefined.
  public var difference: Double?
  /// 95 % interval of the difference over resampled patients.
  public var interval: Interval?
  /// How often resampling turns the difference to the other side of 0, twice; at most 1.
  public var p: Double?

  /// Makes a difference.
  public init(name: String, title: String, value: Double?, other: Double?, interval: Interval?, p: Double?) {
    (self.name, self.title, self.value, self.other) = (name, title, value, other)
    difference = value.flatMap { value in other.map { value - $0 } }
    (self.interval, self.p) = (interval, p)
  }
}
