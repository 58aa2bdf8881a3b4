import CleftFormats
import CleftNN

/// Which layers an adapter changes, as `adapter_config.json` says it.
public enum TargetModules: Codable, Sendable, Equatable, ExpressibleByArrayLiteral {
  /// Names or ends of paths.
  case names([String])
  /// A regular expression for whole paths; `all-linear` means every linear layer.
  case pattern(String)

  /// Makes a list of names.
  public init(arrayLiteral elements: String...) { self = .names(elements) }

  /// Reads a list or a pattern.
  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let names = try? value.decode([String].self) {
      self = .names(names)
    } else {
      self = .pattern(try value.decode(String.self))
    }
  }

  /// Writes a list or a pattern.
  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .names(let names): try value.encode(names)
    case .pattern(let pattern): try value.encode(pattern)
    }
  }

  /// The paths among `paths` that are meant.
  ///
  /// - Throws: `AdapterError.noSuchLayer` with the nearest names for a name or pattern that means none.
  func matches(among paths: [String]) throws(AdapterError) -> Set<String> {
    switch self {
    case .pattern("all-linear"): return Set(paths)
    case .pattern(let pattern):
      let found = paths.filter { matchesWhole(pattern, $0) }
      if !found.isEmpty { return Set(found) }
      throw missing(pattern, among: paths)
    case .names(let names):
      for name in names where !paths.contains(where: { isTarget($0, [name]) }) {
        throw missing(name, among: paths)
      }
      return Set(paths.filter { isTarget($0, names) })
    }
  }

  private func missing(_ target: String, among paths: [String]) -> AdapterError {
    let names = Set(paths.compactMap { $0.split(separator: ".").last.map(String.init) })
    let near = nearestNames(to: target, among: names).joined(separator: ", ")
    return .noSuchLayer(
      Problem("target_modules", found: "no layer named '\(target)'", hint: "Nearest: \(near)."))
  }
}

/// Whether a layer path is one of the targets: equal, or ending in `.target`, as PEFT matches names.
public func isTarget(_ path: String, _ targets: [String]) -> Bool {
  targets.contains { path == $0 || path.hasSuffix("." + $0) }
}

/// Whether a regular expression matches a whole path; a broken expression matches nothing.
func matchesWhole(_ pattern: String, _ path: String) -> Bool {
  guard let expression = try? Regex(pattern) else { return false }
  return path.wholeMatch(of: expression) != nil
}

/// The value of the first key that names a path by its end or by a regular expression, as PEFT's patterns do.
func patternValue<Value>(_ patterns: [String: Value], for path: String) -> Value? {
  patterns.sorted { $0.key < $1.key }.first {
    isTarget(path, [$0.key]) || matchesWhole("(.*\\.)?(\($0.key))", path)
  }?.value
}

/// Paths of all layers that an adapter can change.
public func linearPaths(in root: any Module) -> [String] {
  var paths: [String] = []
  root.replaceChildren { path, module in
    if module is Linear { paths.append(path) }
    guard module is AdaptedLinear else { return nil }
    paths.append(path)
    return module
  }
  return paths
}

/// Puts a branch on each targeted layer, after freezing all of `root`.
///
/// - Parameter make: makes the branch for a path and its base layer; nil leaves the layer as it is.
func addBranches(
  to root: any Module, _ targets: TargetModules,
  _ make: (_ path: String, _ base: Linear) throws(AdapterError) -> (any AdapterBranch)?
) throws(AdapterError) -> [String] {
  let wanted = try targets.matches(among: linearPaths(in: root))
  root.setTrainable(false)
  var changed: [String] = []
  var failure: AdapterError?
  root.replaceChildren { path, module in
    let adapted = module as? AdaptedLinear
    guard failure == nil, wanted.contains(path), let base = adapted?.base ?? module as? Linear else {
      return adapted
    }
    do throws(AdapterError) {
      guard let branch = try make(path, base) else { return adapted }
      let layer = adapted ?? AdaptedLinear(base)
      if layer.branches.contains(where: { $0.adapterName == branch.adapterName }) {
        throw .badSetting(
          Problem(path, found: "two adapters named '\(branch.adapterName)'", hint: "Give one another name."))
      }
      layer.branches.append(branch)
      changed.append(path)
      return layer
    } catch {
      failure = error
      return nil
    }
  }
  if let failure { throw failure }
  if changed.isEmpty {
    throw .noSuchLayer(
      Problem("target_modules", found: "no linear layer to adapt", expected: "at least one in the tower"))
  }
  return changed
}
