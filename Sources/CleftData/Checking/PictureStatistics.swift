import CleftImaging

/// What pictures there are: how many, of which kinds and sizes.
public struct PictureStatistics: Sendable, Equatable, Codable {
  /// Files that rows name, each counted once.
  public var fileCount: Int
  /// Of these, files that hold a whole picture, also of one gray level.
  public var decodedCount: Int
  /// Decoded files of each kind.
  public var kinds: [String: Int]
  /// Sizes in pixels; nil without a decoded picture.
  public var width, height: Spread?

  /// Sums up the findings of the files that samples name.
  public init(_ samples: [Sample], findings: [String: PictureFinding]) {
    let paths = Set(samples.map(\.imagePath))
    let facts = paths.compactMap { findings[$0]?.facts }
    fileCount = paths.count
    decodedCount = facts.count
    kinds = facts.reduce(into: [:]) { $0[$1.kind.rawValue, default: 0] += 1 }
    width = Spread(facts.map(\.width))
    height = Spread(facts.map(\.height))
  }
}
