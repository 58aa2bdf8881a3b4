import Foundation

/// Numbers as short texts, for lines that people read while a run goes on.
package enum Figure {
  /// Four significant digits: `2.103`, `0.01234`.
  package static func digits(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    let text = String(format: "%#.4g", value)

    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  /// Two significant digits and an exponent: `1.2e-5`.
  package static func scientific(_ value: Double) -> String {
    String(format: "%.1e", value).replacingOccurrences(of: "e-0", with: "e-")
      .replacingOccurrences(of: "e+0", with: "e")
  }

  /// Three significant digits with a letter for thousands and millions: `4.13`, `38.2`, `250`, `1.2k`, `35k`.
  package static func compact(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    for (scale, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where value >= 0.9995 * scale {
      return String(format: value < 9.95 * scale ? "%.1f" : "%.0f", value / scale) + letter
    }
    return String(format: value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value)
  }

  /// `78%`.
  package static func percent(_ fraction: Double) -> String { String(format: "%.0f%%", 100 * fraction) }

  /// `6.0 GiB`.
  package static func gibibytes(_ bytes: Int) -> String {
    String(format: "%.1f GiB", Double(bytes) / Double(1 << 30))
  }

  /// `45s`, `12m30s`, `2h05m`, `3d04h`; rounded up to whole seconds.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(max(0, seconds).rounded(.up))
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400)
    if days > 0 { return String(format: "%dd%02dh", days, hours % 24) }
    if hours > 0 { return String(format: "%dh%02dm", hours, minutes % 60) }
    return minutes > 0 ? String(format: "%dm%02ds", minutes, whole % 60) : "\(whole)s"
  }
}
