import CleftFormats
import CleftNN
import CleftTensor

/// Settings of one adapter method.
///
/// Coding keys are PEFT's field names.
public protocol AdapterConfig: Codable, Sendable {
  /// `peft_type` in `adapter_config.json`.
  static var peftType: String { get }
  /// What the keys of the method's own parameters contain, and no other key.
  var parameterMark: String { get }

  /// Adds the adapter to the layers of `root` that it targets and freezes everything else in `root`.
  ///
  /// - Returns: the paths of the layers changed.
  /// - Throws: `AdapterError` if no layer is targeted or a setting does not fit one.
  func apply(to root: any Module, _ place: AdapterPlace) throws(AdapterError) -> [String]
}

/// What applying an adapter depends on besides its settings.
public struct AdapterPlace: Sendable {
  /// Layers that adapters change in this model unless told otherwise.
  public var targets: AdapterTargets
  /// The adapter's name, part of its parameters' keys; several adapters in one model have different ones.
  public var name: String
  /// Whether start values that depend on the base weights are computed; off when a file gives all values.
  public var startsFresh: Bool

  /// Describes a place.
  public init(_ targets: AdapterTargets, name: String = "default", startsFresh: Bool = true) {
    self.targets = targets
    self.name = name
    self.startsFresh = startsFresh
  }
}

/// Errors of adding adapters.
public enum AdapterError: CleftError {
  /// A setting is out of range or fits no layer.
  case badSetting(Problem)
  /// A target names no layer, or a file holds values that fit none.
  case noSuchLayer(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .badSetting(let problem), .noSuchLayer(let problem): problem
    }
  }
  /// 78 or 65.
  public var exitStatus: ExitStatus {
    switch self {
    case .badSetting: .badConfiguration
    case .noSuchLayer: .badData
    }
  }
}
