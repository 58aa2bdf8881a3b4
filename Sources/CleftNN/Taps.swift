import CleftTensor

/// Intermediate results by name, for parity checks and for looking inside.
public final class Taps {
  /// What was recorded, cut off from the tape.
  public private(set) var tensors: [String: Tensor] = [:]
  /// Attention of the blocks in the order of the pass; empty unless somebody watches it.
  public private(set) var attention: [WatchedAttention] = []
  private let watchesAttention: Bool

  /// Makes an empty collection.
  ///
  /// - Parameter watchesAttention: whether attention puts itself on the tape, so that its gradient can be asked for.
  public init(watchesAttention: Bool = false) { self.watchesAttention = watchesAttention }

  /// Records a result.
  public func record(_ name: String, _ tensor: Tensor) { tensors[name] = tensor.detached }

  /// Keeps what attention was computed from, and gives its result back with a place in the tape of its own.
  ///
  /// - Parameters:
  ///   - packed: queries, keys and values side by side `[B·T, 3·C]`.
  ///   - attended: the result `[B·T, C]`.
  public func watch(_ packed: Tensor, _ attended: Tensor, _ options: AttentionOptions) -> Tensor {
    guard watchesAttention else { return attended }
    let leaf = Node()
    attention.append(
      WatchedAttention(
        packed: packed.detached, headCount: options.headCount, scale: options.scale, leaf: leaf))
    return attended + Tensor(attended.shape).tracked(by: leaf)
  }
}
