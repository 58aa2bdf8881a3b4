/// A string equal only to one with the same scalars.
///
/// `String` calls "é" and "é" equal whether they are written with one scalar or two, and so would lose one of two
/// entries of a vocabulary; LLaMA's has such pairs.
struct Spelling: Hashable, Sendable {
  /// UTF-8.
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  init(_ text: String) { bytes = Array(text.utf8) }

  init(_ scalars: some Sequence<Unicode.Scalar>) {
    var bytes: [UInt8] = []
    for scalar in scalars { bytes += Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
    self.bytes = bytes
  }

  /// The same text as a `String`.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The same text as scalars.
  var scalars: [Unicode.Scalar] { Array(text.unicodeScalars) }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}
