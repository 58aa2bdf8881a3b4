/// Sizes and names of an image tower.
public struct VisionTransformerConfig: Codable, Sendable, Equatable {
  /// How the checkpoint names class token, registers and positions.
  public enum TokenNames: String, Codable, Sendable {
    /// DINOv2's hub models: `register_tokens`, a position row for the class token, an unused `mask_token`.
    case hub
    /// timm: `reg_token`, no position row for the class token.
    case timm
  }

  /// Channels of a token.
  public var hiddenSize: Int
  /// Number of blocks.
  public var depth: Int
  /// Number of heads.
  public var headCount: Int
  /// Side of a patch in pixels.
  public var patchSize: Int
  /// Number of register tokens.
  public var registerCount: Int
  /// Hidden channels of the MLP as a multiple of `hiddenSize`.
  public var mlpRatio: Int
  /// Side of the stored grid of positions.
  public var positionGrid: Int
  /// Side of the images the tower is used with, in pixels.
  public var imageSizePixels: Int
  /// Added to the variance by the norms.
  public var layerNormEpsilon: Float
  /// Names in the checkpoint.
  public var tokenNames: TokenNames
  /// Deviation of random start values.
  public var initializerRange: Float

  /// Makes a configuration.
  public init(
    hiddenSize: Int, depth: Int, headCount: Int, patchSize: Int = 14, registerCount: Int = 4,
    mlpRatio: Int = 4,
    positionGrid: Int, imageSizePixels: Int, layerNormEpsilon: Float = 1e-6, tokenNames: TokenNames = .hub,
    initializerRange: Float = 0.02
  ) {
    self.hiddenSize = hiddenSize
    self.depth = depth
    self.headCount = headCount
    self.patchSize = patchSize
    self.registerCount = registerCount
    self.mlpRatio = mlpRatio
    self.positionGrid = positionGrid
    self.imageSizePixels = imageSizePixels
    self.layerNormEpsilon = layerNormEpsilon
    self.tokenNames = tokenNames
    self.initializerRange = initializerRange
  }
}
