import CleftFormats
import CleftText
import Foundation
import Testing

/// What the published libraries make of the strings, written by `Fixtures/tokenizer/make.py`.
struct TokenizerGoldens: Decodable {
  struct File: Decodable {
    /// Whether the shared strings come before its own.
    var isShared: Bool
    var more: [String]
    var ids: [[Int]]
    /// Texts of the ids where they are not the string, by index; nil if they were not recorded.
    var decoded: [String: String]?
  }

  var size: Int
  var shared: [String]
  var files: [String: File]

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/tokenizer").path

  /// Reads the goldens of a kind of tokenizer.
  static func read(_ kind: String) throws -> TokenizerGoldens {
    let file = URL(fileURLWithPath: "\(folder)/\(kind)/goldens.json")
    return try JSONDecoder().decode(TokenizerGoldens.self, from: Data(contentsOf: file))
  }

  /// The strings of a file with their ids and texts.
  func rows(_ name: String) throws -> [(text: String, ids: [Int], decoded: String?)] {
    let file = try #require(files[name])
    let strings = (file.isShared ? shared : []) + file.more
    #expect(strings.count == file.ids.count)
    return zip(strings, file.ids).enumerated().map { index, row in
      (row.0, row.1, file.decoded.map { $0[String(index)] ?? row.0 })
    }
  }
}

/// Bytes, since `String` calls canonically equivalent texts equal.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Calls a function with the path of a new empty folder that is removed afterwards.
func withFolder(_ body: (String) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder.path)
}

/// Writes a file.
func write(_ data: Data, to path: String) throws { try data.write(to: URL(fileURLWithPath: path)) }

/// Reads a file that may be broken; true if it was read, false if it was refused with a message of one line.
func isRead(_ path: String) throws -> Bool {
  do {
    let tokenizer = try TokenizerFiles.read(path)
    _ = tokenizer.decode(tokenizer.encode("edema é 肺 <s>[SEP]"))
    return true
  } catch let error as TokenizerError {
    let text = error.description
    #expect(!text.contains("\n") && text.contains((path as NSString).lastPathComponent), "\(text)")
    return false
  }
}
