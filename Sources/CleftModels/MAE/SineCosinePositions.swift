import CleftTensor
import Foundation

/// Fixed positions of a square grid: sines and cosines of the column in the first half of the channels, of the row in the
/// second.
///
/// - Source: He et al. 2021, arXiv 2111.06377. Matches the published program's table, its frequencies included.
enum SineCosinePositions {
  /// The table with a row of zeros for the class token in front.
  ///
  /// With `m = width / 2` channels an axis and `i` below `m / 2`, frequencies are `10000^(-i/(2m))` as published, or
  /// the usual `10000^(-2i/m)`.
  /// - Shapes: `[1, 1 + side·side, width]`.
  static func table(side: Int, width: Int, usesPublishedFrequencies: Bool) -> Tensor {
    let half = width / 2
    let frequencies = (0..<half / 2).map { index in
      pow(
        10_000,
        usesPublishedFrequencies ? -Double(index) / Double(2 * half) : -2 * Double(index) / Double(half))
    }
    func axis(_ place: Int) -> [Float] {
      let angles = frequencies.map { $0 * Double(place) }
      return angles.map { Float(sin($0)) } + angles.map { Float(cos($0)) }
    }
    var values = [Float](repeating: 0, count: width)
    for y in 0..<side { for x in 0..<side { values += axis(x) + axis(y) } }
    return Tensor([1, 1 + side * side, width], values)
  }
}
