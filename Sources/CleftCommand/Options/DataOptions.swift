import ArgumentParser
import CleftData
import CleftFormats
import Foundation

/// Which pictures and captions.
///
/// The groups are those of the help page; the options of rows are read as if they were declared here.
@dynamicMemberLookup
struct DataOptions: ParsableArguments {
  @OptionGroup(title: "Data") private var rows: RowOptions
  @OptionGroup(title: "Captions") var captions: CaptionOptions
  @OptionGroup(title: "EMBED") var mammograms: EMBEDOptions
  @OptionGroup(title: "Manifest") var manifest: ManifestOptions
  @OptionGroup(title: "Pictures") var pictures: PictureOptions

  /// An option of the rows.
  subscript<Value>(dynamicMember path: WritableKeyPath<RowOptions, Value>) -> Value {
    get { rows[keyPath: path] }
    set { rows[keyPath: path] = newValue }
  }

  /// The data folder meant.
  var folder: String {
    let path =
      rows.data_dir ?? ProcessInfo.processInfo.environment["CLEFT_DATA_DIR"] ?? "~/project/CLEFT/data"
    return (path as NSString).expandingTildeInPath
  }

  /// The dataset meant.
  var entry: DatasetCatalog.Entry {
    let name = rows.rsna ? "rsna" : rows.embed ? "embed" : rows.dataset
    guard let entry = DatasetCatalog.named(name) else { preconditionFailure("dataset \(name)") }
    return entry
  }

  /// Columns of a tokenized caption of this dataset; nil where it is the model's default.
  var captionLength: Int? {
    if let length = captions.caption_length { return length }
    let published = entry.captionLength(request(.train))
    return published == 64 ? nil : published
  }

  /// The tables named, by the split they are for.
  private var tables: [Split: String] {
    let given: [Split: String?] = [
      .train: rows.train_csv, .valid: rows.valid_csv, .test: rows.test_csv,
    ]
    return given.compactMapValues { $0.map { ($0 as NSString).expandingTildeInPath } }
  }

  /// What is asked of the dataset for a split.
  func request(
    _ split: Split, isPromptTuning: Bool = false, quirks: Quirks = .fixed
  ) -> DatasetRequest {
    var request = DatasetRequest(
      dataFolder: folder, split: split, usesFiveClasses: rows.five_cls, isPromptTuning: isPromptTuning,
      fraction: rows.data_pct, quirks: quirks)
    // One table may hold all splits.
    let holdsAll = manifest.split_column != nil && entry.heeds.contains("split_column")
    request.table = tables[split] ?? (holdsAll ? tables[.train] : nil)
    request.subsamplesAllSplits = rows.train_sub_set
    request.keepsSize = rows.keep_size
    request.imageSuffix = pictures.image_suffix
    request.badRows = pictures.on_bad_row
    captions.fill(&request)
    mammograms.fill(&request)
    manifest.fill(&request)
    if manifest.class_column != nil {
      request.manifest.classTables = tables.values.filter(FileSystem.exists).sorted()
    }
    return request
  }

  /// What picture paths are counted from: the data folder, or for a table of one's own where it lies.
  var pictureFolder: String {
    if entry.hasLayout { return folder }
    let named = [request(.train), request(.valid), request(.test)]
    if let folder = named[0].manifest.imageFolder { return folder }
    let table = named.lazy.compactMap(\.table).first ?? ""
    return URL(fileURLWithPath: table).deletingLastPathComponent().path
  }

  /// Where prepared pictures lie if nothing else is said.
  var usualPreparedFolder: String { "\(pictureFolder)/\(PreparedPictures.defaultName)" }

  /// Pictures that were decoded before: those of `--prepared`, or of the usual folder if they are there.
  func preparedPictures() throws(FormatError) -> PreparedPictures? {
    if let given = pictures.prepared { return try PreparedPictures.open(given, dataFolder: pictureFolder) }
    let usual = usualPreparedFolder
    return FileSystem.isFolder(usual) ? try PreparedPictures.open(usual, dataFolder: pictureFolder) : nil
  }

  /// Every split of the layout that is there, and every one whose table is named; rows that cannot be used collected.
  func datasets(_ quirks: Quirks = .fixed) throws -> [(split: Split, dataset: ImageTextDataset)] {
    try Split.allCases.compactMap { split in
      var request = request(split, quirks: quirks)
      request.badRows = .skip
      // Files beside a split's own table may be shared by all splits; one that is missing is an error.
      guard let table = entry.tables(request).first else { return nil }
      guard request.table != nil || FileSystem.exists(table) else { return nil }
      return (split, try entry.open(request))
    }
  }

  /// Options given that only some datasets heed, without the dashes.
  private var particular: [String] {
    let own: [(name: String, isGiven: Bool)] = [
      ("five_cls", rows.five_cls), ("keep_size", rows.keep_size),
    ]
    return (own + captions.particular + mammograms.particular + manifest.particular).filter(\.isGiven).map(
      \.name)
  }

  mutating func validate() throws {
    do { try entry.requireHeeded(particular) } catch { throw ValidationError(error.description) }
  }
}

extension Split: ExpressibleByArgument {}
extension BadRowPolicy: ExpressibleByArgument {}
