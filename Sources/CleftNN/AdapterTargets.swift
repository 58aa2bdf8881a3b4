/// The layers of a model that adapters change unless told otherwise, by the ends of their paths.
public struct AdapterTargets: Sendable, Equatable {
  /// Layers whose outputs feed attention.
  public var attention: [String]
  /// Layers that end a feed-forward part.
  public var feedForward: [String]

  /// Names the layers.
  public init(attention: [String], feedForward: [String]) {
    self.attention = attention
    self.feedForward = feedForward
  }
}
