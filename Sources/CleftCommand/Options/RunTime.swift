import ArgumentParser
import Foundation

/// A length of time as people and batch systems write it: `45s`, `90m`, `12h`, `1d`, `1h30m`, `HH:MM:SS`, `D-HH:MM:SS`.
struct RunTime: ExpressibleByArgument, CustomStringConvertible, Equatable, Sendable {
  /// Above 0.
  let seconds: Double

  /// What may be written, for messages.
  static let forms = "45s, 90m, 12h, 1d, 1h30m, HH:MM:SS or D-HH:MM:SS"

  private static let unitSeconds: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]

  /// Reads one of the forms; nil for another text, and for no time at all.
  init?(argument: String) {
    let text = argument.trimmingCharacters(in: .whitespaces).lowercased()
    guard let seconds = text.contains(":") ? Self.clock(text) : Self.units(text), seconds > 0,
      seconds <= 1e9
    else { return nil }
    self.seconds = seconds
  }

  /// The same, with what may be written as the error.
  init(parsing argument: String) throws {
    guard let time = RunTime(argument: argument) else { throw ValidationError("expected \(Self.forms)") }
    self = time
  }

  /// `HH:MM:SS`, with days in front of a hyphen or, as Lightning writes it, of a colon.
  private static func clock(_ text: String) -> Double? {
    let days = text.split(separator: "-", omittingEmptySubsequences: false)
    guard days.count <= 2, let last = days.last else { return nil }
    let fields = (days.dropLast() + last.split(separator: ":", omittingEmptySubsequences: false)).map(count)
    guard fields.count == (days.count == 2 ? 4 : max(3, min(fields.count, 4))) else { return nil }
    let known = fields.compactMap(\.self)
    guard known.count == fields.count, known.suffix(2).allSatisfy({ $0 < 60 }) else { return nil }
    // Behind days there are at most 23 hours; without them 36:00:00 is one and a half days.
    guard known.count == 3 || known[1] < 24 else { return nil }
    return zip(known.reversed(), [1.0, 60, 3600, 86_400]).reduce(0) { $0 + Double($1.0) * $1.1 }
  }

  private static func count(_ text: Substring) -> Int? {
    !text.isEmpty && text.count <= 6 && text.allSatisfy { ("0"..."9").contains($0) } ? Int(text) : nil
  }

  /// Numbers with their units, larger units first.
  private static func units(_ text: String) -> Double? {
    var (seconds, number, largest) = (0.0, "", Double.infinity)
    for character in text {
      guard let unit = unitSeconds[character] else {
        number.append(character)
        continue
      }
      guard unit < largest, number.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }),
        let value = Double(number)
      else { return nil }
      (seconds, number, largest) = (seconds + value * unit, "", unit)
    }
    return number.isEmpty ? seconds : nil
  }

  /// `HH:MM:SS`, with the days in front where there are any; fractions of a second as seconds.
  var description: String {
    guard seconds == seconds.rounded() else { return "\(seconds)s" }
    let whole = Int(seconds)
    let clock = String(format: "%02d:%02d:%02d", whole / 3600 % 24, whole / 60 % 60, whole % 60)
    return whole >= 86_400 ? "\(whole / 86_400)-\(clock)" : clock
  }
}
