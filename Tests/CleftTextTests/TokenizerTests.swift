import CleftFormats
import CleftText
import Foundation
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Fixtures/tokenizer/tiny").path

@Suite struct TokenizerTests {
  private struct Goldens: Decodable {
    struct Text: Decodable {
      var text: String
      var ids: [Int]
    }
    var strings: [Text]
    var eos_token_id, vocab_size: Int
  }

  /// Ids equal Hugging Face's, from every published kind of file.
  @Test(arguments: ["tokenizer.json", "tokenizer_string_merges.json", "vocab.json"])
  func idsEqualTheGoldens(_ file: String) throws {
    let goldens = try JSONDecoder().decode(
      Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/goldens.json")))
    let tokenizer = try TokenizerFiles.read("\(folder)/\(file)")
    #expect(tokenizer.endOfTextID == goldens.eos_token_id)
    #expect(tokenizer.vocabularySize == goldens.vocab_size)
    #expect(goldens.strings.count > 50)
    for golden in goldens.strings { #expect(tokenizer.encode(golden.text) == golden.ids, "\(golden.text)") }
  }

  @Test func writingAndReadingKeepsIds() throws {
    let learned = BPETrainer.train(["this is a chest x ray", "this is edema", "is this edema"], size: 270)
    let tokenizer = try ByteLevelBPE(
      vocabulary: learned.vocabulary, merges: learned.merges, added: [:], source: "test")
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".json").path
    try Data(tokenizer.tokenizerJSON.utf8).write(to: URL(fileURLWithPath: path))
    let again = try TokenizerFiles.read(path)
    for text in ["this is edema", "Ünïcode → x", "a<|endoftext|>b", "  two  spaces", ""] {
      #expect(again.encode(text) == tokenizer.encode(text))
      #expect(again.decode(again.encode(text)) == text)
    }
    #expect(tokenizer.encode("this is").count < 7)
  }

  /// Pieces that Unicode calls equivalent have ids of their own, in any order.
  @Test func equivalentPiecesStayApart() throws {
    let spaces = ["\u{2000}", "\u{2002}", "é", "e\u{301}"]
    let ids = spaces.map(DefaultVocabulary.tokenizer.encode)
    #expect(Set(ids).count == spaces.count)
    for (text, ids) in zip(spaces, ids) {
      #expect(Array(DefaultVocabulary.tokenizer.decode(ids).utf8) == Array(text.utf8))
    }
  }

  @Test func nothingLeadsOrTrailsAText() {
    let tokenizer: any Tokenizer = DefaultVocabulary.tokenizer
    #expect(tokenizer.leadingIDs == [] && tokenizer.trailingIDs == [])
    #expect(tokenizer.paddingID == tokenizer.endOfTextID)
    #expect(tokenizer.encodeWithSpecials("edema", limit: 1) == Array(tokenizer.encode("edema").prefix(1)))
  }

  @Test func pretokenizerPieces() {
    #expect(
      PreTokenizer.pieces("It's  two\n\nlines 12,5mm ") == [
        "It", "'s", " ", " two", "\n", "\n", "lines", " 12", ",", "5", "mm", " ",
      ])
  }

  @Test func shippedVocabularyFitsTheTinyModel() {
    #expect(DefaultVocabulary.tokenizer.vocabularySize <= 512)
    #expect(
      DefaultVocabulary.tokenizer.encode("this is a chest x ray of a patient with cardiomegaly").count < 15)
  }

  @Test func brokenFilesSayWhatIsWrong() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".json").path
    for text in ["{", "[]", "{\"model\": {\"type\": \"WordPiece\"}}", "{\"a\": 1}"] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect(throws: (any Error).self) { try TokenizerFiles.read(path) }
    }
  }
}
