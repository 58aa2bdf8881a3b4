/// A behavior of the published program that is not what one would expect.
public enum Quirk: String, Sendable, CaseIterable {
  /// All pooled at position 0 where a caption fills its columns.
  case poolFirst = "pool_first"
}

/// Which of the published program's quirks are in force.
public struct Quirks: Sendable, Equatable {
  private var inForce: Set<Quirk>

  /// What cleft does by itself.
  public static let fixed = Quirks(isReference: false)
  /// What the published program does, crashes excepted.
  public static let reference = Quirks(isReference: true)

  /// Makes a choice.
  public init(isReference: Bool) { inForce = isReference ? Set(Quirk.allCases) : [] }

  /// Whether a quirk is in force.
  public func has(_ quirk: Quirk) -> Bool { inForce.contains(quirk) }
}
