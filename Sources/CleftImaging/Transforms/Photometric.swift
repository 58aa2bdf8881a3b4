/// Changes of gray levels, as torchvision makes them on Pillow pictures.
public enum Photometric {
  /// Multiplies levels, cut toward zero.
  public static func brightness(_ image: GrayImage, factor: Float) -> GrayImage {
    mapped(image) { Float($0) * factor }
  }

  /// Moves levels away from (factor > 1) or toward their mean.
  public static func contrast(_ image: GrayImage, factor: Float) -> GrayImage {
    let sum = image.pixels.withUnsafeBufferPointer { levels in
      var sum = 0
      for level in levels { sum &+= Int(level) }
      return sum
    }
    let mean = Float(Int(Double(sum) / Double(max(image.pixels.count, 1)) + 0.5))
    return mapped(image) { mean + factor * (Float($0) - mean) }
  }

  private static func mapped(_ image: GrayImage, _ body: (UInt8) -> Float) -> GrayImage {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { table in
      for level in 0..<256 { table[level] = UInt8(min(max(body(UInt8(level)), 0), 255)) }
      return GrayImage(width: image.width, height: image.height) { target in
        image.reading { source in
          for i in 0..<source.width * source.height { target.base[i] = table[Int(source.base[i])] }
        }
      }
    }
  }
}
