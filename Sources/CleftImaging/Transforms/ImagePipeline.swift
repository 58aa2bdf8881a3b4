import CleftTensor

/// From a decoded picture to what the model sees: the published loader and its `Moco2` transforms, in their order.
///
/// Evaluation: fit into 256, Otsu cut, bilinear resize to `sizePixels`. Training adds jitter, blur, affine and flip
/// with the published probabilities. Where a crop is asked for, the resize goes to 8/7 of the size (256 for 224), and
/// training crops at random before everything else, evaluation in the middle.
/// - Source: Du et al. 2024, code release, `cleft.md` §3.
public struct ImagePipeline: Sendable, Equatable {
  /// Side of the square that the loader fits every picture into.
  public static let fitSide = 256
  /// Side of the result in pixels, 224 as published.
  public var sizePixels: Int
  /// Whether pictures are resized straight to their size, as published by accident, so that nothing is left to crop.
  public var resizesStraight: Bool
  /// Whether the shorter side of a fitted picture is cut to whole pixels, as published.
  public var truncatesSides: Bool

  /// Makes a pipeline.
  public init(sizePixels: Int, resizesStraight: Bool = true, truncatesSides: Bool = true) {
    self.sizePixels = sizePixels
    self.resizesStraight = resizesStraight
    self.truncatesSides = truncatesSides
  }

  /// Side of a resized picture, from which evaluation and training start.
  public var resizedSide: Int {
    resizesStraight ? sizePixels : Int((Double(sizePixels) * 256 / 224).rounded())
  }

  /// A decoded picture fitted into the square that every further step starts from; what `cleft prepare` stores.
  public static func fitted(_ image: GrayImage) -> GrayImage { SquareFit.apply(image, side: fitSide) }

  /// What evaluation sees.
  public func evaluation(_ image: GrayImage) -> GrayImage { evaluation(resized: resized(image)) }

  /// What evaluation sees of a fitted picture.
  public func evaluation(fitted: GrayImage) -> GrayImage { evaluation(resized: resized(fitted: fitted)) }

  /// What evaluation sees of a resized picture: its middle.
  public func evaluation(resized: GrayImage) -> GrayImage {
    if resized.width <= sizePixels { return resized }
    return cropped(resized, left: cropMargin, top: cropMargin)
  }

  /// Rows above, and columns left of, the middle that evaluation crops out of a resized picture.
  var cropMargin: Int { Int((Double(max(0, resizedSide - sizePixels)) / 2).rounded(.toNearestOrEven)) }

  /// A decoded picture, fitted, cut and resized.
  public func resized(_ image: GrayImage) -> GrayImage {
    resized(fitted: SquareFit.apply(image, side: Self.fitSide, truncates: truncatesSides))
  }

  /// A fitted picture, cut and resized.
  public func resized(fitted: GrayImage) -> GrayImage {
    BilinearResize.apply(OtsuCut.apply(fitted), width: resizedSide, height: resizedSide)
  }

  private func cropped(_ image: GrayImage, left: Int, top: Int) -> GrayImage {
    image.cropped(rows: top..<top + sizePixels, columns: left..<left + sizePixels)
  }

  /// What training sees under one key; equal keys give equal pictures.
  public func training(_ image: GrayImage, key: RandomKey) -> GrayImage {
    augmented(resized(image), key: key)
  }

  /// The random part of the training transform, on a picture that `resized` has made.
  public func augmented(_ image: GrayImage, key: RandomKey) -> GrayImage {
    var result = image
    var draw = key.generator
    let margin = image.width - sizePixels
    if margin > 0 {
      let top = Int(draw.uniform() * Double(margin + 1))
      result = cropped(image, left: Int(draw.uniform() * Double(margin + 1)), top: top)
    }
    if draw.uniform() <= 0.4 {
      let brightness = Float(draw.uniform(0.8, 1.2))
      let contrast = Float(draw.uniform(0.8, 1.2))
      if draw.chance(0.5) {
        result = Photometric.contrast(Photometric.brightness(result, factor: brightness), factor: contrast)
      } else {
        result = Photometric.brightness(Photometric.contrast(result, factor: contrast), factor: brightness)
      }
    }
    if draw.uniform() <= 0.4 { result = Photometric.blur(result, sigma: Float(draw.uniform(0.1, 2))) }
    let reach = Double(sizePixels) / 16
    let center = Double(sizePixels) / 2
    let angle = draw.uniform(-10, 10)
    let right = draw.uniform(-reach, reach).rounded(.toNearestOrEven)
    let down = draw.uniform(-reach, reach).rounded(.toNearestOrEven)
    let matrix = Affine.inverseMatrix(
      angle: angle, translation: (right, down), scale: draw.uniform(0.8, 1.1), center: (center, center))
    result = Affine.apply(result, matrix)
    return draw.uniform() < 0.5 ? result.mirrored : result
  }

  /// Pictures as the model's input: `(level / 255 - 0.5) / 0.5`, the same in all three channels.
  ///
  /// - Shapes: `[B, 3, S, S]`.
  public static func tensor(_ images: [GrayImage]) -> Tensor {
    let (width, height) = (images[0].width, images[0].height)
    let table = (0...255).map { (Float($0) / 255 - 0.5) / 0.5 }
    let result = Tensor(uninitialized: [images.count, 3, height, width])
    let plane = width * height
    result.withMutablePointer { out in
      table.withUnsafeBufferPointer { table in
        for (index, image) in images.enumerated() {
          precondition(image.width == width && image.height == height, "image batch: sizes differ")
          let target = out + index * 3 * plane
          image.reading { source in for i in 0..<plane { target[i] = table[Int(source.base[i])] } }
          for channel in 1..<3 { (target + channel * plane).update(from: target, count: plane) }
        }
      }
    }
    return result
  }
}
