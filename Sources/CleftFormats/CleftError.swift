/// What went wrong, in the parts every message of the program is made of.
public struct Problem: Sendable, Equatable {
  /// Where: a path, a line, a tensor key, an option.
  public var location: String
  /// What was found there.
  public var found: String
  /// What was expected instead; may be empty.
  public var expected: String
  /// What to do about it; may be empty.
  public var hint: String

  /// Makes a problem from its parts.
  public init(_ location: String, found: String, expected: String = "", hint: String = "") {
    self.location = location
    self.found = found
    self.expected = expected
    self.hint = hint
  }
}

/// The process's exit codes.
public enum ExitStatus: Int32, Sendable {
  case done = 0
  case usage = 64
  case badData = 65
  case missingInput = 66
  case ourBug = 70
  case inputOutput = 74
  case stoppedEarly = 75
  case badConfiguration = 78
}

/// An error that a user, a file, a disk or a peer process can cause.
public protocol CleftError: Error, CustomStringConvertible, Sendable {
  /// The parts of the message.
  var problem: Problem { get }
  /// What the process exits with when nobody catches the error.
  var exitStatus: ExitStatus { get }
}

extension CleftError {
  /// One line: where, what was found, what was expected, what to do.
  public var description: String {
    var text = "\(problem.location): \(problem.found)"
    if !problem.expected.isEmpty { text += "; expected \(problem.expected)" }
    text += "."
    if !problem.hint.isEmpty { text += " \(problem.hint)" }
    return text
  }
}

/// Names for what exists, nearest to a name that does not.
public func nearestNames(to name: String, among candidates: some Sequence<String>, count: Int = 3) -> [String]
{
  let target = Array(name.utf8)
  return candidates.map { ($0, editDistance(target, Array($0.utf8))) }
    .sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(count).map(\.0)
}

/// Insertions, deletions and replacements between two strings of bytes.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let next = min(row[j + 1] + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
      diagonal = row[j + 1]
      row[j + 1] = next
    }
  }
  return row[b.count]
}
