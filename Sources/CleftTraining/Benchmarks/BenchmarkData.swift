import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftText
import Foundation

/// Captions of drawn tokens and lengths, for measurements that need no words.
public struct BenchmarkCaptions: Sendable {
  /// Tokens of a caption, special ones included.
  public var lengths: ClosedRange<Int>
  /// Ids are drawn below it.
  public var vocabularySize: Int
  /// Decides everything drawn.
  public var seed: UInt64

  /// Makes settings.
  public init(lengths: ClosedRange<Int>, vocabularySize: Int, seed: UInt64) {
    (self.lengths, self.vocabularySize, self.seed) = (lengths, vocabularySize, seed)
  }

  /// The text of the caption of a number: ids with spaces between, as `NumberTokenizer` reads them.
  ///
  /// Lengths are uniform over the range; the padding id does not come up.
  public func text(_ index: Int, for tokenizer: any Tokenizer) -> String {
    var draw = RandomKey(seed: seed).split("benchmark captions", index).generator
    let length = Int.random(in: lengths, using: &draw)
    let specials = tokenizer.leadingIDs.count + tokenizer.trailingIDs.count
    return (0..<max(1, length - specials)).map { _ in
      let id = Int.random(in: 0..<max(1, vocabularySize - 1), using: &draw)
      return "\(id >= tokenizer.paddingID && vocabularySize > 1 ? id + 1 : id)"
    }.joined(separator: " ")
  }
}

/// Reads numbers as the ids that they are; special ids are those of another tokenizer.
public struct NumberTokenizer: Tokenizer {
  private let base: any Tokenizer

  /// Takes the special ids of a model's tokenizer.
  public init(_ base: any Tokenizer) { self.base = base }

  /// The numbers of a text; a word that is none is 0.
  public func encode(_ text: String) -> [Int] { text.split(separator: " ").map { Int($0) ?? 0 } }
  /// Numbers with spaces between.
  public func decode(_ ids: [Int]) -> String { ids.map(String.init).joined(separator: " ") }
  /// The model's.
  public var vocabularySize: Int { base.vocabularySize }
  /// The model's.
  public var endOfTextID: Int { base.endOfTextID }
  /// The model's.
  public var paddingID: Int { base.paddingID }
  /// The model's.
  public var leadingIDs: [Int] { base.leadingIDs }
  /// The model's.
  public var trailingIDs: [Int] { base.trailingIDs }
  /// The model's.
  public var tokenizerJSON: String { base.tokenizerJSON }
}

/// A folder of drawn radiographs as JPEG files, which is gone when the value is.
public final class BenchmarkPictures {
  /// The files.
  public let paths: [String]
  private let folder: String

  /// Draws and writes pictures of the size that CheXpert's small release has.
  ///
  /// - Throws: `FormatError` if they cannot be written.
  public init(count: Int, seed: UInt64) throws {
    let folder = NSTemporaryDirectory() + "/cleft-bench-\(UUID().uuidString)"
    self.folder = folder
    paths = (0..<count).map { "\(folder)/\($0).jpg" }
    try FileSystem.makeFolder(folder)
    let (paths, key) = (paths, RandomKey(seed: seed).split("benchmark pictures"))
    do {
      _ = try Runtime.map(count) { index in
        let picture = PhantomRenderer.render(
          patient: key.split("patient", index), study: key.split("study", index),
          findings: [Finding.five[index % Finding.five.count]], difficulty: 0.2, sizePixels: 320...390)
        try FileSystem.write(
          ImageEncoder.jpeg(picture.image, quality: 90), to: paths[index], isDurable: false)
      }
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }
}

extension BenchmarkCaptions {
  /// Samples with drawn captions; pictures repeat where there are fewer of them.
  ///
  /// - Parameter paths: pictures; none for a measurement that reads none.
  public func dataset(sampleCount: Int, paths: [String], for tokenizer: any Tokenizer) -> ImageTextDataset {
    ImageTextDataset(
      name: "benchmark", table: "benchmark",
      samples: (0..<sampleCount).map { index in
        Sample(
          imagePath: paths.isEmpty ? "" : paths[index % paths.count], caption: text(index, for: tokenizer),
          labels: [], origin: "benchmark sample \(index + 1)")
      }, classNames: [], promptSets: [])
  }
}
