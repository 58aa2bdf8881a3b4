import CleftTensor

/// What contrastive training makes smaller.
public struct ContrastiveObjective: Sendable, Equatable {
  /// How scores of pairs become a loss.
  public enum Kind: String, Sendable, CaseIterable {
    /// A softmax over each row and each column, as published.
    case softmax
    /// A sigmoid for each pair (SigLIP).
    case sigmoid

    /// Temperature that training starts from unless told otherwise.
    public var temperature: Float { self == .softmax ? 0.07 : 0.1 }
  }

  /// How scores become a loss.
  public var kind: Kind
  /// Whether captions that read alike are one another's matches; as published they are not.
  public var matchesEqualCaptions: Bool

  /// Makes an objective; the default is the published one.
  public init(kind: Kind = .softmax, matchesEqualCaptions: Bool = false) {
    self.kind = kind
    self.matchesEqualCaptions = matchesEqualCaptions
  }

  /// Loss and scores of pairs of unit vectors; the shift is the sigmoid's alone.
  func result(
    images: Tensor, texts: Tensor, logitScale: Tensor, logitBias: Tensor?, groups: [Int]?
  ) -> ContrastiveResult {
    switch (kind, logitBias) {
    case (.sigmoid, let logitBias?):
      sigmoidLoss(images: images, texts: texts, logitScale: logitScale, logitBias: logitBias, groups: groups)
    default:
      contrastiveLoss(images: images, texts: texts, logitScale: logitScale, groups: groups)
    }
  }
}
