import CleftFormats
import CleftText
import Foundation
import Testing

@Suite struct WordPieceTests {
  private let folder = TokenizerGoldens.folder + "/bert"

  private static let files = [
    "tokenizer.json", "cased.json", "accents.json", "kept.json", "raw.json", "vocab.txt", "cased",
  ]

  /// The goldens of a file; those with a vocabulary alone are those of the same options.
  private func rows(_ file: String) throws -> [(text: String, ids: [Int], decoded: String?)] {
    let twins = ["vocab.txt": "tokenizer.json", "cased": "cased.json"]
    return try TokenizerGoldens.read("bert").rows(twins[file] ?? file)
  }

  /// Ids equal `tokenizers`' with every option of the normalizer.
  @Test(arguments: files) func idsEqualTheGoldens(_ file: String) throws {
    let tokenizer = try TokenizerFiles.read("\(folder)/\(file)")
    #expect(tokenizer is WordPiece)
    let rows = try rows(file)
    #expect(rows.count >= 150)
    for row in rows {
      #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
      #expect(bytes(tokenizer.decode(row.ids)) == bytes(try #require(row.decoded)))
    }
  }

  /// The written `tokenizer.json` reads back to the same ids.
  @Test(arguments: files) func writingAndReadingKeepsIds(_ file: String) throws {
    let tokenizer = try TokenizerFiles.read("\(folder)/\(file)")
    try withFolder { folder in
      try write(Data(tokenizer.tokenizerJSON.utf8), to: folder + "/tokenizer.json")
      let again = try TokenizerFiles.read(folder)
      #expect(again.vocabularySize == tokenizer.vocabularySize)
      for row in try rows(file) {
        #expect(again.encode(row.text) == row.ids, "\(row.text.debugDescription)")
        #expect(bytes(again.decode(row.ids)) == bytes(tokenizer.decode(row.ids)))
      }
    }
  }

  @Test func specialTokensAndLimit() throws {
    let tokenizer = try TokenizerFiles.read(folder)
    #expect(tokenizer.vocabularySize == (try TokenizerGoldens.read("bert").size))
    #expect(tokenizer.leadingIDs == tokenizer.encode("[CLS]"))
    #expect(tokenizer.trailingIDs == tokenizer.encode("[SEP]"))
    #expect([tokenizer.paddingID] == tokenizer.encode("[PAD]"))
    #expect([tokenizer.endOfTextID] == tokenizer.trailingIDs)
    let ids = tokenizer.encode("pleural effusion and edema")
    let (first, last) = (tokenizer.leadingIDs, tokenizer.trailingIDs)
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema") == first + ids + last)
    #expect(
      tokenizer.encodeWithSpecials("pleural effusion and edema", limit: 4) == first + ids.prefix(2) + last)
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema", limit: 2) == first + last)
    #expect(tokenizer.encodeWithSpecials("pleural effusion and edema", limit: 1) == first)
    #expect(tokenizer.encodeWithSpecials("", limit: 64) == first + last)
  }

  /// Lists that lack what BERT needs are refused; of equal lines the last counts.
  @Test func brokenListsAreRefused() throws {
    let special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"
    try withFolder { folder in
      let path = folder + "/vocab.txt"
      for text in ["", "\n", "a\nb\n", "[PAD]\n[UNK]\n[CLS]\n", String(special.dropFirst(6))] {
        try write(Data(text.utf8), to: path)
        #expect(try !isRead(path), "\(text)")
      }
      try write(Data([0x5B, 0xFF, 0xFE, 0x0A]), to: path)
      #expect(try !isRead(path))
      try write(Data((special + "a\nb\na\n").utf8), to: path)
      #expect(try TokenizerFiles.read(path).encode("a b c") == [6, 5, 1])
      try write(Data((special + "a\r\nb\r\n").utf8), to: path)
      #expect(try TokenizerFiles.read(folder).encode("a B") == [4, 5])
      for text in ["{", "[]", #"{"do_lower_case": false}"#] {
        try write(Data(text.utf8), to: folder + "/tokenizer_config.json")
        #expect(try isReadBeside(path) == (text != "{"))
      }
    }
  }

  private func isReadBeside(_ path: String) throws -> Bool {
    do {
      _ = try TokenizerFiles.read(path)
      return true
    } catch is TokenizerError {
      return false
    }
  }

  /// A folder gives `tokenizer.json`, then `vocab.json`, `tokenizer.model`, `vocab.txt`.
  @Test func foldersGiveTheBestFile() throws {
    let root = TokenizerGoldens.folder
    try withFolder { folder in
      #expect(throws: TokenizerError.self) { try TokenizerFiles.read(folder) }
      let copies = [
        ("bert/vocab.txt", "vocab.txt"), ("llama/tokenizer.model", "tokenizer.model"),
        ("tiny/merges.txt", "merges.txt"), ("tiny/vocab.json", "vocab.json"),
        ("bert/tokenizer.json", "tokenizer.json"),
      ]
      var kinds: [String] = []
      for (source, name) in copies {
        try FileManager.default.copyItem(atPath: "\(root)/\(source)", toPath: "\(folder)/\(name)")
        kinds.append("\(type(of: try TokenizerFiles.read(folder)))")
      }
      #expect(kinds == ["WordPiece", "SentencePieceBPE", "SentencePieceBPE", "ByteLevelBPE", "WordPiece"])
      // Without a telling name the contents decide.
      for (source, kind) in [
        ("bert/vocab.txt", "WordPiece"), ("llama/tokenizer.model", "SentencePieceBPE"),
        ("tiny/tokenizer.json", "ByteLevelBPE"),
      ] {
        let path = folder + "/" + UUID().uuidString
        try FileManager.default.copyItem(atPath: "\(root)/\(source)", toPath: path)
        #expect("\(type(of: try TokenizerFiles.read(path)))" == kind)
      }
    }
  }

  /// Files that are cut off or changed are refused or read, never trapped on.
  @Test(.tags(.fuzz), arguments: ["tokenizer.json", "vocab.txt"])
  func brokenFilesAreRefusedOrRead(_ name: String) throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
    var generator = Scrambler(state: 5)
    try withFolder { folder in
      let path = "\(folder)/\(name)"
      for cut in stride(from: 0, to: whole.count, by: max(1, whole.count / 60)) {
        try write(whole.prefix(cut), to: path)
        let isWhole = try isRead(path)
        #expect(!isWhole || name == "vocab.txt", "cut at \(cut)")
      }
      for _ in 0..<60 {
        var data = whole
        data[Int.random(in: 0..<data.count, using: &generator)] = .random(in: 0...255, using: &generator)
        try write(data, to: path)
        _ = try isRead(path)
      }
    }
  }
}
