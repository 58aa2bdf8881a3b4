import CleftFormats

/// Learns byte-pair merges from texts.
///
/// The most frequent pair is merged first; of equally frequent ones the one whose spelling sorts first. Ids are the 256
/// bytes, the merges in order, and the end-of-text token last.
public enum BPETrainer {
  /// A learned vocabulary.
  public struct Result: Sendable {
    /// Id of each spelling.
    public let vocabulary: [String: Int]
    /// Pairs of spellings in order of learning.
    public let merges: [(String, String)]
  }

  /// Learns a vocabulary of at most `size` ids from texts; fewer when no pair occurs twice any more.
  public static func train(_ texts: some Sequence<String>, size: Int) -> Result {
    var counts: [String: Int] = [:]
    for text in texts { for piece in PreTokenizer.pieces(text) { counts[piece, default: 0] += 1 } }
    var words = counts.sorted { $0.key < $1.key }.map {
      (parts: $0.key.utf8.map { ByteSpelling.spell([$0]) }, count: $0.value)
    }
    var merges: [(String, String)] = []
    while 256 + merges.count + 1 < size {
      var pairs: [[String]: Int] = [:]
      for word in words {
        for (left, right) in zip(word.parts, word.parts.dropFirst()) {
          pairs[[left, right], default: 0] += word.count
        }
      }
      let best = pairs.max { a, b in
        a.value != b.value ? a.value < b.value : b.key.lexicographicallyPrecedes(a.key)
      }
      guard let best, best.value > 1 else { break }
      merges.append((best.key[0], best.key[1]))
      for index in words.indices { words[index].parts = merged(words[index].parts, best.key[0], best.key[1]) }
    }
    return assembled(merges)
  }

  /// The vocabulary that follows from merges.
  public static func assembled(_ merges: [(String, String)]) -> Result {
    var vocabulary: [String: Int] = [:]
    for byte in UInt8.min...UInt8.max { vocabulary[ByteSpelling.spell([byte])] = Int(byte) }
    for (left, right) in merges where vocabulary[left + right] == nil {
      vocabulary[left + right] = vocabulary.count
    }
    vocabulary[ByteLevelBPE.endOfText] = vocabulary.count
    return Result(vocabulary: vocabulary, merges: merges)
  }

  private static func merged(_ parts: [String], _ left: String, _ right: String) -> [String] {
    var result: [String] = []
    var i = 0
    while i < parts.count {
      if i + 1 < parts.count, parts[i] == left, parts[i + 1] == right {
        result.append(left + right)
        i += 2
      } else {
        result.append(parts[i])
        i += 1
      }
    }
    return result
  }
}
