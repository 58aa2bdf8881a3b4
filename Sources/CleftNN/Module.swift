import CleftTensor

/// A part of a model: parameters, buffers and children under explicit checkpoint keys, in order of declaration.
///
/// Conforming types are final classes. Properties take part through `@Parameter`, `@OptionalParameter`, `@Buffer`,
/// `@Child`, `@Children` and `@Inline`; nothing else is looked at.
public protocol Module: AnyObject {}

/// A layer from one tensor to one, the kind that adapters can replace.
public protocol UnaryLayer: Module {
  /// Applies the layer.
  func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor
  /// Applies the layer and adds the result, times `sum.scale`, to `sum.residual`.
  func callAsFunction(_ x: Tensor, adding sum: LinearSum, _ context: ForwardContext) -> Tensor
}

extension UnaryLayer {
  /// One operation after the other.
  public func callAsFunction(_ x: Tensor, adding sum: LinearSum, _ context: ForwardContext) -> Tensor {
    let result = self(x, context)
    return sum.scale.map { addScaled(sum.residual, result, $0) } ?? sum.residual + result
  }
}

/// What a forward pass depends on besides inputs and parameters.
public struct ForwardContext {
  /// Whether dropout and batch statistics are those of training.
  public var isTraining: Bool
  /// Stream of everything random in this pass.
  public var key: RandomKey
  /// Whether batch norm moves its running statistics; of several ranks only the first one's count.
  public var movesStatistics = true
  /// Whether results that only products and what lies between them read may be in bfloat16; set within blocks.
  public var halvesResults = false
  /// Where intermediate results go when somebody wants to see them.
  public var taps: Taps?

  /// Makes a context.
  public init(isTraining: Bool, key: RandomKey, taps: Taps? = nil) {
    self.isTraining = isTraining
    self.key = key
    self.taps = taps
  }

  /// Evaluation: nothing random.
  public static var evaluation: ForwardContext { ForwardContext(isTraining: false, key: RandomKey(seed: 0)) }

  /// The context of one part of the model.
  public func split(_ label: StaticString, _ index: Int = 0) -> ForwardContext {
    var context = self
    context.key = key.split(label, index)
    return context
  }

  /// Dropout with a probability that counts in training only.
  public func dropout(
    _ x: Tensor, _ probability: Float, _ label: StaticString, adding residual: Tensor? = nil
  ) -> Tensor {
    CleftTensor.dropout(x, probability: isTraining ? probability : 0, key: key.split(label), adding: residual)
  }
}

/// A slot for a child module that adapters may fill anew.
protocol ChildSlot: AnyObject {
  var entries: [(key: String, module: any Module)] { get }
  /// Puts `module` in the place of entry `index`; false if its type does not fit.
  func replace(_ index: Int, with module: any Module) -> Bool
}

/// A child module under an explicit key.
@propertyWrapper
public final class Child<Value>: ChildSlot {
  private let key: String
  private var stored: Value?

  /// Declares a child; the owner's `init` sets `_name.wrappedValue`.
  public init(_ key: String) { self.key = key }

  /// The module.
  public var wrappedValue: Value {
    get {
      guard let stored else { preconditionFailure("child \(key): read before it was set") }
      return stored
    }
    set { stored = newValue }
  }

  var entries: [(key: String, module: any Module)] {
    (wrappedValue as? any Module).map { [(key, $0)] } ?? []
  }

  func replace(_ index: Int, with module: any Module) -> Bool {
    guard let fitting = module as? Value else { return false }
    wrappedValue = fitting
    return true
  }
}

/// A numbered list of child modules under `key.0`, `key.1` and so on.
@propertyWrapper
public final class Children<Value>: ChildSlot {
  private let key: String
  /// The modules.
  public var wrappedValue: [Value] = []

  /// Declares a list of children; the owner's `init` sets `_name.wrappedValue`.
  public init(_ key: String) { self.key = key }

  var entries: [(key: String, module: any Module)] {
    wrappedValue.enumerated().compactMap { index, value in
      (value as? any Module).map { (key.isEmpty ? "\(index)" : "\(key).\(index)", $0) }
    }
  }

  func replace(_ index: Int, with module: any Module) -> Bool {
    guard let fitting = module as? Value else { return false }
    wrappedValue[index] = fitting
    return true
  }
}

/// A list of parts whose parameters count as the owner's own: their keys have nothing of the list in them.
@propertyWrapper
public final class Inline<Value>: ChildSlot {
  /// The modules.
  public var wrappedValue: [Value] = []

  /// Declares an empty list.
  public init() {}

  var entries: [(key: String, module: any Module)] {
    wrappedValue.compactMap { value in (value as? any Module).map { ("", $0) } }
  }

  func replace(_ index: Int, with module: any Module) -> Bool {
    guard let fitting = module as? Value else { return false }
    wrappedValue[index] = fitting
    return true
  }
}

/// A parameter or buffer with its full checkpoint key.
public struct NamedCell {
  /// For example `img_encoder_q.model.blocks.0.attn.qkv.weight`.
  public let path: String
  /// The cell.
  public let cell: ParameterCell
}

extension Module {
  /// Parameters and buffers of this module and its children, in order of declaration.
  public func cells(prefix: String = "") -> [NamedCell] {
    var found: [NamedCell] = []
    forEachSlot { slot in
      switch slot {
      case .cell(let cell): found.append(NamedCell(path: joined(prefix, cell.name), cell: cell))
      case .children(let slot):
        for entry in slot.entries { found += entry.module.cells(prefix: joined(prefix, entry.key)) }
      }
    }
    return found
  }

  /// Parameters with their keys, buffers left out.
  public var parameters: [NamedCell] { cells().filter { $0.cell.role == .parameter } }

  /// Names the random stream of every start value by its key; cells that have one keep it.
  public func seed(_ key: RandomKey) { for named in cells() { named.cell.seed(key.split(name: named.path)) } }

  /// Sets whether the parameters are trained.
  public func setTrainable(_ isTrainable: Bool) {
    for named in parameters { named.cell.isTrainable = isTrainable }
  }

  /// Offers every child, deepest last, to `body` and puts what it returns in its place.
  ///
  /// - Parameter body: takes path and module; nil keeps the module and goes on inside it.
  /// - Returns: the paths replaced.
  @discardableResult
  public func replaceChildren(
    prefix: String = "", _ body: (_ path: String, _ module: any Module) -> (any Module)?
  )
    -> [String]
  {
    var replaced: [String] = []
    forEachSlot { item in
      guard case .children(let slot) = item else { return }
      for (index, entry) in slot.entries.enumerated() {
        let path = joined(prefix, entry.key)
        if let new = body(path, entry.module) {
          precondition(slot.replace(index, with: new), "replace \(path): \(type(of: new)) does not fit")
          replaced.append(path)
        } else {
          replaced += entry.module.replaceChildren(prefix: path, body)
        }
      }
    }
    return replaced
  }

  private func forEachSlot(_ body: (Slot) -> Void) {
    for property in Mirror(reflecting: self).children {
      switch property.value {
      case let parameter as Parameter: body(.cell(parameter.projectedValue))
      case let parameter as OptionalParameter: if let cell = parameter.projectedValue { body(.cell(cell)) }
      case let buffer as Buffer: body(.cell(buffer.projectedValue))
      case let child as any ChildSlot: body(.children(child))
      default: continue
      }
    }
  }
}

private enum Slot {
  case cell(ParameterCell)
  case children(any ChildSlot)
}

private func joined(_ prefix: String, _ key: String) -> String {
  if prefix.isEmpty || key.isEmpty { return prefix + key }
  return "\(prefix).\(key)"
}
