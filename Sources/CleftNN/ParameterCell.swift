import CleftFormats
import CleftTensor

/// The place of one parameter or buffer: shape, values, whether it is trained.
///
/// Values are made when first read, so that a model of any size can be described, or loaded from a file, without
/// allocating them first.
public final class ParameterCell {
  /// What a cell is for.
  public enum Role: Sendable {
    /// Trained by gradients, if `isTrainable`.
    case parameter
    /// Changed by the forward pass (running statistics) and saved, never trained.
    case buffer
  }

  /// Last part of the checkpoint key.
  public let name: String
  /// Shape stored.
  public let shape: Shape
  /// Parameter or buffer.
  public let role: Role
  /// Whether gradients are wanted.
  public var isTrainable: Bool {
    didSet { if isTrainable { rounded = nil } }
  }
  /// Start values.
  public let initializer: Initializer
  /// Place in the tape.
  public let leaf = Node()
  private var key: RandomKey?
  private var stored: Tensor?
  private var source: (() -> Tensor)?
  private var unchangedOrigin: TensorOrigin?
  private var rounded: HalfMatrix?

  init(_ name: String, _ shape: Shape, _ initializer: Initializer, role: Role) {
    self.name = name
    self.shape = shape
    self.initializer = initializer
    self.role = role
    isTrainable = role == .parameter
  }

  /// Names the random stream of the start values; a cell that has one keeps it.
  func seed(_ key: RandomKey) { if self.key == nil { self.key = key } }

  /// The values, as a constant.
  public var value: Tensor {
    get {
      let made = peek()
      stored = made
      // A file stays open as long as values may be its own: until then its number on the disk is no other's.
      if unchangedOrigin == nil { source = nil }
      return made
    }
    set {
      precondition(newValue.shape == shape, "parameter \(name): [\(newValue.shape)] into [\(shape)]")
      stored = newValue.detached
      source = nil
      rounded = nil
      unchangedOrigin = nil
    }
  }

  /// Where the values can be read again: nil if they are trained, have been, or come from nowhere else.
  public var origin: TensorOrigin? { isTrainable || role == .buffer ? nil : unchangedOrigin }

  /// The file that values which nothing has changed come from, and may still be read from; nil for trained ones.
  public var file: TensorOrigin.File? { isTrainable ? nil : unchangedOrigin?.file }

  /// The values, not kept if they were not there: for writing them once.
  public func peek() -> Tensor {
    stored ?? source?() ?? initializer.makeTensor(shape, key: key ?? RandomKey(seed: 0))
  }

  /// Lends the values to `body`; what was not in memory before is not kept there.
  public func lend<Result>(_ body: (Tensor) throws -> Result) rethrows -> Result {
    let values = peek()
    // Values that somebody keeps may have been trained since they were read.
    defer { if stored == nil { values.forget() } }
    return try body(values)
  }

  /// Names where the values come from when they are first wanted, for example a mapped file.
  ///
  /// - Parameter origin: the place in a file that stays, so that a checkpoint need not store the values.
  func setSource(origin: TensorOrigin? = nil, _ source: @escaping () -> Tensor) {
    stored = nil
    rounded = nil
    unchangedOrigin = origin
    self.source = source
  }

  /// The values of a frozen matrix in bfloat16, made once; float32 values are not kept for it.
  public var half: HalfMatrix {
    if let rounded { return rounded }
    let values = peek()
    let made = HalfMatrix(rounding: values)
    // Values that somebody keeps may have been trained since they were read.
    if stored == nil { values.forget() }
    rounded = made
    return made
  }

  /// The values, as a leaf of the tape if they are trained.
  var tracked: Tensor {
    guard isTrainable else { return value }
    // Whoever has the gradient may change the values in place.
    unchangedOrigin = nil
    return value.tracked(by: leaf)
  }

  /// Whether values exist already.
  public var isMaterialized: Bool { stored != nil || rounded != nil }
}

/// A parameter of a module under an explicit checkpoint key.
@propertyWrapper
public struct Parameter {
  /// The cell behind the property.
  public let projectedValue: ParameterCell

  /// Declares a parameter.
  public init(_ name: String, _ shape: Shape, _ initializer: Initializer) {
    projectedValue = ParameterCell(name, shape, initializer, role: .parameter)
  }

  /// The values, tracked if they are trained.
  public var wrappedValue: Tensor { projectedValue.tracked }
}

/// A parameter that a configuration may leave out.
@propertyWrapper
public struct OptionalParameter {
  /// The cell behind the property, nil if left out.
  public let projectedValue: ParameterCell?

  /// Declares a parameter, or its absence with `isPresent` false.
  public init(_ name: String, _ shape: Shape, _ initializer: Initializer, isPresent: Bool) {
    projectedValue = isPresent ? ParameterCell(name, shape, initializer, role: .parameter) : nil
  }

  /// The values, tracked if they are trained; nil if left out.
  public var wrappedValue: Tensor? { projectedValue?.tracked }
}

/// Values that are saved with a module but not trained.
@propertyWrapper
public struct Buffer {
  /// The cell behind the property.
  public let projectedValue: ParameterCell

  /// Declares a buffer.
  public init(_ name: String, _ shape: Shape, _ initializer: Initializer) {
    projectedValue = ParameterCell(name, shape, initializer, role: .buffer)
  }

  /// The values.
  public var wrappedValue: Tensor {
    get { projectedValue.value }
    nonmutating set { projectedValue.value = newValue }
  }
}
