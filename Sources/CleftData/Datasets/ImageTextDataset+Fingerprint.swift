import CleftFormats

extension ImageTextDataset {
  /// SHA-256 of which pictures with which labels are scored: equal on two machines if they score the same ones.
  ///
  /// Of a text that other tools can make too: the class names, separated by tabs, then a line a picture with its path,
  /// its classes and the classes nobody knows of (numbers separated by commas), separated by tabs, sorted by bytes.
  /// Paths count from the folder that all pictures have in common, so that it does not matter where they lie. Each line
  /// ends with a line feed.
  public var fingerprint: String {
    let tails = CommonFolder.tails(of: samples.map(\.imagePath))
    var lines = zip(samples, tails).map { sample, path in
      "\(path)\t\(Self.list(sample.labels))\t\(Self.list(sample.uncertain))\n"
    }
    lines.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    return SHA256.hex(classNames.joined(separator: "\t") + "\n" + lines.joined())
  }

  private static func list(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: ",")
  }
}
