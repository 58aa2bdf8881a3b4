import CleftFormats
import Foundation

/// Which of the published program's quirks are in force.
public struct Quirks: Sendable, Equatable {
  /// Whether they start from what the published program does.
  public let isReference: Bool
  private var inForce: Set<Quirk>
  private var choices: [Quirk: Bool] = [:]

  /// What cleft does by itself.
  public static let fixed = Quirks(isReference: false)
  /// What the published program does, crashes excepted.
  public static let reference = Quirks(isReference: true)

  /// Takes the defaults.
  public init(isReference: Bool) {
    self.isReference = isReference
    inForce = Set(
      QuirkCatalog.all.filter { isReference ? $0.kind.isOnInReference : $0.kind.isOnInFixed }.map(\.quirk))
  }

  /// Takes the defaults and changes some of them.
  ///
  /// - Parameter changes: values of `--quirk`, each `name=on` or `name=off`, or several separated by commas; of two that
  ///   name the same quirk the later one wins.
  /// - Throws: `DataError.badRequest` for a name that is none, and for a quirk that is not reproduced.
  public init(isReference: Bool, changes: [String]) throws(DataError) {
    self.init(isReference: isReference)
    for list in changes {
      for change in list.split(separator: ",", omittingEmptySubsequences: false) {
        let (quirk, isOn) = try Self.change(change.trimmingCharacters(in: .whitespaces))
        try choose(quirk, isOn)
      }
    }
  }

  /// Whether a quirk is in force.
  public func has(_ quirk: Quirk) -> Bool { inForce.contains(quirk) }

  /// What `--quirk` says about a quirk; nil if it says nothing.
  public func choice(_ quirk: Quirk) -> Bool? { choices[quirk] }

  /// These quirks with one switched by an option that means the same.
  public func with(_ quirk: Quirk, _ isOn: Bool) -> Quirks {
    var changed = self
    if isOn { changed.inForce.insert(quirk) } else { changed.inForce.remove(quirk) }
    return changed
  }

  private mutating func choose(_ quirk: Quirk, _ isOn: Bool) throws(DataError) {
    let entry = QuirkCatalog.entry(quirk)
    if isOn, !entry.kind.canBeOn {
      throw .badRequest(
        Problem(
          "--quirk \(quirk.rawValue)", found: "on, which is not reproduced", expected: "off",
          hint: "As published, \(entry.summary); here \(entry.instead)."))
    }
    choices[quirk] = isOn
    self = with(quirk, isOn)
  }

  /// One `name=on` or `name=off`.
  private static func change(_ text: String) throws(DataError) -> (Quirk, Bool) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    guard let quirk = Quirk(name: parts[0]) else {
      let name = parts[0].lowercased().replacing("-", with: "_")
      let near = nearestNames(to: name, among: Quirk.allCases.map(\.rawValue)).joined(separator: ", ")
      throw .badRequest(
        Problem(
          "--quirk", found: "'\(oneLine(parts[0]))'", expected: "the name or number of a quirk",
          hint: "Nearest: \(near). 'cleft quirks' lists them all."))
    }
    let states = ["on": true, "true": true, "off": false, "false": false]
    guard parts.count == 2, let isOn = states[parts[1].lowercased()] else {
      throw .badRequest(
        Problem(
          "--quirk \(quirk.rawValue)", found: parts.count == 2 ? "'\(oneLine(parts[1]))'" : "no state",
          expected: "\(quirk.rawValue)=on or \(quirk.rawValue)=off"))
    }
    return (quirk, isOn)
  }
}
