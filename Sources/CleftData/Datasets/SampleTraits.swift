/// What is known about who is on a picture and how it was taken; what subgroups are made of.
public struct SampleTraits: Sendable, Equatable {
  /// `F`, `M` or what else the table says; nil if it says nothing.
  public var sex: String?
  /// Age in years; nil if unknown.
  public var ageYears: Double?
  /// Projection: `AP`, `PA`, `CC`, `MLO`; nil if unknown.
  public var view: String?
  /// Further traits by the name of their column (`--group_columns`).
  public var others: [String: String] = [:]

  /// Nothing is known.
  public init() {}

  /// Makes traits.
  public init(sex: String?, ageYears: Double?, view: String?, others: [String: String] = [:]) {
    (self.sex, self.ageYears, self.view, self.others) = (sex, ageYears, view, others)
  }
}
