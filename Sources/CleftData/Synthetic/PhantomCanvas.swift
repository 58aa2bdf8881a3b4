import CleftImaging
import CleftTensor
import Foundation

/// A picture of relative X-ray attenuation, painted in body coordinates.
///
/// Body coordinates: `u` from -1 (left edge of the picture, the patient's right) to 1, `v` from -1 (top) to 1; the
/// thorax is turned, shifted and scaled within the picture.
struct PhantomCanvas {
  let width, height: Int
  var values: [Float]
  private let cosine, sine, scale, shiftU, shiftV: Float

  init(width: Int, height: Int, angle: Float, scale: Float, shift: (u: Float, v: Float)) {
    self.width = width
    self.height = height
    values = [Float](repeating: 0, count: width * height)
    (cosine, sine) = (cos(angle), sin(angle))
    self.scale = scale
    (shiftU, shiftV) = shift
  }

  /// Replaces every value within a box of body coordinates (nil: everywhere) by `body(old, u, v)`.
  @inline(__always)
  mutating func paint(_ box: PhantomBox? = nil, _ body: (Float, Float, Float) -> Float) {
    let (rows, columns) = box.map(pixels) ?? (0..<height, 0..<width)
    let (stepX, stepY) = (2 / Float(width), 2 / Float(height))
    values.withUnsafeMutableBufferPointer { values in
      for y in rows {
        let b = ((Float(y) + 0.5) * stepY - 1 - shiftV) * scale
        for x in columns {
          let a = ((Float(x) + 0.5) * stepX - 1 - shiftU) * scale
          values[y * width + x] = body(values[y * width + x], cosine * a + sine * b, cosine * b - sine * a)
        }
      }
    }
  }

  /// Pixels that a box of body coordinates covers at least.
  func pixels(_ box: PhantomBox) -> (rows: Range<Int>, columns: Range<Int>) {
    var (left, right, top, bottom) = (Float.infinity, -Float.infinity, Float.infinity, -Float.infinity)
    for (u, v) in [
      (box.left, box.top), (box.right, box.top), (box.left, box.bottom), (box.right, box.bottom),
    ] {
      let x = ((cosine * u - sine * v) / scale + shiftU + 1) / 2 * Float(width)
      let y = ((sine * u + cosine * v) / scale + shiftV + 1) / 2 * Float(height)
      (left, right) = (min(left, x), max(right, x))
      (top, bottom) = (min(top, y), max(bottom, y))
    }
    func range(_ low: Float, _ high: Float, _ count: Int) -> Range<Int> {
      let first = min(max(Int(low.rounded(.down)), 0), count)
      return first..<min(max(Int(high.rounded(.up)) + 1, first), count)
    }
    return (range(top, bottom, height), range(left, right, width))
  }

  /// Averages each value with its neighbors, `passes` times.
  mutating func blur(passes: Int) {
    for _ in 0..<passes {
      let old = values
      for y in 1..<height - 1 {
        for x in 1..<width - 1 {
          let i = y * width + x
          values[i] =
            0.25 * old[i] + 0.125 * (old[i - 1] + old[i + 1] + old[i - width] + old[i + width])
            + 0.0625 * (old[i - width - 1] + old[i - width + 1] + old[i + width - 1] + old[i + width + 1])
        }
      }
    }
  }
}

/// A rectangle in body coordinates.
struct PhantomBox {
  var left, right, top, bottom: Float

  init(left: Float, right: Float, top: Float, bottom: Float) {
    (self.left, self.right, self.top, self.bottom) = (left, right, top, bottom)
  }

  /// A square around a point.
  init(around u: Float, _ v: Float, reach: Float) {
    self.init(left: u - reach, right: u + reach, top: v - reach, bottom: v + reach)
  }
}

/// 0 below `low`, 1 above `high`, smooth between.
@inline(__always)
func ramp(_ x: Float, _ low: Float, _ high: Float) -> Float {
  let t = (x - low) / (high - low)
  let held = t < 0 ? 0 : (t > 1 ? 1 : t)
  return held * held * (3 - 2 * held)
}

/// A bell of height 1, zero from distance 1 on.
@inline(__always)
func bell(_ squaredDistance: Float) -> Float {
  let t = 1 - squaredDistance
  return t <= 0 ? 0 : t * t
}

/// Smooth random values on the plane, between -1 and 1.
struct PhantomNoise {
  private let grid: [Float]
  private static let side = 64

  init(_ key: RandomKey) {
    var draw = key.generator
    grid = (0..<Self.side * Self.side).map { _ in Float(draw.uniform(-1, 1)) }
  }

  @inline(__always)
  func value(_ u: Float, _ v: Float) -> Float {
    let (x, y) = (u + 4096, v + 4096)
    let (i, j) = (Int(x), Int(y))
    let (a, b) = (x - Float(i), y - Float(j))
    let (i0, i1) = (i & 63, (i + 1) & 63)
    let (j0, j1) = ((j & 63) * 64, ((j + 1) & 63) * 64)
    let top = grid[j0 + i0] + a * (grid[j0 + i1] - grid[j0 + i0])
    let bottom = grid[j1 + i0] + a * (grid[j1 + i1] - grid[j1 + i0])
    return top + b * (bottom - top)
  }

  /// Two octaves.
  @inline(__always)
  func texture(_ u: Float, _ v: Float, _ frequency: Float) -> Float {
    0.65 * value(u * frequency, v * frequency) + 0.35
      * value(u * frequency * 2.3 + 17, v * frequency * 2.3 + 5)
  }
}
