import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftTensor
import CleftTraining
import Foundation

/// The splits of a training run.
struct RunSplits {
  let training: ImageTextDataset
  let validation, test: ImageTextDataset?
  /// Why there is no test set.
  var untested: String?

  /// Those that there are.
  var parts: [(split: Split, dataset: ImageTextDataset)] {
    let all = [(Split.train, training), (.valid, validation), (.test, test)] as [(Split, ImageTextDataset?)]
    return all.compactMap { split, dataset in dataset.map { (split, $0) } }
  }

  /// Those that there are, without their names.
  var all: [ImageTextDataset] { parts.map(\.dataset) }
}

/// The pictures and captions of one run: opened, and looked at before anything starts.
struct RunData {
  let options: TrainOptions
  let wishes: DataWishes

  let log: RunLog
  /// Where every picture of the run comes from.
  let pictures: PictureStore

  init(_ options: TrainOptions, _ wishes: DataWishes, _ log: RunLog) throws {
    self.options = options
    self.wishes = wishes
    self.log = log
    let pictureOptions = options.data.pictures
    pictures = PictureStore(
      pipeline: options.pipeline(sizePixels: wishes.imageSizePixels),
      dicom: options.quirks.dicomRendering, memoryBytes: pictureOptions.image_cache << 20,
      prepared: try options.data.preparedPictures())
    if pictures.prepared == nil, !pictures.pipeline.truncatesSides, pictureOptions.prepared != nil {
      log.warn(
        "--prepared: not used with --quirk lost_column=off, since those pictures are fitted as published.")
    }
    if let prepared = pictures.prepared {
      log.say("prepared pictures: \(prepared.count) in \(prepared.folder)")
      if !prepared.isComplete {
        log.warn("\(prepared.folder): 'cleft prepare' did not come to its end there.")
      }
    }
  }

  /// What rows of a split are for.
  enum Purpose {
    /// A row without a caption teaches nothing.
    case training
    case scoring
  }

  /// A split without the rows that cannot be used.
  ///
  /// - Throws: `DataError` naming the first such row, unless `--on_bad_row skip`; also if no row remains.
  func open(_ split: Split, for purpose: Purpose) throws -> ImageTextDataset {
    let data = options.data
    var request = data.request(split, isPromptTuning: wishes.isPromptTuning, quirks: options.quirks)
    request.needsCaption = wishes.needsCaptions
    request.needsClass = !wishes.takesSeveralLabels && !options.run.evaluation.multi_label
    request.leavesOutUnclassed = wishes.leavesOutUnclassed
    options.run.evaluation.fill(&request)
    var dataset = try data.entry.open(request)
    if purpose == .training, wishes.needsCaptions { dataset.leaveOutRowsWithoutCaption() }
    if purpose == .training, wishes.needsLabels { dataset.leaveOutRowsWithoutClass() }
    try dataset.requireRows()
    if data.pictures.skip_picture_check {
      guard data.pictures.on_bad_row == .skip else {
        try dataset.requirePictures()
        return dataset
      }
      dataset.leaveOutMissingPictures()
      try dataset.requireRows()
      return dataset
    }
    return try verified(dataset, data.pictures.on_bad_row)
  }

  /// A dataset whose pictures have been looked at.
  func verified(_ dataset: ImageTextDataset, _ policy: BadRowPolicy) throws -> ImageTextDataset {
    try PictureVerification.run(
      dataset, store: pictures, policy: policy,
      memo: "\(options.run.log.log_dir)/picture-checks/\(Checksum.of(dataset.table)).csv",
      workerCount: options.workerCount
    ) { done, count in
      log.progress("checked \(done)/\(count) pictures of \(dataset.name)", isMilestone: false)
    }
  }

  /// All splits of a training run.
  ///
  /// - Parameter warnsIfUntested: whether a missing test set is said here, and not by the caller.
  func openSplits(warnsIfUntested: Bool = true) throws -> RunSplits {
    let training = try open(options.data.train_split, for: .training)
    try requireClasses(training)
    let validation = try openValidation()
    let (test, absence) = try openTest()
    if let absence, warnsIfUntested { log.warn("\(absence): the final weights are not tested.") }
    return RunSplits(training: training, validation: validation, test: test, untested: absence)
  }

  /// Fails if training is to be balanced over classes that nothing names.
  private func requireClasses(_ training: ImageTextDataset) throws(TrainingError) {
    guard options.data.balance_training else { return }
    guard !training.classNames.isEmpty else {
      throw .badConfiguration(
        Problem(
          "--balance_training", found: "\(training.table), which names no classes", expected: "classes",
          hint: "Name them with --label_columns or --class_column."))
    }
    let unlabeled = training.samples.count { $0.labels.isEmpty }
    if unlabeled > 0 {
      log.warn(
        "--balance_training: \(unlabeled) training rows without any class count as a class of their own.")
    }
  }

  /// Says what is left out and who is in two splits, and writes the preview.
  func announce(_ splits: RunSplits, firstEpoch: [Int], in folder: String) throws {
    for dataset in splits.all { try announce(dataset, in: folder) }
    warnOfSharedPatients(splits)
    if options.data.pictures.preview > 0 {
      try writePreview(splits.training, order: firstEpoch, to: "\(folder)/preview.png")
    }
  }

  /// The validation set, if there is one.
  private func openValidation() throws -> ImageTextDataset? {
    let split = options.data.valid_split
    if let reason = try reasonNotToOpen(split) {
      log.warn("\(reason): no validation.")
      return nil
    }
    return try open(split, for: .training)
  }

  /// The test set, if its table is there and names classes to score; otherwise why there is none.
  private func openTest() throws -> (dataset: ImageTextDataset?, absence: String?) {
    let request = options.data.request(.test, quirks: options.quirks)
    let absent = options.data.entry.tables(request).first { !FileSystem.exists($0) }
    var reason = try reasonNotToOpen(.test)
    if reason == nil, let absent, request.table == nil { reason = "no \(absent)" }
    let test = reason == nil ? try open(.test, for: .scoring) : nil
    if let test, test.promptSets.isEmpty { reason = "\(test.table) names no classes" }
    return reason == nil ? (test, nil) : (nil, reason)
  }

  /// Why a split that need not be there is not: no table is named, or one table for all splits has no rows of it.
  func reasonNotToOpen(_ split: Split) throws -> String? {
    let entry = options.data.entry
    let request = options.data.request(split, quirks: options.quirks)
    guard let table = entry.tables(request).first else { return "no --\(split.rawValue)_csv" }
    guard let column = request.manifest.split, entry.heeds.contains("split_column"), FileSystem.exists(table)
    else { return nil }
    let dataset = try entry.open(request)
    return dataset.samples.isEmpty && dataset.badRows.isEmpty
      ? "no row of \(table) is \(split.rawValue) in column '\(column)'" : nil
  }

  /// Says what was left out and where the list is, once for each dataset.
  func announce(_ dataset: ImageTextDataset, in folder: String?) throws {
    for note in dataset.notes { log.warn("\(dataset.name): \(note)") }
    if !dataset.leftOut.isEmpty {
      let reasons = dataset.leftOut.map { "\($1) \($0)" }.sorted().joined(separator: ", ")
      log.say("\(dataset.name): \(dataset.samples.count) rows used; left out: \(reasons)")
    }
    if dataset.badRows.isEmpty { return }
    let place: String
    if let folder {
      let path = "\(folder)/skipped-\(dataset.name.lowercased().replacing(" ", with: "-")).csv"
      let rows = dataset.badRows.map { [$0.origin, $0.imagePath, $0.reason] }
      try FileSystem.write(
        Data(csvText(columns: ["origin", "picture", "reason"], rows: rows).utf8), to: path)
      place = ", listed in \(path)"
    } else {
      for row in dataset.badRows { log.say("skipped: \(row.origin): \(row.imagePath): \(row.reason)") }
      place = ", listed above"
    }
    let reasons = Dictionary(grouping: dataset.badRows, by: \.reason)
      .map { (reason: $0.key, count: $0.value.count) }.sorted {
        ($1.count, $0.reason) < ($0.count, $1.reason)
      }
    let text = reasons.prefix(8).map { "\($0.count)× \($0.reason)" }.joined(separator: "; ")
    log.warn("\(dataset.name): \(dataset.badRows.count) bad row(s) skipped\(place): \(text)")
  }

  /// Says if people or pictures are in more than one split: a model is then scored on some that it has seen.
  func warnOfSharedPatients(_ splits: RunSplits) {
    if let warning = PatientOverlap(splits.parts).warning { log.warn(warning) }
  }

  /// Says at the end what the pictures were.
  func summarize() {
    for line in pictures.summary.warnings { log.warn(line) }
  }

  /// Writes some training pictures as the model sees them: each as evaluation sees it, and below as training does.
  private func writePreview(_ dataset: ImageTextDataset, order: [Int], to path: String) throws {
    let count = min(options.data.pictures.preview, dataset.samples.count)
    let key = RandomKey(seed: options.run.seed).split("augmentation")
    let store = pictures
    let augments = !options.data.pictures.no_augmentation
    let groups = try Runtime.map(count) { place -> [GrayImage] in
      let index = order[place]
      let resized = try store.resized(dataset.samples[index])
      let plain = store.pipeline.evaluation(resized: resized)
      if !augments { return [plain] }
      return [plain, store.pipeline.augmented(resized, key: key.split("sample", 0, index))]
    }
    let columns = min(count, 8)
    var tiles: [GrayImage] = []
    for start in stride(from: 0, to: count, by: columns) {
      let row = groups[start..<min(start + columns, count)]
      let blank = Array(repeating: GrayImage(width: 1, height: 1, level: 40), count: columns - row.count)
      for place in 0..<(augments ? 2 : 1) { tiles += row.map { $0[place] } + blank }
    }
    try FileSystem.write(ImageEncoder.png(GrayImage.contactSheet(tiles, columns: columns)), to: path)
    let what = augments ? ", each above its first augmentation" : ""
    log.say("preview of \(count) training pictures\(what): \(path)")
  }
}
