import Foundation

/// Rotation, translation and scaling about the center with nearest sampling, as Pillow does it.
public enum Affine {
  /// The matrix from target to source coordinates, as torchvision computes it.
  ///
  /// - Parameters:
  ///   - angle: degrees.
  ///   - translation: pixels right and down.
  ///   - center: in pixels.
  public static func inverseMatrix(
    angle: Double, translation: (x: Double, y: Double), scale: Double, center: (x: Double, y: Double)
  ) -> [Double] {
    let radians = angle * .pi / 180
    let (c, s) = (cos(radians) / scale, sin(radians) / scale)
    let (dx, dy) = (-center.x - translation.x, -center.y - translation.y)
    return [c, s, c * dx + s * dy + center.x, -s, c, -s * dx + c * dy + center.y]
  }

  /// Applies a matrix from target to source coordinates; what falls outside is 0.
  public static func apply(_ image: GrayImage, _ matrix: [Double]) -> GrayImage {
    func fixed(_ value: Double) -> Int { Int((value * 65_536 + 0.5).rounded(.down)) }
    let m = matrix.map(fixed)
    let startX = fixed(matrix[2] + matrix[0] * 0.5 + matrix[1] * 0.5)
    let startY = fixed(matrix[5] + matrix[3] * 0.5 + matrix[4] * 0.5)
    var result = GrayImage(width: image.width, height: image.height)
    image.pixels.withUnsafeBufferPointer { source in
      for y in 0..<image.height {
        for x in 0..<image.width {
          let u = (startX + m[0] * x + m[1] * y) >> 16
          let v = (startY + m[3] * x + m[4] * y) >> 16
          if u >= 0, u < image.width, v >= 0, v < image.height {
            result.pixels[y * image.width + x] = source[v * image.width + u]
          }
        }
      }
    }
    return result
  }
}
