import CleftTensor

/// A value out of a pickle, as far as checkpoints hold them.
///
/// Containers, storages and tensors are places in a `PickleHeap`, so that nothing is nested in memory: values that hold
/// themselves or 100,000 others inside one another are read and freed without recursion.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  /// An integer of more than 64 bits, in hexadecimal.
  case wide(String)
  case float(Double)
  case string(String)
  case bytes([UInt8])
  case tuple(Int)
  /// A list or a set.
  case list(Int)
  /// Keys and values alternate.
  case dictionary(Int)
  /// An `argparse.Namespace`: a dictionary that its state fills.
  case namespace(Int)
  /// A name of something in Python; it is never called.
  case global(String)
  /// A numpy type: its code and its byte order.
  case numpyType(Int)
  case storage(Int)
  case tensor(Int)
}

/// What the values of one pickle refer to.
struct PickleHeap {
  /// A member of the file that holds numbers, or a part of one.
  struct StorageReference {
    let key: String
    let dtype: DType
    /// Elements before the first one, in files from before PyTorch 0.4.
    let start: Int
  }

  /// A view of a storage.
  struct TensorReference {
    let storage: StorageReference
    let offset: Int
    let sizes, strides: [Int]
  }

  private(set) var nodes: [[PickleValue]] = []
  private(set) var storages: [StorageReference] = []
  private(set) var tensors: [TensorReference] = []

  mutating func add(_ items: [PickleValue]) -> Int {
    nodes.append(items)
    return nodes.count - 1
  }

  mutating func add(_ storage: StorageReference) -> Int {
    storages.append(storage)
    return storages.count - 1
  }

  mutating func add(_ tensor: TensorReference) -> Int {
    tensors.append(tensor)
    return tensors.count - 1
  }

  mutating func append(_ items: [PickleValue], to node: Int) { nodes[node].append(contentsOf: items) }

  mutating func replace(_ node: Int, by items: [PickleValue]) { nodes[node] = items }

  /// Keys and values of a dictionary that have a text as key, in order.
  func named(_ dictionary: PickleValue) -> [(name: String, value: PickleValue)] {
    let node: Int
    switch dictionary {
    case .dictionary(let place), .namespace(let place): node = place
    default: return []
    }
    let items = nodes[node]
    return stride(from: 0, to: items.count - 1, by: 2).compactMap { i in
      guard case .string(let name) = items[i] else { return nil }
      return (name, items[i + 1])
    }
  }

  /// The integers of a tuple of at most 64, as sizes and strides are.
  func integers(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let node) = value, nodes[node].count <= 64 else { return nil }
    var numbers: [Int] = []
    for item in nodes[node] {
      guard case .int(let number) = item else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}

/// What a pickle holds.
struct PickleDocument {
  let root: PickleValue
  let heap: PickleHeap
}
