/// A way to look inside an image tower.
///
/// Each is a function in a file of its own, named here and in `PictureMaps.maps`.
public enum MapMethod: String, CaseIterable, Codable, Sendable {
  /// Attention of all blocks, weighted by what it does for the prompt.
  case rollout
  /// How similar each patch is to the prompt.
  case similarity
  /// What the prompt loses when a place is covered.
  case occlusion

  /// A few words for titles.
  public var title: String {
    switch self {
    case .rollout: "attention rollout"
    case .similarity: "patch–text similarity"
    case .occlusion: "occlusion"
    }
  }

  /// What a value of the map is.
  public var meaning: String {
    switch self {
    case .rollout:
      "share of the picture's vector that comes from a patch by the attention that speaks for the prompt"
    case .similarity: "what a patch adds to the cosine with the prompt, less the mean of the other prompts"
    case .occlusion: "how far the log-odds of the prompt fall when a place is covered"
    }
  }

  /// Whether the tower must have a token for each place.
  public var needsTokens: Bool { self != .occlusion }

  /// Whether the method gets better by knowing what is usual in each place.
  public var usesReference: Bool { self != .rollout }
}
