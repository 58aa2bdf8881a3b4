import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftTensor
import CleftTraining
import Foundation

/// The pictures and captions of one run: opened, and looked at before anything starts.
struct RunData {
  let options: TrainOptions
  let model: ModelDescription
  let log: RunLog
  /// Where every picture of the run comes from.
  let pictures: PictureStore

  init(_ options: TrainOptions, _ model: ModelDescription, _ log: RunLog) throws {
    self.options = options
    self.model = model
    self.log = log
    let pictureOptions = options.data.pictures
    pictures = PictureStore(
      pipeline: ImagePipeline(sizePixels: model.encoder.vision.imageSizePixels),
      dicom: options.dicomRendering, memoryBytes: pictureOptions.image_cache << 20,
      prepared: try options.data.preparedPictures())
    if let prepared = pictures.prepared {
      log.say("prepared pictures: \(prepared.count) in \(prepared.folder)")
      if !prepared.isComplete {
        log.warn("\(prepared.folder): 'cleft prepare' did not come to its end there.")
      }
    }
  }

  /// A split without the rows that cannot be used.
  ///
  /// - Throws: `DataError` naming the first such row, unless `--on_bad_row skip`.
  func open(_ split: Split) throws -> ImageTextDataset {
    let data = options.data
    let request = data.request(
      split, isPromptTuning: model.prompt != nil, isReference: options.isReference)
    let dataset = try data.entry.open(request)
    try dataset.requireRows()
    if data.pictures.skip_picture_check {
      try dataset.requirePictures()
      return dataset
    }
    return try PictureVerification.run(
      dataset, store: pictures, policy: data.pictures.on_bad_row,
      memo: "\(options.run.log_dir)/picture-checks/\(Checksum.of(dataset.table)).csv",
      workerCount: options.workerCount
    ) { done, count in
      log.progress("checked \(done)/\(count) pictures of \(dataset.name)", isMilestone: false)
    }
  }

  /// The validation set, if there is one.
  func openValidation() throws -> ImageTextDataset? {
    let split = options.data.valid_split
    if options.data.entry.tables(options.data.request(split)).isEmpty {
      log.warn("no --\(split.rawValue)_csv: no validation.")
      return nil
    }
    return try open(split)
  }

  /// The test set, if its table is there and names classes to score.
  func openTest() throws -> ImageTextDataset? {
    let request = options.data.request(.test)
    let tables = options.data.entry.tables(request)
    let absent = tables.first { !FileSystem.exists($0) }
    guard let table = tables.first, absent == nil || request.table != nil else {
      log.warn("no \(absent ?? "--test_csv"): the final weights are not tested.")
      return nil
    }
    let test = try open(.test)
    if test.promptSets.isEmpty {
      log.warn("\(table) names no classes: the final weights are not tested.")
      return nil
    }
    return test
  }

  /// Says what was left out and where the list is, once for each dataset.
  func announce(_ dataset: ImageTextDataset, in folder: String?) throws {
    for note in dataset.notes { log.warn("\(dataset.name): \(note)") }
    if dataset.badRows.isEmpty { return }
    var place = ""
    if let folder {
      let path = "\(folder)/skipped-\(dataset.name.lowercased().replacing(" ", with: "-")).csv"
      let rows = dataset.badRows.map { [$0.origin, $0.imagePath, $0.reason] }
      try FileSystem.write(
        Data(csvText(columns: ["origin", "picture", "reason"], rows: rows).utf8), to: path)
      place = ", listed in \(path)"
    }
    let reasons = Dictionary(grouping: dataset.badRows, by: \.reason)
      .map { (reason: $0.key, count: $0.value.count) }.sorted {
        ($1.count, $0.reason) < ($0.count, $1.reason)
      }
    let text = reasons.prefix(8).map { "\($0.count)× \($0.reason)" }.joined(separator: "; ")
    log.warn("\(dataset.name): \(dataset.badRows.count) bad row(s) skipped\(place): \(text)")
  }

  /// Says at the end what the pictures were.
  func summarize() {
    for line in pictures.summary.warnings { log.warn(line) }
  }

  /// Writes some training pictures as the model sees them: each as evaluation sees it, and below as training does.
  func writePreview(_ dataset: ImageTextDataset, order: [Int], to path: String) throws {
    let count = min(options.data.pictures.preview, dataset.samples.count)
    let key = RandomKey(seed: options.run.seed).split("augmentation")
    let store = pictures
    let pairs = try Runtime.map(count) { place -> [GrayImage] in
      let index = order[place]
      let seen = try store.evaluation(dataset.samples[index])
      return [seen, store.pipeline.augmented(seen, key: key.split("sample", 0, index))]
    }
    let columns = min(count, 8)
    var tiles: [GrayImage] = []
    for start in stride(from: 0, to: count, by: columns) {
      let row = pairs[start..<min(start + columns, count)]
      let blank = Array(repeating: GrayImage(width: 1, height: 1, level: 40), count: columns - row.count)
      tiles += row.map { $0[0] } + blank + row.map { $0[1] } + blank
    }
    try FileSystem.write(ImageEncoder.png(GrayImage.contactSheet(tiles, columns: columns)), to: path)
    log.say("preview of \(count) training pictures, each above its first augmentation: \(path)")
  }
}
