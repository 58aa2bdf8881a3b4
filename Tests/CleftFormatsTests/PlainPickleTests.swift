import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Pickles that Python's `pickle.dump` wrote, and our own.
@Suite struct PlainPickleTests {
  private func read(base64 text: String) throws -> TorchValue {
    let path = try TorchFiles.temporary(try #require(Data(base64Encoded: text)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try PlainPickle.read(path)
  }

  /// `{'/a/b.dcm': 3, '/ä.dcm': 0}` under protocols 2 and 5, with Python's and with numpy's integers.
  @Test(arguments: [
    "gAJ9cQAoWAgAAAAvYS9iLmRjbXEBSwNYBwAAAC/DpC5kY21xAksAdS4=",
    "gAWVHgAAAAAAAAB9lCiMCC9hL2IuZGNtlEsDjAcvw6QuZGNtlEsAdS4=",
    "gAJ9cQAoWAgAAAAvYS9iLmRjbXEBY251bXB5Ll9jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnECY251bXB5CmR0eXBlCnEDWAIAAABpOHEE"
      + "iYiHcQVScQYoSwNYAQAAADxxB05OTkr/////Sv////9LAHRxCGJjX2NvZGVjcwplbmNvZGUKcQlYCAAAAAMAAAAAAAAAcQpYBgAAAGxh"
      + "dGluMXELhnEMUnENhnEOUnEPWAcAAAAvw6QuZGNtcRBoAmgGaAlYCAAAAAAAAAAAAAAAcRFoC4ZxElJxE4ZxFFJxFXUu",
    "gAWVlgAAAAAAAAB9lCiMCC9hL2IuZGNtlIwWbnVtcHkuX2NvcmUubXVsdGlhcnJheZSMBnNjYWxhcpSTlIwFbnVtcHmUjAVkdHlwZZST"
      + "lIwCaTiUiYiHlFKUKEsDjAE8lE5OTkr/////Sv////9LAHSUYkMIAwAAAAAAAACUhpRSlIwHL8OkLmRjbZRoBGgKQwgAAAAAAAAAAJSG"
      + "lFKUdS4=",
  ])
  func labelsByPath(_ pickle: String) throws {
    #expect(try read(base64: pickle) == ["/a/b.dcm": 3, "/ä.dcm": 0])
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    let path = TorchFiles.temporaryPath("labels.pickle")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let value: TorchValue = ["a": 1, "b": [2.5, nil, true, "x"], "c": -9_000_000_000, "d": ["e": [:]]]
    try PlainPickle.write(value, to: path)
    #expect(try PlainPickle.read(path) == value)
    #expect(try TorchFiles.bytes(path).prefix(2) == Data([0x80, 2]))
  }

  /// More values than hyper-parameters ever have: lists of pictures are that long.
  @Test func longListsAreWhole() throws {
    let path = TorchFiles.temporaryPath("long.pickle")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let value = TorchValue.dictionary((0..<250_000).map { TorchValue.Entry(.string("\($0)"), .int($0 % 7)) })
    try PlainPickle.write(value, to: path)
    #expect(try PlainPickle.read(path) == value)
  }

  @Test func nothingIsCalled() throws {
    let marker = "/tmp/cleft-was-here"
    try? FileManager.default.removeItem(atPath: marker)
    let error = #expect(throws: FormatError.self) {
      try read(
        base64: "gAJ9cQBYAQAAAGFxAWNwb3NpeApzeXN0ZW0KcQJYGQAAAHRvdWNoIC90bXAvY2xlZnQtd2FzLWhlcmVxA4VxBFJxBXMu"
      )
    }
    #expect(error?.problem.found.contains("posix.system") == true)
    #expect(error?.problem.expected.contains("plain values") == true)
    #expect(!FileSystem.exists(marker))
  }

  /// What has no plain form is refused rather than replaced: bytes, a name, a list that holds itself.
  @Test(arguments: ["\u{80}\u{3}C\u{1}x.", "cos\nsystem\n.", "]q\u{0}h\u{0}a."])
  func otherValuesAreRefused(_ pickle: String) throws {
    let path = try TorchFiles.temporary(Data(pickle.unicodeScalars.map { UInt8($0.value) }))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let error = #expect(throws: FormatError.self) { try PlainPickle.read(path) }
    #expect(error?.exitStatus == .badData)
    #expect(throws: FormatError.self) { try PlainPickle.write([.other("x")], to: path + ".none") }
    #expect(!FileSystem.exists(path + ".none"))
  }
}
