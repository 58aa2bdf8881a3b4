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

  /// The table to look rows up in: a frozen one is in bfloat16 under `--precision bf16-true`.
  public var table: Tensor {
    !$weight.isTrainable && Runtime.savesHalf ? $weight.half.tensor : weight
  }

  /// The cell of the table.
  public var cell: ParameterCell { $weight }
}

/// A tower that can put trained keys and values in front of every layer's own (prefix tuning).
public protocol PrefixHost: Module {
  /// The keys and values, nil for none.
  var prefix: PrefixEncoder? { get set }
  /// Channels of keys and values of all layers together: columns of the table.
  var prefixWidth: Int { get }
  /// Channels of the tower.
  var hiddenSize: Int { get }
}

/// A tower that can put trained vectors in front of every caption (prompt tuning).
public protocol VirtualTokenHost: Module {
  /// The vectors in front, nil for none.
  var virtualTokens: Embedding? { get set }
  /// Channels of a vector.
  var hiddenSize: Int { get }
  /// The token embeddings `[V, C]`, to start the vectors from words.
  var tokenTable: Tensor { get }
}

/// The table of keys and values of prefix tuning: trained itself, or made from narrower vectors by two layers.
///
/// Row `p` of the table holds, for each layer, the key and then the value of virtual position `p`.
///
/// - Shapes: table `[P, W]`; `embedding` `[P, W]`, with a projection `[P, C]`, `transform.0` `[h, C]`, `transform.2` `[W, h]`.
/// - Source: Li and Liang 2021, arXiv 2101.00190, §4.3. Matches PEFT `PrefixEncoder`.
public final class PrefixEncoder: Module {
  @Child("embedding") var embedding: Embedding
  @Child("transform.0") var first: Linear?
  @Child("transform.2") var second: Linear?

  /// Makes an encoder; `projectionSize` nil trains the table itself.
  public init(_ count: Int, width: Int, hiddenSize: Int, projectionSize: Int?) {
    _embedding.wrappedValue = Embedding(
      count, projectionSize == nil ? width : hiddenSize, .normal(deviation: 1))
    _first.wrappedValue = projectionSize.map { Linear(hiddenSize, $0) }
    _second.wrappedValue = projectionSize.map { Linear($0, width) }
  }

  /// Number of virtual positions.
  public var count: Int { embedding.cell.shape[0] }

  /// Whether the table is computed from narrower vectors.
  public var isProjected: Bool { first != nil }

  /// The table `[P, W]`.
  public func table(_ context: ForwardContext) -> Tensor {
    guard let first, let second else { return embedding.weight }
    return second(tanh(first(embedding.weight, context)), context)
  }
}
