import Foundation

/// Probabilities of classes that exclude each other.
enum Softmax {
  /// The softmax of each row of scores `[n, width]` divided by a temperature.
  static func rows(_ scores: [Double], width: Int, temperature: Double = 1) -> [Double] {
    var result = scores
    for start in stride(from: 0, to: scores.count, by: max(1, width)) {
      let range = start..<start + width
      let top = scores[range].max() ?? 0
      var sum = 0.0
      for place in range {
        result[place] = exp((scores[place] - top) / temperature)
        sum += result[place]
      }
      for place in range { result[place] /= sum }
    }
    return result
  }
}
