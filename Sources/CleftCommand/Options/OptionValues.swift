import ArgumentParser

/// The value of a parsed option, whatever its type.
protocol OptionValue {
  var anyValue: Any { get }
}

/// A group of options within another.
private protocol InnerGroup {
  var group: any ParsableArguments { get }
}

extension OptionGroup: InnerGroup { var group: any ParsableArguments { wrappedValue } }
extension Option: OptionValue { var anyValue: Any { wrappedValue } }
extension Flag: OptionValue { var anyValue: Any { wrappedValue } }
extension Argument: OptionValue { var anyValue: Any { wrappedValue } }

/// Long names and values of all options of some groups, defaults included, in order of declaration.
///
/// What starts, prints or resumes a run is left out: the rest reproduces it.
func resolvedOptions(_ groups: [any ParsableArguments]) -> [(name: String, value: String)] {
  let passing: Set<String> = ["_print_config", "_json", "_picture", "_resume_ckpt"]
  return groups.flatMap { group in
    Mirror(reflecting: group).children.flatMap { label, value -> [(name: String, value: String)] in
      if let inner = value as? any InnerGroup { return resolvedOptions([inner.group]) }
      guard let label, label.hasPrefix("_"), !passing.contains(label), let option = value as? any OptionValue,
        let text = text(option.anyValue)
      else { return [] }
      return [(String(label.dropFirst()), text)]
    }
  }
}

/// A value as YAML; nil for an option that was not given.
private func text(_ value: Any) -> String? {
  let mirror = Mirror(reflecting: value)
  if mirror.displayStyle == .optional {
    return mirror.children.first.flatMap { text($0.value) }
  }
  if let value = value as? Bool { return value ? "true" : "false" }
  if let value = value as? any RawRepresentable { return "\(value.rawValue)" }
  if let value = value as? String {
    return "\"\(value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
  return "\(value)"
}
