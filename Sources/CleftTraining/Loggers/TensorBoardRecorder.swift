import CleftFormats
import CleftImaging

/// Writes a run's numbers, histograms, pictures and curves to TensorBoard's event files in the run's folder.
///
/// Each process opens a file of its own. Nothing is held back: what was recorded can be looked at at once.
final class TensorBoardRecorder: RunRecorder {
  private let writer: EventFileWriter

  /// Opens a new file.
  ///
  /// - Parameter step: what earlier files have of later steps is shown no more.
  /// - Throws: `FormatError.system`.
  init(folder: String, resumingFrom step: Int) throws(FormatError) {
    writer = try EventFileWriter(folder: folder, resumingFrom: step)
  }

  func record(step: Int, scalars: [String: Double]) throws {
    let values = scalars.sorted { $0.key < $1.key }.map { name, value in
      (tag: TensorBoardTag.scalar(name), value: TensorBoardEvent.Value.scalar(Float(value)))
    }
    if !values.isEmpty { try writer.append(.values(values), step: step) }
  }

  /// Values none of which is finite have no histogram.
  func record(step: Int, histogram name: String, values: [Float]) throws {
    guard let histogram = HistogramSummary(values) else { return }
    try add(step, TensorBoardTag.grouped(name, "parameters"), .histogram(histogram))
  }

  /// All pictures on one sheet, in the order of the batch, about as wide as high.
  func record(step: Int, images name: String, _ pictures: [GrayImage]) throws {
    if pictures.isEmpty { return }
    var columns = 1
    while columns * columns < pictures.count { columns += 1 }
    let sheet = GrayImage.contactSheet(pictures, columns: columns)
    let png = try ImageEncoder.png(sheet)
    try add(
      step, TensorBoardTag.grouped(name, "images"), .image(png: png, width: sheet.width, height: sheet.height)
    )
  }

  /// A class whose scores are not all finite has no curve.
  func record(step: Int, curve name: String, _ scores: ClassScores) throws {
    guard let curve = PrecisionRecallSummary(scores: scores.scores, isPositive: scores.isPositive) else {
      return
    }
    try add(step, TensorBoardTag.grouped(name, "pr_curves"), .curve(curve))
  }

  private func add(_ step: Int, _ tag: String, _ value: TensorBoardEvent.Value) throws {
    try writer.append(.values([(tag: tag, value: value)]), step: step)
  }
}
