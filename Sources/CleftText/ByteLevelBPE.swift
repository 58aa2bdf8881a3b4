import CleftFormats
import Foundation
import Synchronization

/// Byte-level byte-pair encoding, as GPT-2 and BioMedLM use it.
///
/// - Source: Sennrich et al. 2016, arXiv 1508.07909; Radford et al. 2019. Ids equal Hugging Face `tokenizers`.
public final class ByteLevelBPE: Tokenizer {
  /// The token that ends a text.
  public static let endOfText = "<|endoftext|>"

  private struct Pair: Hashable {
    let left, right: Int32
  }

  /// Number of ids.
  public let vocabularySize: Int
  /// Id of the token that ends a text.
  public let endOfTextID: Int
  /// The end-of-text id.
  public var paddingID: Int { endOfTextID }
  /// None.
  public var leadingIDs: [Int] { [] }
  /// None.
  public var trailingIDs: [Int] { [] }
  /// Id of each spelling.
  public let vocabulary: [String: Int]
  /// Pairs of spellings in order of learning.
  public let merges: [(String, String)]
  private let byteIDs: [Int32]
  private let mergeRanks: [Pair: (rank: Int32, merged: Int32)]
  private let spellings: [Int: String]
  private let added: [(content: [Unicode.Scalar], id: Int)]
  private let addsPrefixSpace: Bool
  private let cache = Mutex<[Spelling: [Int]]>([:])

  /// Makes a tokenizer from its parts.
  ///
  /// - Parameters:
  ///   - vocabulary: id of each spelling (GPT-2's spelling of bytes).
  ///   - merges: pairs of spellings, most frequent first.
  ///   - added: tokens that are found in a text before anything else.
  ///   - source: names the origin in messages.
  public init(
    vocabulary: [String: Int], merges: [(String, String)], added: [String: Int],
    addsPrefixSpace: Bool = false,
    source: String
  ) throws(TokenizerError) {
    var byteIDs: [Int32] = []
    for byte in UInt8.min...UInt8.max {
      guard let id = vocabulary[ByteSpelling.spell([byte])] else {
        throw .malformed(
          Problem(
            source, found: "no token for byte \(byte)", expected: "a byte-level vocabulary with all 256 bytes"
          ))
      }
      byteIDs.append(Int32(id))
    }
    var ranks: [Pair: (rank: Int32, merged: Int32)] = [:]
    for (rank, (left, right)) in merges.enumerated() {
      guard let leftID = vocabulary[left], let rightID = vocabulary[right],
        let merged = vocabulary[left + right]
      else {
        throw .malformed(
          Problem(
            "\(source): merge \(rank + 1)",
            found: "'\(left) \(right)' with a part or its sum outside the vocabulary",
            hint: "vocab.json and merges.txt must come from one tokenizer."))
      }
      ranks[Pair(left: Int32(leftID), right: Int32(rightID))] = (Int32(rank), Int32(merged))
    }
    guard let end = added[Self.endOfText] ?? vocabulary[Self.endOfText] else {
      throw .malformed(Problem(source, found: "no token \(Self.endOfText)", expected: "a GPT-2 vocabulary"))
    }
    self.vocabulary = vocabulary
    self.merges = merges
    self.byteIDs = byteIDs
    mergeRanks = ranks
    endOfTextID = end
    self.added = added.merging([Self.endOfText: end]) { $1 }.map { (Array($0.key.unicodeScalars), $0.value) }
      .filter { !$0.0.isEmpty }.sorted { ($1.0.count, $0.1) < ($0.0.count, $1.1) }
    self.addsPrefixSpace = addsPrefixSpace
    vocabularySize = (Array(vocabulary.values) + Array(added.values)).reduce(0) { max($0, $1 + 1) }
    spellings = Dictionary(vocabulary.map { ($0.value, $0.key) }) { first, _ in first }
  }

  /// Ids of a text.
  public func encode(_ text: String) -> [Int] {
    var ids: [Int] = []
    for part in splitAtAddedTokens(text) {
      switch part {
      case .added(let id): ids.append(id)
      case .text(let text):
        let text = addsPrefixSpace && !text.hasPrefix(" ") ? " " + text : text
        for piece in PreTokenizer.pieces(text) { ids += encode(piece: piece) }
      }
    }
    return ids
  }

  /// Text of ids; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ ids: [Int]) -> String {
    let names = Dictionary(added.map { ($0.id, $0.content) }) { first, _ in first }
    var bytes: [UInt8] = []
    for id in ids {
      if let content = names[id] {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: content)
        bytes += Array(String(view).utf8)
      } else {
        bytes += spellings[id].flatMap(ByteSpelling.bytes(of:)) ?? []
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Text of a `tokenizer.json` with this vocabulary.
  public var tokenizerJSON: String {
    let tokens = added.map { content, id in
      var view = String.UnicodeScalarView()
      view.append(contentsOf: content)
      return (content: String(view), id: id)
    }
    return TokenizerFiles.tokenizerJSON(
      vocabulary: vocabulary, merges: merges, added: tokens.sorted { $0.id < $1.id },
      addsPrefixSpace: addsPrefixSpace)
  }

  private enum Part {
    case added(Int)
    case text(String)
  }

  private func splitAtAddedTokens(_ text: String) -> [Part] {
    let scalars = Array(text.unicodeScalars)
    let firsts = Set(added.compactMap(\.content.first))
    var parts: [Part] = []
    var pending = String.UnicodeScalarView()
    var i = 0
    while i < scalars.count {
      if firsts.contains(scalars[i]), let hit = added.first(where: { scalars[i...].starts(with: $0.content) })
      {
        if !pending.isEmpty { parts.append(.text(String(pending))) }
        pending = String.UnicodeScalarView()
        parts.append(.added(hit.id))
        i += hit.content.count
      } else {
        pending.append(scalars[i])
        i += 1
      }
    }
    if !pending.isEmpty { parts.append(.text(String(pending))) }
    return parts
  }

  private func encode(piece: String) -> [Int] {
    let spelling = Spelling(piece)
    if let known = cache.withLock({ $0[spelling] }) { return known }
    var ids = spelling.bytes.map { byteIDs[Int($0)] }
    while ids.count > 1 {
      var best: (rank: Int32, merged: Int32, pair: Pair)?
      for i in 0..<ids.count - 1 {
        let pair = Pair(left: ids[i], right: ids[i + 1])
        if let merge = mergeRanks[pair], merge.rank < best?.rank ?? .max {
          best = (merge.rank, merge.merged, pair)
        }
      }
      guard let best else { break }
      var merged: [Int32] = []
      merged.reserveCapacity(ids.count)
      var i = 0
      while i < ids.count {
        if i + 1 < ids.count, ids[i] == best.pair.left, ids[i + 1] == best.pair.right {
          merged.append(best.merged)
          i += 2
        } else {
          merged.append(ids[i])
          i += 1
        }
      }
      ids = merged
    }
    let result = ids.map(Int.init)
    cache.withLock { if $0.count < 65_536 { $0[spelling] = result } }
    return result
  }
}
