import Foundation

extension Photometric {
  /// The weights along one axis, in float32; they add up to 1.
  package static func blurKernel(sigma: Float) -> [Float] {
    let raw = (-3...3).map { exp(-0.5 * (Float($0) / sigma) * (Float($0) / sigma)) }
    let total = raw.reduce(0, +)
    return raw.map { $0 / total }
  }

  /// Pixels that one vector of sums covers.
  private static let tile = 16

  /// The weights that count, in order of rows, with their places in the 7 × 7 window.
  private struct Taps {
    var rows: [Int] = []
    var columns: [Int] = []
    var weights: [Float] = []

    /// Takes the weights within float32's normal range.
    ///
    /// Those of a narrow blur vanish toward the rim, where they are far too small to move a sum that rounds to a
    /// level, and slow to multiply with.
    init(_ kernel: [Float]) {
      for row in 0..<7 {
        for column in 0..<7 where kernel[row] * kernel[column] >= .leastNormalMagnitude {
          rows.append(row)
          columns.append(column)
          weights.append(kernel[row] * kernel[column])
        }
      }
    }
  }

  /// Gaussian blur with a 7 × 7 kernel, borders reflected.
  public static func blur(_ image: GrayImage, sigma: Float) -> GrayImage {
    let taps = Taps(blurKernel(sigma: sigma))
    // Rows are whole tiles long, so that the last tile needs no special case; what it computes beyond is not stored.
    let reach = (image.width + tile - 1) / tile * tile
    let stride = reach + 6
    return GrayImage(width: image.width, height: image.height) { target in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: image.height * stride + reach) { scratch in
        guard let padded = scratch.baseAddress else { return }
        let sums = padded + image.height * stride
        image.reading { pad($0, into: padded, stride) }
        var starts = [Int](repeating: 0, count: taps.weights.count)
        for y in 0..<image.height {
          for tap in starts.indices {
            starts[tap] = reflected(y + taps.rows[tap] - 3, image.height) * stride + taps.columns[tap]
          }
          add(padded, starts, taps.weights, to: sums, reach)
          let out = target.row(y)
          for x in 0..<image.width { out[x] = roundedLevel(sums[x]) }
        }
      }
    }
  }

  /// One row of sums: the same additions in the same order for every pixel, sixteen pixels at a time.
  private static func add(
    _ padded: UnsafePointer<Float>, _ starts: [Int], _ weights: [Float], to sums: UnsafeMutablePointer<Float>,
    _ reach: Int
  ) {
    starts.withUnsafeBufferPointer { starts in
      weights.withUnsafeBufferPointer { weights in
        for x in Swift.stride(from: 0, to: reach, by: tile) {
          var sum = SIMD16<Float>.zero
          for tap in 0..<weights.count {
            let levels = UnsafeRawPointer(padded + (starts[tap] &+ x))
            sum += weights[tap] * levels.loadUnaligned(as: SIMD16<Float>.self)
          }
          UnsafeMutableRawPointer(sums + x).storeBytes(of: sum, as: SIMD16<Float>.self)
        }
      }
    }
  }

  /// Every row as floats with three reflected levels on either side; zeros up to the stride.
  private static func pad(_ source: SourcePlane, into padded: UnsafeMutablePointer<Float>, _ stride: Int) {
    let width = source.width
    for y in 0..<source.height {
      let (row, out) = (source.row(y), padded + y * stride)
      for x in 0..<width { out[x + 3] = Float(row[x]) }
      for x in 0..<3 {
        out[x] = Float(row[reflected(x - 3, width)])
        out[width + 3 + x] = Float(row[reflected(width + x, width)])
      }
      for x in width + 6..<stride { out[x] = 0 }
    }
  }

  private static func reflected(_ index: Int, _ count: Int) -> Int {
    if index >= 0 && index < count { return index }
    if count == 1 { return 0 }
    let period = 2 * (count - 1)
    let place = ((index % period) + period) % period
    return place < count ? place : period - place
  }
}
