import CleftTensor

/// A table of vectors.
///
/// - Shapes: `weight` `[count, C]`.
public final class Embedding: Module {
  /// The table.
  @Parameter public var weight: Tensor

  /// Makes a table of `count` rows.
  public init(_ count: Int, _ width: Int, _ initializer: Initializer) {
    _weight = Parameter("weight", [count, width], initializer)
  }

  /// The cell of the table.
  public var cell: ParameterCell { $weight }
}

/// A text tower that can put trained keys and values in front of every layer's own (prefix tuning).
public protocol PrefixHost: Module {
  /// The keys and values, nil for none.
  var prefixTable: Embedding? { get set }
  /// Columns of the table: a key and a value for each layer.
  var prefixWidth: Int { get }
}

/// A text tower that can put trained vectors in front of every caption (prompt tuning).
public protocol VirtualTokenHost: Module {
  /// The vectors in front, nil for none.
  var virtualTokens: Embedding? { get set }
  /// The token embeddings `[V, C]`, to start the vectors from words.
  var tokenTable: Tensor { get }
}
