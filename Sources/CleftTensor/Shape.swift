/// The extents of a tensor, slowest axis first; `[]` is a scalar.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// Extent of each axis.
  public let dimensions: [Int]

  /// Makes a shape from its extents, all ≥ 0.
  public init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "shape: negative extent in \(dimensions)")
    self.dimensions = dimensions
  }

  /// Makes a shape from a literal.
  public init(arrayLiteral elements: Int...) { self.init(elements) }

  /// Number of axes.
  public var rank: Int { dimensions.count }

  /// Number of elements.
  public var count: Int { dimensions.reduce(1, *) }

  /// Extent of the last axis, 1 for a scalar.
  public var last: Int { dimensions.last ?? 1 }

  /// Number of rows when all but the last axis are one.
  public var rows: Int { dimensions.dropLast().reduce(1, *) }

  /// Extent of one axis; negative counts from the end.
  public subscript(axis: Int) -> Int { dimensions[axis < 0 ? axis + dimensions.count : axis] }

  /// The same shape with another last axis.
  public func replacingLast(_ extent: Int) -> Shape { Shape(Array(dimensions.dropLast()) + [extent]) }

  /// For example `2x3x4`; a scalar prints as `scalar`.
  public var description: String {
    dimensions.isEmpty ? "scalar" : dimensions.map(String.init).joined(separator: "x")
  }
}
