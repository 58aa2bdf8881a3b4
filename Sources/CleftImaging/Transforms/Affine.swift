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
    let step = (u: m[0], v: m[3])
    let startX = fixed(matrix[2] + matrix[0] * 0.5 + matrix[1] * 0.5)
    let startY = fixed(matrix[5] + matrix[3] * 0.5 + matrix[4] * 0.5)
    return GrayImage(width: image.width, height: image.height) { target in
      image.reading { source in
        for y in 0..<source.height {
          sample(source, from: (startX + m[1] * y, startY + m[4] * y), step: step, into: target.row(y))
        }
      }
    }
  }

  /// One target row; `start` and `step` are source coordinates in parts of 65,536.
  ///
  /// Both coordinates only rise or only fall along the row, so the columns whose source lies inside the picture are
  /// neighbors: their two ends are looked for, and between them nothing needs a check.
  private static func sample(
    _ source: SourcePlane, from start: (u: Int, v: Int), step: (u: Int, v: Int),
    into out: UnsafeMutablePointer<UInt8>
  ) {
    let (width, height) = (source.width, source.height)
    func isInside(_ x: Int) -> Bool {
      let (u, v) = ((start.u &+ step.u &* x) >> 16, (start.v &+ step.v &* x) >> 16)
      return u >= 0 && u < width && v >= 0 && v < height
    }
    var (left, right) = (0, width)
    while left < right && !isInside(left) { left += 1 }
    while right > left && !isInside(right - 1) { right -= 1 }
    for x in 0..<left { out[x] = 0 }
    var (u, v) = (start.u &+ step.u &* left, start.v &+ step.v &* left)
    for x in left..<right {
      out[x] = source.base[(v >> 16) &* width &+ (u >> 16)]
      u &+= step.u
      v &+= step.v
    }
    for x in right..<width { out[x] = 0 }
  }
}
