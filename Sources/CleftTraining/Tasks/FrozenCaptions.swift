import CleftData
import CleftTensor

/// What a frozen text tower makes of captions: each different one is encoded once and kept.
///
/// The last bits of a feature depend on what else is in its batch. So captions are encoded in fixed chunks, in the order in
/// which the dataset first has them, whichever of them is wanted first: neither the order of training nor a resume changes a
/// bit.
package final class FrozenCaptions {
  /// Captions of a chunk; the last one of a split may be shorter.
  package static let chunkSize = 64

  /// The different captions, as tokens.
  package let captions: [[Int]]
  /// Number of each sample's caption.
  private let numbers: [Split: [Int]]
  private let chunks: [Range<Int>]
  /// Number of each caption's chunk.
  private let places: [Int]
  private var features: [Tensor?]
  private let encode: ([[Int]]) -> Tensor

  /// Finds the different captions; nothing is encoded yet.
  ///
  /// - Parameters:
  ///   - splits: the tokens of each sample's caption. What a split has beyond those before it is in chunks of its own, so
  ///     that validation samples change nothing of training.
  ///   - encode: captions → features `[N, C]`, without anything random.
  package init(_ splits: [(split: Split, captions: [[Int]])], encode: @escaping ([[Int]]) -> Tensor) {
    var (captions, known): ([[Int]], [[Int]: Int]) = ([], [:])
    var (numbers, chunks): ([Split: [Int]], [Range<Int>]) = ([:], [])
    for (split, own) in splits {
      let first = captions.count
      numbers[split] = own.map { caption in
        if let number = known[caption] { return number }
        known[caption] = captions.count
        captions.append(caption)
        return captions.count - 1
      }
      chunks += stride(from: first, to: captions.count, by: Self.chunkSize).map {
        $0..<min($0 + Self.chunkSize, captions.count)
      }
    }
    (self.captions, self.numbers, self.chunks, self.encode) = (captions, numbers, chunks, encode)
    places = chunks.enumerated().flatMap { number, range in range.map { _ in number } }
    features = chunks.map { _ in nil }
  }

  /// Features of some samples' captions `[B, C]`, a constant.
  package func features(_ split: Split, _ samples: [Int]) -> Tensor {
    let numbers = numbers(split)
    return stackedRows(
      samples.map { sample in
        let (number, place) = (numbers[sample], places[numbers[sample]])
        let row = number - chunks[place].lowerBound
        return feature(ofChunk: place).rowView(row..<row + 1)
      })
  }

  /// Encodes what some samples need and has not been encoded yet.
  ///
  /// - Parameter progress: called after each chunk with the captions done, and those there are to do.
  package func encode(
    _ split: Split, _ samples: [Int], progress: (_ done: Int, _ of: Int) throws -> Void
  ) rethrows {
    let numbers = numbers(split)
    let wanted = Set(samples.map { places[numbers[$0]] }).filter { features[$0] == nil }.sorted()
    let count = wanted.reduce(0) { $0 + chunks[$1].count }
    var done = 0
    for place in wanted {
      _ = feature(ofChunk: place)
      done += chunks[place].count
      try progress(done, count)
    }
  }

  private func numbers(_ split: Split) -> [Int] {
    guard let own = numbers[split] else { preconditionFailure("frozen captions: none of \(split)") }
    return own
  }

  private func feature(ofChunk place: Int) -> Tensor {
    if let known = features[place] { return known }
    let made = withoutGradients { encode(Array(captions[chunks[place]])) }
    features[place] = made
    return made
  }
}
