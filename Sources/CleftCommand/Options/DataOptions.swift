import ArgumentParser
import CleftData
import CleftFormats
import Foundation

/// Which pictures and captions.
struct DataOptions: ParsableArguments {
  @Option(
    help:
      "Folder with the published layouts (CheXpert/, RSNA Pneumonia/, Embed/); default: $CLEFT_DATA_DIR or ~/project/CLEFT/data."
  )
  var data_dir: String?

  @Option(
    help: """
      Which dataset: \(DatasetCatalog.all.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ")).
      """)
  var dataset = "chexpert"

  @Flag(help: "The same as --dataset rsna; wins over --embed.")
  var rsna = false

  @Flag(help: "The same as --dataset embed.")
  var embed = false

  @Option(help: "Training table in place of the layout's; the table of --dataset manifest.")
  var train_csv: String?

  @Option(help: "Validation table in place of the layout's.")
  var valid_csv: String?

  @Option(help: "Test table in place of the layout's.")
  var test_csv: String?

  @Option(help: "Split to train on: train, valid or test.")
  var train_split = Split.train

  @Option(help: "Split to validate on: train, valid or test.")
  var valid_split = Split.valid

  @Flag(help: "CheXpert with five classes instead of fourteen.")
  var five_cls = false

  @Option(help: "Share of the training rows to use, above 0 up to 1, drawn as published (seed 42).")
  var data_pct = 1.0

  @Flag(help: "Take --data_pct of the validation and test rows too.")
  var train_sub_set = false

  @Flag(help: "RSNA: repeat the rows that --data_pct leaves until there are about as many as before.")
  var keep_size = false

  @Flag(help: "Draw training rows so that every class comes up equally often, with replacement.")
  var balance_training = false

  @OptionGroup(title: "Captions") var captions: CaptionOptions
  @OptionGroup(title: "EMBED") var mammograms: EMBEDOptions
  @OptionGroup(title: "Manifest") var manifest: ManifestOptions
  @OptionGroup(title: "Pictures") var pictures: PictureOptions

  /// The data folder meant.
  var folder: String {
    let path = data_dir ?? ProcessInfo.processInfo.environment["CLEFT_DATA_DIR"] ?? "~/project/CLEFT/data"
    return (path as NSString).expandingTildeInPath
  }

  /// The dataset meant.
  var entry: DatasetCatalog.Entry {
    let name = rsna ? "rsna" : embed ? "embed" : dataset
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
    let given: [Split: String?] = [.train: train_csv, .valid: valid_csv, .test: test_csv]
    return given.compactMapValues { $0.map { ($0 as NSString).expandingTildeInPath } }
  }

  /// What is asked of the dataset for a split.
  func request(
    _ split: Split, isPromptTuning: Bool = false, isReference: Bool = false
  ) -> DatasetRequest {
    var request = DatasetRequest(
      dataFolder: folder, split: split, usesFiveClasses: five_cls, isPromptTuning: isPromptTuning,
      fraction: data_pct, isReference: isReference)
    // One table may hold all splits.
    let holdsAll = manifest.split_column != nil && entry.heeds.contains("split_column")
    request.table = tables[split] ?? (holdsAll ? tables[.train] : nil)
    request.subsamplesAllSplits = train_sub_set
    request.keepsSize = keep_size
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
  func datasets(isReference: Bool = false) throws -> [(split: Split, dataset: ImageTextDataset)] {
    try Split.allCases.compactMap { split in
      var request = request(split, isReference: isReference)
      request.badRows = .skip
      // Files beside a split's own table may be shared by all splits; one that is missing is an error.
      guard let table = entry.tables(request).first else { return nil }
      guard request.table != nil || FileSystem.exists(table) else { return nil }
      return (split, try entry.open(request))
    }
  }

  /// Options given that only some datasets heed, without the dashes.
  private var particular: [String] {
    let own: [(name: String, isGiven: Bool)] = [("five_cls", five_cls), ("keep_size", keep_size)]
    return (own + captions.particular + mammograms.particular + manifest.particular).filter(\.isGiven).map(
      \.name)
  }

  mutating func validate() throws {
    if !(data_pct > 0 && data_pct <= 1) {
      throw ValidationError("--data_pct is \(data_pct); expected above 0 up to 1.")
    }
    if DatasetCatalog.named(dataset) == nil {
      let names = DatasetCatalog.all.map(\.name).joined(separator: ", ")
      throw ValidationError("--dataset is '\(dataset)'; expected \(names).")
    }
    do { try entry.requireHeeded(particular) } catch { throw ValidationError(error.description) }
  }
}

extension Split: ExpressibleByArgument {}
extension BadRowPolicy: ExpressibleByArgument {}
