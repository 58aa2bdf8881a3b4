import ArgumentParser
import CleftData
import CleftFormats
import CleftText
import CleftTraining
import Foundation

/// `cleft tokenizer`: makes vocabularies.
struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer", abstract: "Make vocabularies.", subcommands: [Train.self])

  /// `cleft tokenizer train`.
  struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Learn a byte-level BPE vocabulary from captions.",
      discussion:
        "Writes tokenizer.json, and vocab.json with merges.txt, which Hugging Face's tokenizers read too.")

    @Option(help: "Folder with a CheXpert layout whose training captions to learn from.") var data_dir:
      String?
    @Option(help: "Text file to learn from, one caption a line.") var text: String?
    @Option(help: "Number of ids, at least 257.") var vocab_size = 512
    @Option(help: "Folder to write to.") var out: String

    mutating func validate() throws {
      if vocab_size < 257 {
        throw ValidationError("--vocab_size is \(vocab_size); expected at least 257 (256 bytes and the end).")
      }
      if (data_dir == nil) == (text == nil) { throw ValidationError("Give either --data_dir or --text.") }
    }

    func run() throws {
      let captions = try captions()
      let learned = BPETrainer.train(captions, size: vocab_size)
      let tokenizer = try ByteLevelBPE(
        vocabulary: learned.vocabulary, merges: learned.merges, added: [:], source: "learned vocabulary")
      try FileSystem.makeFolder(out)
      try FileSystem.write(Data(tokenizer.tokenizerJSON.utf8), to: "\(out)/tokenizer.json")
      try FileSystem.write(Data((jsonText(learned.vocabulary) + "\n").utf8), to: "\(out)/vocab.json")
      let merges = "#version: 0.2\n" + learned.merges.map { "\($0) \($1)\n" }.joined()
      try FileSystem.write(Data(merges.utf8), to: "\(out)/merges.txt")
      print("\(tokenizer.vocabularySize) ids from \(captions.count) captions in \(out)")
    }

    private func captions() throws -> [String] {
      if let text {
        return String(decoding: try FileSystem.read(text), as: UTF8.self).split(whereSeparator: \.isNewline)
          .map(String.init)
      }
      let dataset = try CheXpert.open(DatasetRequest(dataFolder: data_dir ?? "", split: .train))
      // Captions behind prompt vectors start with a space.
      return dataset.samples.compactMap(\.caption) + Finding.allCases.map { " " + $0.rawValue.lowercased() }
    }
  }
}

/// `cleft tokenize`: ids of strings, to compare with other programs.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Turn a JSON list of strings into a JSON list of id lists.")

  @Option(help: "tokenizer.json, vocab.json (with merges.txt beside it), or a folder with either.")
  var tokenizer: String
  @Option(name: .customLong("json"), help: "File with a JSON list of strings, - for standard input.")
  var input: String

  func run() throws {
    let tokenizer = try TokenizerFiles.read(tokenizer)
    let data = input == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try FileSystem.read(input)
    guard let strings = try? JSONDecoder().decode([String].self, from: data) else {
      throw TrainingError.badData(Problem(input, found: "no JSON list of strings", expected: "[\"…\", …]"))
    }
    print(jsonText(strings.map(tokenizer.encode)))
  }
}
