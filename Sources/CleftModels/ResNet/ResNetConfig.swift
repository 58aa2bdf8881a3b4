/// Sizes of a residual network of bottleneck blocks; the defaults are ResNet-50's.
public struct ResNetConfig: ImageTowerConfig, Equatable {
  /// `resnet`.
  public static let kind = "resnet"
  /// The classifier of torchvision's files.
  public static let ignoredKeys: [(prefix: String, reason: String)] = [
    (prefix: "fc.", reason: "ImageNet's classifier")
  ]

  /// Blocks of the four stages.
  public var stageDepths: [Int]
  /// Channels after the first convolution; stage `i` works on `width·2ⁱ` and leaves four times as many.
  public var width: Int
  /// Side of the images the tower is used with, in pixels.
  public var imageSizePixels: Int

  /// Makes a configuration.
  public init(stageDepths: [Int] = [3, 4, 6, 3], width: Int = 64, imageSizePixels: Int = 224) {
    self.stageDepths = stageDepths
    self.width = width
    self.imageSizePixels = imageSizePixels
  }

  /// Reads a configuration; what is left out is ResNet-50's.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let standard = ResNetConfig()
    self.init(
      stageDepths: try values.decodeIfPresent([Int].self, forKey: .stageDepths) ?? standard.stageDepths,
      width: try values.decodeIfPresent(Int.self, forKey: .width) ?? standard.width,
      imageSizePixels: try values.decodeIfPresent(Int.self, forKey: .imageSizePixels)
        ?? standard.imageSizePixels)
  }

  /// Channels of an image's vector.
  public var hiddenSize: Int { 32 * width }

  /// A vector tower has no tokens.
  public var hasTokens: Bool { false }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    if stageDepths.count != 4 { return "\(stageDepths.count) stage depths; expected 4" }
    let sizes = [("width", width), ("image size", imageSizePixels)]
    return impossibleSize(sizes + stageDepths.map { ("stage depth", $0) })
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any ImageTower { ResNet(self) }
}
