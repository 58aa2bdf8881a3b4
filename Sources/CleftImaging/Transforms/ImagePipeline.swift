import CleftTensor

/// From a decoded picture to what the model sees: the published loader and its `Moco2` transforms, in their order.
///
/// Evaluation: fit into 256, Otsu cut, bilinear resize to `sizePixels`. Training adds jitter, blur, affine and flip
/// with the published probabilities.
/// - Source: Du et al. 2024, code release, `cleft.md` §3.
public struct ImagePipeline: Sendable, Equatable {
  /// Side of the square that the loader fits every picture into.
  public static let fitSide = 256
  /// Side of the result in pixels, 224 as published.
  public var sizePixels: Int

  /// Makes a pipeline.
  public init(sizePixels: Int) { self.sizePixels = sizePixels }

  /// A decoded picture fitted into the square that every further step starts from; what `cleft prepare` stores.
  public static func fitted(_ image: GrayImage) -> GrayImage { SquareFit.apply(image, side: fitSide) }

  /// What evaluation sees.
  public func evaluation(_ image: GrayImage) -> GrayImage { evaluation(fitted: Self.fitted(image)) }

  /// What evaluation sees of a fitted picture.
  public func evaluation(fitted: GrayImage) -> GrayImage {
    BilinearResize.apply(OtsuCut.apply(fitted), width: sizePixels, height: sizePixels)
  }

  /// What training sees under one key; equal keys give equal pictures.
  public func training(_ image: GrayImage, key: RandomKey) -> GrayImage {
    augmented(evaluation(image), key: key)
  }

  /// The random part of the training transform, on a picture that `evaluation` has made.
  public func augmented(_ image: GrayImage, key: RandomKey) -> GrayImage {
    var result = image
    var draw = key.generator
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
