import CleftTensor

/// How long captions are, how many there are, and which ones are frequent.
public struct CaptionStatistics: Sendable, Equatable, Codable {
  /// One bar of the histogram: captions of `from` … `through` tokens.
  public struct Bin: Sendable, Equatable, Codable {
    /// Tokens, both ends included.
    public var from, through: Int
    /// Captions of such a length.
    public var count: Int
  }

  /// A caption and the number of its rows.
  public struct Frequent: Sendable, Equatable, Codable {
    /// The caption.
    public var text: String
    /// Rows with it.
    public var count: Int
    /// Its tokens, special ones included.
    public var tokenCount: Int
  }

  /// Rows with a caption, and without.
  public var count, absentCount: Int
  /// Captions that differ from one another.
  public var distinctCount: Int
  /// Tokens of a row's caption, special ones included; nil without captions.
  public var tokens: Spread?
  /// Columns that a tokenized caption has; what goes beyond is cut.
  public var columnCount: Int
  /// Rows whose caption has more tokens than there are columns.
  public var cutCount: Int
  /// Lengths in at most `binCount` bars of equal width.
  public var histogram: [Bin]
  /// The ten most frequent captions; of equally frequent ones those that come first in the alphabet.
  public var mostFrequent: [Frequent]

  /// Bars of the histogram at most.
  public static let binCount = 24

  /// Counts the captions of samples.
  ///
  /// - Parameter tokenCount: tokens of a caption, special ones included; asked once for each distinct caption.
  public init(
    _ samples: [Sample], columnCount: Int, tokenCount: @Sendable (String) -> Int
  ) throws {
    var rows: [String: Int] = [:]
    for case let caption? in samples.map(\.caption) { rows[caption, default: 0] += 1 }
    let byText = rows.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let lengths = try Runtime.map(byText.count) { tokenCount(byText[$0].key) }
    count = byText.map(\.value).reduce(0, +)
    absentCount = samples.count - count
    distinctCount = byText.count
    let perRow = zip(byText, lengths).map { (length: $1, rows: $0.value) }
    tokens = Spread(perRow.flatMap { Array(repeating: $0.length, count: $0.rows) })
    self.columnCount = columnCount
    cutCount = perRow.filter { $0.length > columnCount }.map(\.rows).reduce(0, +)
    histogram = Self.bins(perRow)
    mostFrequent = zip(byText, lengths).prefix(10).map {
      Frequent(text: $0.key, count: $0.value, tokenCount: $1)
    }
  }

  private static func bins(_ lengths: [(length: Int, rows: Int)]) -> [Bin] {
    guard let least = lengths.map(\.length).min(), let most = lengths.map(\.length).max() else { return [] }
    let width = max(1, (most - least + binCount) / binCount)
    var bins = stride(from: least, through: most, by: width).map {
      Bin(from: $0, through: $0 + width - 1, count: 0)
    }
    for (length, rows) in lengths { bins[(length - least) / width].count += rows }
    return bins
  }
}
