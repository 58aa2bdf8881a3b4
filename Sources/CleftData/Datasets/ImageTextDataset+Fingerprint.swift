import CleftFormats

extension ImageTextDataset {
  /// SHA-256 of which pictures with which labels are scored: equal on two machines if they score the same ones.
  ///
  /// Of a text that other tools can make too: the class names, separated by tabs, then a line a picture with its path,
  /// its classes and the classes nobody knows of (numbers separated by commas), separated by tabs, sorted by bytes.
  /// Paths count from the folder that all pictures have in common, so that it does not matter where they lie. Each line
  /// ends with a line feed.
  public var fingerprint: String {
    let skipped = commonFolderLength
    var lines = samples.map { sample in
      let path = String(decoding: sample.imagePath.utf8.dropFirst(skipped), as: UTF8.self)
      return "\(path)\t\(Self.list(sample.labels))\t\(Self.list(sample.uncertain))\n"
    }
    lines.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    return SHA256.hex(classNames.joined(separator: "\t") + "\n" + lines.joined())
  }

  /// SHA-256 of the table's bytes.
  ///
  /// - Throws: `FormatError` if the table cannot be read any more.
  public func tableFingerprint() throws(FormatError) -> String { try SHA256.ofFile(table) }

  private static func list(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: ",")
  }

  /// Bytes up to and with the last slash of what all paths begin with.
  private var commonFolderLength: Int {
    guard let first = samples.first.map({ Array($0.imagePath.utf8) }) else { return 0 }
    var length = first.count
    for sample in samples {
      length = zip(first.prefix(length), sample.imagePath.utf8).prefix { $0 == $1 }.count
    }
    let slash = first.prefix(length).lastIndex(of: UInt8(ascii: "/"))
    return slash.map { $0 + 1 } ?? 0
  }
}
