import CleftFormats
import Foundation

/// Writes numbers to `metrics.jsonl`, one object a step, keys sorted; each line is written whole as it comes.
///
/// JSON knows no NaN and no infinity, so numbers that are not finite are left out of their line.
final class JSONLinesRecorder: RunRecorder {
  private let writer: JSONLinesWriter

  /// Opens the file, without the lines of steps after `step` and without a torn one.
  ///
  /// - Throws: `FormatError.system`.
  init(folder: String, resumingFrom step: Int) throws(FormatError) {
    writer = try JSONLinesWriter("\(folder)/metrics.jsonl") { line in
      guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
        return false
      }
      return (object["step"] as? Int ?? 0) <= step
    }
  }

  func record(step: Int, scalars: [String: Double]) throws {
    var object = scalars.filter { $0.value.isFinite }
    object["step"] = Double(step)
    try writer.append(object)
  }
}
