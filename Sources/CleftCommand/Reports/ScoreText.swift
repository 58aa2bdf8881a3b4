import Foundation

/// The published program's lines about the scores of a test.
enum ScoreText {
  /// Counts of samples: row = true class, column = predicted class.
  static func confusion(_ counts: [[Int]], _ classNames: [String]) -> [String] {
    ["### Confusion Matrix: (row = true, column = predicted: \(classNames.joined(separator: ", ")))"]
      + matrix(counts)
  }

  /// Numbers in columns, a line a row.
  static func matrix(_ rows: [[Int]]) -> [String] {
    let width = (rows.flatMap { $0 }.max().map { String($0).count } ?? 1) + 1
    return rows.map { row in
      "[" + row.map { String(repeating: " ", count: width - String($0).count) + "\($0)" }.joined() + " ]"
    }
  }

  /// Accuracy and AUC, both 0 … 1, in percent.
  static func scores(accuracy: Double?, auc: Double?) -> [String] {
    ["### Accuracy: \(percent(accuracy))", "### AUC: \(percent(auc))"]
  }

  /// A share in percent.
  static func percent(_ value: Double?) -> String {
    value.map { String(format: "%.4f", 100 * $0) } ?? "undefined (one class only)"
  }
}

extension ScoreText {
  /// A number of a metric as a table holds it: shares in percent, losses as they are.
  static func value(_ value: Double?, _ name: String) -> String {
    value.map { MetricText.number($0, name).replacing("\u{A0}", with: " ") } ?? "undefined"
  }

  /// A difference of two numbers of a metric, with its sign.
  static func difference(_ value: Double?, _ name: String) -> String {
    guard let value else { return "undefined" }
    return MetricText.difference(value, name) + (MetricText.isShare(name) ? " %" : "")
  }
}
