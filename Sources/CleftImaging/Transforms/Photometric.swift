import Foundation

/// Changes of gray levels, as torchvision makes them on Pillow pictures.
public enum Photometric {
  /// Multiplies levels, cut toward zero.
  public static func brightness(_ image: GrayImage, factor: Float) -> GrayImage {
    mapped(image) { Float($0) * factor }
  }

  /// Moves levels away from (factor > 1) or toward their mean.
  public static func contrast(_ image: GrayImage, factor: Float) -> GrayImage {
    let sum = image.pixels.reduce(0) { $0 + Int($1) }
    let mean = Float(Int(Double(sum) / Double(max(image.pixels.count, 1)) + 0.5))
    return mapped(image) { mean + factor * (Float($0) - mean) }
  }

  /// Gaussian blur with a 7 × 7 kernel, borders reflected.
  public static func blur(_ image: GrayImage, sigma: Float) -> GrayImage {
    let raw = (-3...3).map { exp(-0.5 * (Float($0) / sigma) * (Float($0) / sigma)) }
    let total = raw.reduce(0, +)
    let kernel = raw.map { $0 / total }
    let (width, height) = (image.width, image.height)
    let columns = (0..<width + 6).map { reflected($0 - 3, width) }
    var result = image
    var padded = [Float](repeating: 0, count: (width + 6) * 7)
    image.pixels.withUnsafeBufferPointer { source in
      for y in 0..<height {
        for v in 0..<7 {
          let row = reflected(y + v - 3, height) * width
          for x in 0..<width + 6 { padded[v * (width + 6) + x] = Float(source[row + columns[x]]) }
        }
        for x in 0..<width {
          var sum: Float = 0
          for v in 0..<7 { for u in 0..<7 { sum += kernel[v] * kernel[u] * padded[v * (width + 6) + x + u] } }
          result.pixels[y * width + x] = level(sum.rounded(.toNearestOrEven))
        }
      }
    }
    return result
  }

  private static func reflected(_ index: Int, _ count: Int) -> Int {
    if count == 1 { return 0 }
    let period = 2 * (count - 1)
    let place = ((index % period) + period) % period
    return place < count ? place : period - place
  }

  private static func mapped(_ image: GrayImage, _ body: (UInt8) -> Float) -> GrayImage {
    let table = (0...255).map { UInt8(min(max(body(UInt8($0)), 0), 255)) }
    var result = image
    for i in result.pixels.indices { result.pixels[i] = table[Int(result.pixels[i])] }
    return result
  }
}
