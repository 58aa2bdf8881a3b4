import CleftFormats

/// Every dataset by name.
///
/// One line here gives a dataset its option and its place in messages; all that sets it apart is in its entry, which
/// stands beside its reader.
public enum DatasetCatalog {
  /// One dataset.
  public struct Entry: Sendable {
    /// Name in options and tables.
    public let name: String
    /// One line for help.
    public let summary: String
    /// Names of the options it heeds, of those that only some datasets do; without the dashes.
    public let heeds: Set<String>
    /// Whether it lies below the data folder in a published layout.
    public var hasLayout = true
    /// Whether its training rows have captions.
    public var canTrainContrastively = true
    /// Whether prompts behind prompt vectors are read with a space in front.
    public var keepsLeadingSpace: @Sendable (Quirks) -> Bool = { _ in true }
    /// Quirks that can show in what a request gives.
    public var quirks: @Sendable (DatasetRequest) -> [Quirk] = { _ in [] }
    /// The shipped file with its caption and prompt texts.
    public let captions: [UInt8]
    /// Files that a split is read from; empty if the request names none.
    public let tables: @Sendable (DatasetRequest) -> [String]
    /// Columns of a tokenized caption, as published.
    public let captionLength: @Sendable (DatasetRequest) -> Int
    /// Reads it.
    public let open: @Sendable (DatasetRequest) throws -> ImageTextDataset
  }

  /// All datasets.
  public static let all: [Entry] = [CheXpert.entry, RSNA.entry, EMBED.entry, Manifest.entry]

  /// The dataset of a name.
  public static func named(_ name: String) -> Entry? { all.first { $0.name == name } }

  /// Names of the options that only some datasets heed.
  public static let specificOptions: Set<String> = all.reduce(into: []) { $0.formUnion($1.heeds) }
}

extension DatasetCatalog.Entry {
  /// Where a request is met otherwise than by the published program, a line each, with what undoes it.
  public func departures(_ request: DatasetRequest) -> [String] {
    quirks(request).filter { !request.quirks.has($0) }.map { QuirkCatalog.entry($0).departure }
  }

  /// Fails if an option is given that only other datasets heed: it would be ignored.
  ///
  /// - Parameter given: names of the options that differ from their defaults, without the dashes.
  /// - Throws: `DataError.badRequest` with each of them and the datasets that heed it.
  public func requireHeeded(_ given: some Sequence<String>) throws(DataError) {
    let ignored = DatasetCatalog.specificOptions.subtracting(heeds).intersection(given).sorted()
    guard !ignored.isEmpty else { return }
    let options = ignored.map { option in
      let owners = DatasetCatalog.all.filter { $0.heeds.contains(option) }.map(\.name)
      return "--\(option) (for \(owners.joined(separator: ", ")))"
    }
    throw .badRequest(
      Problem(
        "--dataset \(name)", found: "\(options.joined(separator: ", ")), which would be ignored",
        expected: "options of this dataset", hint: "Leave them out, or name the dataset they are for."))
  }
}
