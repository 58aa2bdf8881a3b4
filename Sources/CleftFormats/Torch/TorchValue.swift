import CleftTensor

/// A plain value out of a PyTorch file, or to be written into one: what Lightning keeps beside the weights.
///
/// Literals make values, so `["epoch": 3, "names": ["a", "b"]]` is one. Tuples and sets are lists, an
/// `argparse.Namespace` is a dictionary, a `pathlib` path and a `torch.device` are texts, a numpy number is a number.
public enum TorchValue: Sendable, Equatable {
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case list([TorchValue])
  case dictionary([Entry])
  /// A tensor outside the weights, for example an optimizer's moment.
  case tensor(dtype: DType, shape: Shape)
  /// A float32 tensor to be written, by the name under which the writer is given it.
  case reference(String)
  /// What has no plain form: the name of a type or function, bytes, a number of more than 64 bits, or values nested too
  /// deeply.
  case other(String)

  /// One key of a dictionary with its value.
  public struct Entry: Sendable, Equatable {
    /// A text, mostly; optimizers use integers.
    public let key: TorchValue
    /// What stands under the key.
    public let value: TorchValue

    /// Makes an entry.
    public init(_ key: TorchValue, _ value: TorchValue) {
      self.key = key
      self.value = value
    }
  }

  /// The value of a dictionary's last entry with this key; nil if there is none or this is no dictionary.
  public subscript(key: String) -> TorchValue? {
    guard case .dictionary(let entries) = self else { return nil }
    return entries.last { $0.key == .string(key) }?.value
  }
}

extension TorchValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Python's `None`.
  public init(nilLiteral: ()) { self = .none }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .int(value) }
  /// A fraction.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// A text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A list.
  public init(arrayLiteral elements: TorchValue...) { self = .list(elements) }
  /// A dictionary whose entries stay in order.
  public init(dictionaryLiteral elements: (TorchValue, TorchValue)...) {
    self = .dictionary(elements.map { Entry($0.0, $0.1) })
  }
}

extension TorchValue: CustomStringConvertible {
  /// As Python prints it, near enough to read.
  public var description: String {
    switch self {
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let value): "'\(value)'"
    case .list(let items): "[\(items.map(\.description).joined(separator: ", "))]"
    case .dictionary(let entries):
      "{\(entries.map { "\($0.key): \($0.value)" }.joined(separator: ", "))}"
    case .tensor(let dtype, let shape): "tensor \(dtype.rawValue) \(shape)"
    case .reference(let name): "tensor \(name)"
    case .other(let text): "<\(text)>"
    }
  }
}

extension TorchValue {
  /// The value of a whole pickle.
  package init(pickle: UnsafeRawBufferPointer, path: String) throws(FormatError) {
    let document = try Unpickler.read(pickle, path: path)
    var builder = TorchValueBuilder(document.heap)
    self = builder.value(document.root)
  }
}

/// Copies values out of a pickle, where they may be shared or hold themselves, into values of their own.
struct TorchValueBuilder {
  let heap: PickleHeap
  /// Deepest nesting copied; hyper-parameters need a handful.
  private static let depthLimit = 64
  /// Values copied at most, however often the pickle refers to them.
  private var remaining = 200_000

  init(_ heap: PickleHeap) { self.heap = heap }

  /// A copy; what exceeds the limits becomes `.other` with the reason.
  mutating func value(_ value: PickleValue, depth: Int = 0) -> TorchValue {
    remaining -= 1
    guard remaining > 0 else { return .other("more than 200,000 values") }
    guard depth < Self.depthLimit else { return .other("nested deeper than \(Self.depthLimit)") }
    switch value {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .float(let value): return .double(value)
    case .string(let value): return .string(value)
    case .wide(let text), .global(let text): return .other(text)
    case .bytes(let bytes): return .other("\(bytes.count) bytes")
    case .numpyType(let node):
      guard case .string(let code)? = heap.nodes[node].first else { return .other("numpy.dtype") }
      return .other("numpy.dtype \(code)")
    case .storage(let index): return .other("storage \(heap.storages[index].key)")
    case .tensor(let index):
      let tensor = heap.tensors[index]
      return .tensor(dtype: tensor.storage.dtype, shape: Shape(tensor.sizes))
    case .tuple(let node), .list(let node): return .list(items(node, depth))
    case .dictionary(let node), .namespace(let node):
      let items = items(node, depth)
      return .dictionary(
        stride(from: 0, to: items.count - 1, by: 2).map { TorchValue.Entry(items[$0], items[$0 + 1]) })
    }
  }

  /// Copies of a container's items, cut after the item at which the limit was reached.
  private mutating func items(_ node: Int, _ depth: Int) -> [TorchValue] {
    var items: [TorchValue] = []
    for item in heap.nodes[node] {
      items.append(value(item, depth: depth + 1))
      if remaining <= 0 { break }
    }
    return items
  }
}
