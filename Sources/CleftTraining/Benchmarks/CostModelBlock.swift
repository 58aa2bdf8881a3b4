/// A block, for counting.
struct CostModelBlock {
  let width: Int
  let layers: [String: LinearCount]
  let trained: Set<String>
  /// Channels of the queries.
  let attentionWidth: Int
  /// Queries times keys, summed over the sequences.
  let scoreCount: Double
  let trainsPrefix: Bool
  /// Whether what happens between products is in bfloat16 under `bf16-true`.
  let halves: Bool
  /// Whether products add to the stream themselves.
  let fusesJoins: Bool
  /// Whether backward makes the results of norms again instead of keeping them.
  let remakesNorms: Bool

  /// Whether a module of the block has trained parameters.
  func trains(_ path: String) -> Bool { trained.contains { $0.hasPrefix(path + ".") } }
}
