import CleftFormats
import CleftNN
import CleftTensor

/// Settings of one adapter method.
///
/// Coding keys are PEFT's field names.
public protocol AdapterConfig: Codable, Sendable {
  /// What the keys of the method's own parameters contain, and no other key.
  var parameterMark: String { get }

  /// Adds the adapter to the layers of `root` that it targets and freezes everything else in `root`.
  ///
  /// - Returns: the paths of the layers changed.
  /// - Throws: `AdapterError` if no layer is targeted or a setting does not fit one.
  func apply(to root: any Module, defaults: AdapterTargets) throws(AdapterError) -> [String]
}

/// A layer that wraps another one and can give it back.
public protocol AdaptedLayer: UnaryLayer {
  /// The wrapped layer.
  var base: any UnaryLayer { get }
  /// A plain layer with the adapter's effect in its weights.
  func merged() -> any UnaryLayer
}

/// Errors of adding adapters.
public enum AdapterError: CleftError {
  /// A setting is out of range or fits no layer.
  case badSetting(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .badSetting(let problem): problem
    }
  }
  /// 78.
  public var exitStatus: ExitStatus { .badConfiguration }
}

/// Whether a layer path is one of the targets: equal, or ending in `.target`, as PEFT matches names.
public func isTarget(_ path: String, _ targets: [String]) -> Bool {
  targets.contains { path == $0 || path.hasSuffix("." + $0) }
}

/// Fails with the nearest names if a target names no layer.
func requireTargets(_ targets: [String], among paths: [String]) throws(AdapterError) {
  for target in targets where !paths.contains(where: { isTarget($0, [target]) }) {
    let names = Set(paths.compactMap { $0.split(separator: ".").last.map(String.init) })
    throw .badSetting(
      Problem(
        "target_modules", found: "no layer named '\(target)'",
        hint: "Nearest: \(nearestNames(to: target, among: names).joined(separator: ", "))."))
  }
}

/// Paths of all layers that an adapter could wrap.
public func linearPaths(in root: any Module) -> [String] {
  var paths: [String] = []
  root.replaceChildren { path, module in
    if module is Linear { paths.append(path) }
    return nil
  }
  return paths
}
