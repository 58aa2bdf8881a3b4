import CleftMetrics
import Foundation

/// Numbers of an evaluation as people read them.
enum MetricText {
  /// Beginnings of the names of numbers that are no shares of anything.
  private static let plain = ["log_loss", "brier", "temperature", "kappa", "cohen", "matthews", "mcc"]

  /// Whether a number is a share, 0 … 1, and read in percent.
  static func isShare(_ name: String) -> Bool {
    !name.hasSuffix("_rank") && !plain.contains { name.hasPrefix($0) }
  }

  /// `91.2 %`, of other numbers `0.412`.
  static func number(_ value: Double, _ name: String) -> String {
    isShare(name) ? percent(value) : fixed(value, 3)
  }

  /// `91.2 %`.
  static func percent(_ share: Double) -> String { fixed(100 * share, 1) + "\u{A0}%" }

  /// `[88.1, 93.8]`, in percent where the number is.
  static func interval(_ interval: Interval, _ name: String) -> String {
    let (scale, digits) = isShare(name) ? (100.0, 1) : (1.0, 3)
    return "[\(fixed(scale * interval.lower, digits)),\u{A0}\(fixed(scale * interval.upper, digits))]"
  }

  /// `+1.3 %`, `−0.020`.
  static func difference(_ value: Double, _ name: String) -> String {
    let text = isShare(name) ? fixed(100 * value, 1) : fixed(value, 3)
    return text.hasPrefix("−") || Double(text) == 0 ? text : "+" + text
  }

  /// `0.031`, `< 0.001`.
  static func p(_ value: Double) -> String { value < 0.001 ? "<\u{A0}0.001" : fixed(value, 3) }

  /// Fixed decimals with a true minus, and no minus before nothing.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "undefined" : value < 0 ? "−∞" : "∞" }
    let text = String(format: "%.\(digits)f", value)
    guard text.hasPrefix("-") else { return text }
    return text.contains { ("1"..."9").contains($0) } ? "−" + text.dropFirst() : String(text.dropFirst())
  }

  /// `1,234`.
  static func count(_ value: Int) -> String {
    var digits = String(abs(value))
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits = String(digits.dropLast(3))
    }
    return (value < 0 ? "−" : "") + ([digits] + groups).joined(separator: ",")
  }

  /// `1 picture`, `1,234 pictures`.
  static func count(_ value: Int, _ one: String) -> String {
    "\(count(value)) \(one)\(value == 1 ? "" : "s")"
  }

  /// A sentence, whether or not it was written as one.
  static func line(_ text: String) -> String {
    let end = text.last.map { ".!?".contains($0) } ?? true ? "" : "."
    return sentence(text) + end
  }

  /// First letter large.
  static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}
