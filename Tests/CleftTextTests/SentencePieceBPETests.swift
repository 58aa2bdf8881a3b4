import CleftFormats
import CleftText
import Foundation
import Testing

@Suite struct SentencePieceBPETests {
  private let folder = TokenizerGoldens.folder + "/llama"

  private static let files = [
    "tokenizer.json", "metaspace_first.json", "metaspace_always.json", "metaspace_always_split.json",
    "metaspace_never_split.json", "flags_legacy.json", "flags_first.json", "unknown.json", "tokenizer.model",
    "plain.model", "whole.model", "extended",
  ]

  /// Ids equal `tokenizers`', or `sentencepiece`'s for a `tokenizer.model`.
  @Test(arguments: files) func idsEqualTheGoldens(_ file: String) throws {
    let goldens = try TokenizerGoldens.read("llama")
    let tokenizer = try TokenizerFiles.read("\(folder)/\(file)")
    #expect(tokenizer is SentencePieceBPE)
    let rows = try goldens.rows(file)
    #expect(rows.count >= (file.hasPrefix("flags") || file == "extended" ? 20 : 150))
    for row in rows {
      #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
      guard let decoded = row.decoded else { continue }
      #expect(bytes(tokenizer.decode(row.ids)) == bytes(decoded), "\(row.text.debugDescription)")
    }
  }

  /// The written `tokenizer.json` reads back to the same ids.
  @Test(arguments: files.filter { $0 != "whole.model" }) func writingAndReadingKeepsIds(_ file: String) throws
  {
    let goldens = try TokenizerGoldens.read("llama")
    let tokenizer = try TokenizerFiles.read("\(folder)/\(file)")
    try withFolder { folder in
      try write(Data(tokenizer.tokenizerJSON.utf8), to: folder + "/tokenizer.json")
      let again = try TokenizerFiles.read(folder)
      #expect(again.vocabularySize == tokenizer.vocabularySize)
      #expect(again.leadingIDs == tokenizer.leadingIDs)
      for row in try goldens.rows(file) {
        #expect(again.encode(row.text) == row.ids, "\(row.text.debugDescription)")
        #expect(bytes(again.decode(row.ids)) == bytes(tokenizer.decode(row.ids)))
      }
    }
  }

  @Test func specialTokensAndLimit() throws {
    let goldens = try TokenizerGoldens.read("llama")
    let tokenizer = try TokenizerFiles.read(folder)
    #expect(tokenizer.vocabularySize == goldens.size)
    #expect(tokenizer.leadingIDs == [1] && tokenizer.trailingIDs == [])
    #expect(tokenizer.endOfTextID == 2 && tokenizer.paddingID == 2)
    let ids = tokenizer.encode("pleural effusion and edema")
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema") == [1] + ids)
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema", limit: 3) == [1] + ids.prefix(2))
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema", limit: 1) == [1])
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema", limit: 0) == [])
    #expect(try TokenizerFiles.read(folder + "/extended").vocabularySize == goldens.size + 5)
  }

  /// A whole text is one word, so merging must not be quadratic.
  @Test func longTextsTakeTheirTime() throws {
    let tokenizer = try TokenizerFiles.read(folder + "/tokenizer.model")
    let text = String(repeating: "a", count: 30_000)
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
  }

  /// Two pieces that Unicode calls equivalent stay two pieces.
  @Test func equivalentPiecesStayApart() throws {
    let json = """
      {"added_tokens": [], "normalizer": null, "pre_tokenizer": null, "model": {"type": "BPE", "vocab":
      {"<unk>": 0, "<s>": 1, "</s>": 2, "\\u00c5": 3, "\\u212b": 4, "A": 5, "\\u030a": 6, "A\\u030a": 7},
      "merges": ["A \\u030a"], "unk_token": "<unk>"}}
      """
    try withFolder { folder in
      try write(Data(json.utf8), to: folder + "/tokenizer.json")
      let tokenizer = try TokenizerFiles.read(folder)
      #expect(tokenizer.encode("\u{C5}\u{212B}A\u{30A}") == [3, 4, 7])
      try write(Data(tokenizer.tokenizerJSON.utf8), to: folder + "/tokenizer.json")
      #expect(try TokenizerFiles.read(folder).encode("\u{C5}\u{212B}A\u{30A}") == [3, 4, 7])
    }
  }

  @Test func modelsOfOtherKindsAreRefused() throws {
    let unigram = #"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]}}"#
    let merge = #"{"model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "a": 2}, "merges": ["a a"]}}"#
    let step = """
      {"normalizer": {"type": "NFKC"}, "model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1}, "merges": []}}
      """
    try withFolder { folder in
      let path = folder + "/tokenizer.json"
      for (text, part) in [(unigram, "Unigram"), (merge, "merge 1"), (step, "NFKC")] {
        try write(Data(text.utf8), to: path)
        let error = #expect(throws: TokenizerError.self) { try TokenizerFiles.read(path) }
        #expect(error?.description.contains(part) == true && error?.exitStatus == .badData)
      }
      // The trainer's model_type becomes 1, unigram: field 3 of the message behind the last piece.
      var model = try Data(contentsOf: URL(fileURLWithPath: self.folder + "/tokenizer.model"))
      let field = try #require(model.range(of: Data([0x18, 0x02, 0x20])))
      model[field.lowerBound + 1] = 1
      try write(model, to: folder + "/tokenizer.model")
      let error = #expect(throws: TokenizerError.self) {
        try TokenizerFiles.read(folder + "/tokenizer.model")
      }
      #expect(error?.description.contains("unigram") == true, "\(String(describing: error))")
    }
  }

  @Test func addedTokensMustNotTakeTheIdOfAPiece() throws {
    try withFolder { folder in
      let model = try Data(contentsOf: URL(fileURLWithPath: self.folder + "/tokenizer.model"))
      try write(model, to: folder + "/tokenizer.model")
      for text in [#"{"<CLS>": 300}"#, "[1]", #"{"<CLS>": "x"}"#, #"{"<CLS>": -1}"#, "{"] {
        try write(Data(text.utf8), to: folder + "/added_tokens.json")
        #expect(throws: TokenizerError.self) { try TokenizerFiles.read(folder) }
      }
    }
  }

  /// Files that are cut off or changed are refused or read, never trapped on.
  @Test(.tags(.fuzz), arguments: ["tokenizer.model", "whole.model", "tokenizer.json", "flags_legacy.json"])
  func brokenFilesAreRefusedOrRead(_ name: String) throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
    var generator = Scrambler(state: 11)
    try withFolder { folder in
      let path = "\(folder)/\(name)"
      for cut in stride(from: 0, to: whole.count, by: max(1, whole.count / 60)) {
        try write(whole.prefix(cut), to: path)
        #expect(try !isRead(path), "cut at \(cut)")
      }
      for _ in 0..<60 {
        var data = whole
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          data[Int.random(in: 0..<data.count, using: &generator)] = .random(in: 0...255, using: &generator)
        }
        try write(data, to: path)
        _ = try isRead(path)
      }
    }
  }
}

extension Tag {
  @Tag static var fuzz: Self
}

/// Random numbers that are the same every time.
struct Scrambler: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}
