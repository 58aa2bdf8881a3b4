import Foundation

/// Probabilities of pictures for people.
struct PredictText {
  let report: PredictReport
  /// Classes shown for each picture; nil for all of one, the three likeliest of several.
  let top: Int?

  private static let barWidth = 30
  private static let severalTop = 3

  /// One picture as a small table, highest probability first.
  func table(_ image: PredictReport.Image) -> String {
    let ranked = report.ranked(image).prefix(top ?? .max)
    let width = ranked.map(\.name.count).max() ?? 0
    let lines = ranked.map { name, probability in
      "  \(Self.padded(name, width))  \(Self.percent(probability))  \(Self.bar(probability))"
    }
    return ([image.path] + lines).joined(separator: "\n")
  }

  /// One of several pictures, in a line.
  ///
  /// - Parameter pathWidth: characters of the longest path.
  func line(_ image: PredictReport.Image, pathWidth: Int) -> String {
    let classes = report.ranked(image).prefix(top ?? Self.severalTop).map { name, probability in
      "\(name) \(Self.percent(probability).trimmingCharacters(in: .whitespaces))"
    }
    return "\(Self.padded(image.path, pathWidth))  \(classes.joined(separator: ", "))"
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// `7.3 %`, as wide as `100.0 %`.
  static func percent(_ share: Double) -> String { String(format: "%5.1f %%", 100 * share) }

  /// A bar of eighths of a character.
  static func bar(_ share: Double) -> String {
    let eighths = Int((min(max(share, 0), 1) * Double(8 * barWidth)).rounded())
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    return String(repeating: "█", count: eighths / 8) + rest
  }
}
