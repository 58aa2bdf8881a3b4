import CleftTensor

/// What lies behind the vectors of images: a token for each place, and how the vector comes from them.
public struct TokenInspection {
  /// Patches down and across an image.
  public let rows, columns: Int
  /// Every token in the form in which the vector is taken from tokens `[B·T, C]`, special tokens in front of the patches.
  public let tokens: Tensor
  /// Tokens of an image that its vector is taken from: all of them, the patches, or the class token.
  public let pooled: Range<Int>
  /// Whether the vector is the plain mean of those tokens; otherwise a norm comes behind the mean.
  public let isMean: Bool
  /// The vectors `[B, C]`.
  public let feature: Tensor

  /// Tokens of an image `T`.
  public var tokenCount: Int { tokens.shape.rows / feature.shape[0] }

  /// The patches among the tokens of an image, row by row.
  public var patches: Range<Int> { tokenCount - rows * columns..<tokenCount }
}
