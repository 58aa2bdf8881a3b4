import Foundation
import Glibc

/// Where lines for people go, and whether one of them can be written again in place.
///
/// A terminal that has gone away must not end a run, so failures to write are passed over.
final class Terminal {
  /// Whether somebody is looking at it.
  let isInteractive: Bool
  private let descriptor: Int32
  private var hasOpenLine = false
  /// A line is written again at most ten times a second.
  private var nextRewrite = ContinuousClock.now

  /// Writes to a file descriptor.
  init(_ descriptor: Int32, environment: [String: String]) {
    self.descriptor = descriptor
    isInteractive = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
  }

  /// Characters of a line; nil where nothing says how many.
  var columns: Int? {
    var size = winsize()
    guard isInteractive, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// A line that stays.
  func line(_ text: String) {
    write((hasOpenLine ? "\r\u{1B}[K" : "") + text + "\n")
    hasOpenLine = false
  }

  /// A line that the next one takes the place of, cut to the width; nothing where nobody is looking.
  func passing(_ text: String) {
    let now = ContinuousClock.now
    guard isInteractive, now >= nextRewrite else { return }
    nextRewrite = now + .milliseconds(100)
    write("\r\u{1B}[K" + Self.clipped(text, columns))
    hasOpenLine = true
  }

  /// The text with room for the cursor behind it.
  static func clipped(_ text: String, _ columns: Int?) -> String {
    guard let columns, text.count >= columns else { return text }
    return columns < 2 ? "" : text.prefix(columns - 2) + "…"
  }

  private func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }
}
