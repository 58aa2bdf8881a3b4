import CleftFormats
import Foundation

/// Writes numbers to `metrics.jsonl`, one object a step, keys sorted; each line is written whole as it comes.
///
/// JSON knows no NaN and no infinity, so numbers that are not finite are left out of their line.
final class JSONLinesRecorder: RunRecorder {
  private let writer: JSONLinesWriter

  /// Opens the file, without the lines of steps after `step` and without a torn one.
  ///
  /// - Parameter keepsValidation: whether the validation at `step` itself counts; scores of a test never do.

  /// - Throws: `FormatError.system`.
  init(folder: String, resumingFrom step: Int, keepsValidation: Bool = true) throws(FormatError) {
    writer = try JSONLinesWriter("\(folder)/metrics.jsonl") { line in
      guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
        return false
      }
      let own = object["step"] as? Int ?? 0
      if object.keys.contains(where: { $0.hasPrefix("test_") }) { return false }
      let isValidation = object.keys.contains { $0.hasPrefix("val_") }
      return own < step || own == step && (keepsValidation || !isValidation)
    }
  }

  func record(step: Int, scalars: [String: Double]) throws {
    var object = scalars.filter { $0.value.isFinite }
    object["step"] = Double(step)
    try writer.append(object)
  }
}
