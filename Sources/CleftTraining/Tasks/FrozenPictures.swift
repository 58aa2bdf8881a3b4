import CleftData
import CleftTensor

/// What a frozen image tower makes of pictures: each one is encoded once and kept.
///
/// The last bits of a feature depend on what else is in its batch. So training pictures are encoded in fixed chunks of
/// neighbors, before the steps that need them, and validation pictures in the batches of the first validation, which are those
/// of every other one: neither the order of training nor a resume changes a bit.
package final class FrozenPictures {
  /// Training pictures of a chunk; the last one may be shorter.
  package static let chunkSize = 32

  /// Whether training samples' features are kept, so that steps need no pictures.
  package let isForTraining: Bool
  /// Each sample's row `[1, C]` of the splits that are kept.
  private var rows: [Split: [Tensor?]] = [:]
  private let encode: (Tensor) -> Tensor

  /// Keeps nothing yet.
  ///
  /// - Parameters:
  ///   - counts: samples of the splits whose features are to be kept.
  ///   - encode: pictures `[B, 3, H, W]` → features `[B, C]`, without anything random.
  package init(counts: [Split: Int], encode: @escaping (Tensor) -> Tensor) {
    isForTraining = counts[.train] != nil
    rows = counts.mapValues { Array(repeating: nil, count: $0) }
    self.encode = encode
  }

  /// Whether the features of all of some samples are here.
  package func has(_ split: Split, _ samples: some Sequence<Int>) -> Bool {
    guard let own = rows[split] else { return false }
    return samples.allSatisfy { own[$0] != nil }
  }

  /// Features of some samples `[B, C]`: those kept, as constants, or those that `compute` makes.
  ///
  /// A batch of validation that was computed is kept for the next one.
  func features(
    _ split: Split, _ samples: [Int], isTraining: Bool, _ compute: () -> Tensor
  ) -> Tensor {
    // Whether a validation sample's features are the same in training, nobody has asked.
    if split != .train && isTraining { return compute() }
    if let own = rows[split], has(split, samples) { return stackedRows(samples.compactMap { own[$0] }) }
    let made = compute()
    if split != .train { keep(split, samples, made) }
    return made
  }

  /// Encodes the chunks of training pictures that hold a sample needed.
  ///
  /// - Parameters:
  ///   - isNeeded: for each training sample whether it is.
  ///   - progress: called after each chunk with the pictures done, and those there are to do.
  func encode(
    _ pass: ImagePass, _ samples: [Sample], isNeeded: [Bool],
    progress: (_ done: Int, _ of: Int) throws -> Void
  ) throws {
    let chunks = stride(from: 0, to: samples.count, by: Self.chunkSize).map {
      $0..<min($0 + Self.chunkSize, samples.count)
    }.filter { chunk in chunk.contains { isNeeded[$0] } && !has(.train, chunk) }
    let count = chunks.reduce(0) { $0 + $1.count }
    var done = 0
    try pass.forEach(chunks, of: samples) { chunk, pictures in
      keep(.train, Array(chunk), withoutGradients { encode(pictures) })
      done += chunk.count
      try progress(done, count)
    }
  }

  private func keep(_ split: Split, _ samples: [Int], _ features: Tensor) {
    guard rows[split] != nil else { return }
    let constant = features.detached
    for (row, sample) in samples.enumerated() { rows[split]?[sample] = constant.rowView(row..<row + 1) }
  }
}
