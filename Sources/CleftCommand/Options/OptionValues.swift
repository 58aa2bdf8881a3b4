import ArgumentParser

/// One long option or flag as it is declared.
struct DeclaredOption: Sendable {
  /// Name without the dashes.
  let name: String
  /// Off for a flag.
  let takesValue: Bool
}

/// What a property of a group of options says about itself and its value, whatever its type.
protocol OptionValue {
  /// Whether it takes a value; nil for an argument without a name.
  static var takesValue: Bool? { get }
  var anyValue: Any { get }
}

/// A group of options within another.
private protocol InnerGroup {
  static var type: any ParsableArguments.Type { get }
  var group: any ParsableArguments { get }
}

extension OptionGroup: InnerGroup {
  static var type: any ParsableArguments.Type { Value.self }
  var group: any ParsableArguments { wrappedValue }
}

extension Option: OptionValue {
  static var takesValue: Bool? { true }
  var anyValue: Any { wrappedValue }
}

extension Flag: OptionValue {
  static var takesValue: Bool? { false }
  var anyValue: Any { wrappedValue }
}

extension Argument: OptionValue {
  static var takesValue: Bool? { nil }
  var anyValue: Any { wrappedValue }
}

/// All long options of a command, in order of declaration, without parsing anything.
func declaredOptions(_ type: any ParsableArguments.Type) -> [DeclaredOption] {
  Mirror(reflecting: type.init()).children.flatMap { label, value -> [DeclaredOption] in
    if let inner = value as? any InnerGroup { return declaredOptions(Swift.type(of: inner).type) }
    guard let label, label.hasPrefix("_"), let option = value as? any OptionValue,
      let takesValue = Swift.type(of: option).takesValue
    else { return [] }
    return [DeclaredOption(name: String(label.dropFirst()), takesValue: takesValue)]
  }
}

/// Options that start, watch, print or resume a run, or make a trial of it: without them the rest reproduces it.
private let passingOptions: Set<String> = [
  "_compare", "_config", "_dev", "_dry_run", "_json", "_out", "_picture", "_print_config", "_resume_ckpt",
  "_trace",
  "_trace_steps",
]

/// Long names and values of all options of some groups as YAML, defaults included, in order of declaration.
///
/// What starts, prints or resumes a run is left out: the rest reproduces it.
func resolvedOptions(_ groups: [any ParsableArguments]) -> [(name: String, value: String)] {
  groups.flatMap { group in
    Mirror(reflecting: group).children.flatMap { label, value -> [(name: String, value: String)] in
      if let inner = value as? any InnerGroup { return resolvedOptions([inner.group]) }
      guard let label, label.hasPrefix("_"), !passingOptions.contains(label),
        let option = value as? any OptionValue, type(of: option).takesValue != nil,
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
  switch value {
  case let value as Bool: return value ? "true" : "false"
  case let values as [String]: return values.isEmpty ? nil : quoted(values.joined(separator: ","))
  case let value as String: return quoted(value)
  case let value as any RawRepresentable:
    let name = "\(value.rawValue)"
    // Words that YAML takes for truth values.
    return ["on", "off", "yes", "no", "true", "false", "null"].contains(name) ? quoted(name) : name
  case let value as any Numeric: return "\(value)"
  default: return quoted("\(value)")
  }
}

private func quoted(_ text: String) -> String {
  let escapes: [Character: String] = [
    "\\": "\\\\", "\"": "\\\"", "\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n", "\t": "\\t",
  ]
  return "\"" + text.map { escapes[$0] ?? String($0) }.joined() + "\""
}
