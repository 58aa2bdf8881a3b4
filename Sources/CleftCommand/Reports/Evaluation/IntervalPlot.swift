import CleftMetrics
import Foundation

/// A value, its interval and what guessing gives on a short line as wide as there is room.
struct IntervalPlot {
  let value: Double?
  var interval: Interval?
  /// A tick across the line.
  var mark: Double?
  /// Values at the ends of the line.
  var range = 0.0...1.0

  /// The drawing; it says nothing that is not written beside it.
  func svg() -> String {
    var parts = ["<line class=\"track\" x1=\"0\" x2=\"100%\" y1=\"8\" y2=\"8\"/>"]
    if let mark {
      parts.append("<line class=\"mark\" x1=\"\(place(mark))\" x2=\"\(place(mark))\" y1=\"1\" y2=\"15\"/>")
    }
    if let interval {
      let (from, to) = (place(interval.lower), place(interval.upper))
      parts.append("<line class=\"reach\" x1=\"\(from)\" x2=\"\(to)\" y1=\"8\" y2=\"8\"/>")
    }
    if let value, value.isFinite {
      parts.append("<circle class=\"dot\" cx=\"\(place(value))\" cy=\"8\" r=\"4\"/>")
    }
    return "<svg class=\"plot\" width=\"100%\" height=\"16\" aria-hidden=\"true\">\(parts.joined())</svg>"
  }

  /// What lies beyond the ends is drawn there.
  private func place(_ value: Double) -> String {
    let fraction = (value - range.lowerBound) / (range.upperBound - range.lowerBound)
    return String(format: "%.2f%%", 100 * min(1, max(0, fraction.isFinite ? fraction : 0)))
  }
}
