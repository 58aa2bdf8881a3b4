import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// Probabilities of picture files, from options to a table.
struct PredictRun {
  let images: [String]
  let asked: PredictOptions
  let use: UseOptions
  let data: DataOptions

  /// Predicts and prints.
  func callAsFunction() throws {
    let log = RunLog()
    let files = try PictureFiles(images, policy: data.pictures.on_bad_row)
    if let csv = asked.csv { try FileSystem.requireWritable((csv as NSString).expandingTildeInPath) }
    let model = try ModelUse(use, data, log)
    let predictor = try Predictor(model, asked, log)
    files.announce(log)
    let pictures = try model.pictures()
    let maps = try asked.maps.map {
      try PredictMaps(
        predictor, folder: $0, method: asked.map_method, takesAll: use.json, reference: asked.map_reference,
        pictures, log)
    }
    var report = PredictReport(predictor)
    report.skipped = files.absent
    let text = PredictText(report: report, top: asked.top)
    let pathWidth = min(60, files.samples.map(\.imagePath.count).max() ?? 0)
    let batches = model.batches(files.samples, pictures, size: use.batch_size)
    let bad = try batches.forEach { indices, batch in
      let found = try predict(predictor, indices.map { files.samples[$0] }, batch)
      for (place, image) in found.enumerated() {
        var image = image
        image.maps = try maps?.make(indices[place], image.path, pictures)
        report.images.append(image)
        if !use.json {
          print(files.samples.count == 1 ? text.table(image) : text.line(image, pathWidth: pathWidth))
        }
      }
      // Among lines on the same terminal there is no place for another one.
      if use.json {
        log.progress("predicted \(report.images.count)/\(files.samples.count)", isMilestone: false)
      }
    }
    for row in bad { log.say("skipped: \(row.imagePath): \(row.reason)") }
    if !bad.isEmpty { log.warn("\(bad.count) picture(s) skipped, listed above.") }
    report.skipped += bad
    try finish(report, pictures, log)
  }

  /// Answers for a batch.
  private func predict(
    _ predictor: Predictor, _ samples: [Sample], _ batch: Tensor
  ) throws -> [PredictReport.Image] {
    let rows = predictor.logits(batch)
    for (sample, row) in zip(samples, rows) {
      try ModelUse.requireFinite(Tensor([row.count], row)) { _ in sample.imagePath }
    }
    let names = predictor.classNames
    return zip(samples, zip(rows, predictor.probabilities(rows))).map { sample, numbers in
      PredictReport.Image(
        path: sample.imagePath,
        probabilities: Dictionary(zip(names, numbers.1), uniquingKeysWith: { first, _ in first }),
        logits: Dictionary(zip(names, numbers.0), uniquingKeysWith: { first, _ in first }), maps: nil)
    }
  }

  /// Writes what is to be written.
  private func finish(_ report: PredictReport, _ pictures: PictureStore, _ log: RunLog) throws {
    if use.json { print(jsonText(report, pretty: true)) }
    guard !report.images.isEmpty else {
      throw TrainingError.badData(
        Problem(
          images.joined(separator: " "), found: "no picture that can be read", expected: "at least one"))
    }
    if let path = asked.csv {
      let table = report.csv
      try FileSystem.write(
        Data(csvText(columns: table.columns, rows: table.rows).utf8),
        to: (path as NSString).expandingTildeInPath)
    }
    for line in pictures.summary.warnings { log.warn(line) }
    log.summarizeWarnings()
  }
}
