import CleftTensor

/// The names that checkpoints call, each answered with data; nothing is executed.
extension Unpickler {
  /// A name as a value.
  mutating func global(_ module: String, _ name: String) throws(FormatError) -> PickleValue {
    try spend((module.utf8.count + name.utf8.count) / 16)
    guard module.utf8.count + name.utf8.count <= 1_000 else { throw damaged("a long name") }
    return .global(module + "." + name)
  }

  /// What a call would give.
  mutating func call(_ callable: PickleValue, _ arguments: PickleValue) throws(FormatError) -> PickleValue {
    guard case .global(let written) = callable, case .tuple(let node) = arguments else {
      throw damaged("a call")
    }
    let (name, arguments) = (Self.currentName(written), heap.nodes[node])
    if let value = try plainObject(name, arguments) { return value }
    if let value = try torchObject(name, arguments) { return value }
    if let value = try numpyObject(name, arguments) { return value }
    throw .malformed(
      Problem(
        cursor.path, found: "a pickle that calls \(written)", expected: "tensors and plain values",
        hint: "Nothing was executed. Save the state_dict alone, or as safetensors."))
  }

  /// What an object's state changes: tensors' hooks and attributes are not needed.
  mutating func setState(_ state: PickleValue, of value: PickleValue) throws(FormatError) {
    switch (value, state) {
    case (.namespace(let namespace), .dictionary(let fields)):
      try spend(heap.nodes[fields].count)
      heap.append(heap.nodes[fields], to: namespace)
    case (.numpyType(let type), .tuple(let fields)):
      // The state is (version, byte order, …).
      let fields = heap.nodes[fields]
      guard fields.count > 1, case .string = fields[1] else { throw damaged("a numpy type") }
      heap.replace(type, by: [heap.nodes[type][0], fields[1]])
    default: break
    }
  }

  /// Python 2's names and those of protocols 0 to 2, as Python 3 has them.
  private static func currentName(_ name: String) -> String {
    for (old, new) in [("__builtin__.", "builtins."), ("copy_reg.", "copyreg.")] where name.hasPrefix(old) {
      return new + name.dropFirst(old.count)
    }
    return name
  }

  // MARK: - Python

  private mutating func plainObject(
    _ name: String, _ arguments: [PickleValue]
  ) throws(FormatError) -> PickleValue? {
    switch name {
    case "copyreg._reconstructor", "copyreg.__newobj__":
      guard let type = arguments.first else { throw damaged("an object") }
      return try call(type, .tuple(try node([])))
    case "collections.OrderedDict", "builtins.dict", "collections.Counter": return try dictionary(arguments)
    case "collections.defaultdict": return .dictionary(try node([]))
    case "pytorch_lightning.utilities.parsing.AttributeDict", "lightning.fabric.utilities.data.AttributeDict",
      "lightning_fabric.utilities.data.AttributeDict", "lightning.pytorch.utilities.parsing.AttributeDict":
      return try dictionary(arguments)
    case "builtins.set", "builtins.frozenset", "builtins.list":
      guard case .list(let items)? = arguments.first else { return .list(try node([])) }
      return .list(items)
    case "argparse.Namespace", "types.SimpleNamespace": return .namespace(try node([]))
    case "_codecs.encode", "builtins.bytes", "builtins.bytearray": return .bytes(try bytes(arguments))
    default:
      let parts = name.split(separator: ".")
      guard parts.first == "pathlib", let kind = parts.last, kind.hasSuffix("Path") else { return nil }
      return .string(try file(arguments, separator: kind.contains("Windows") ? "\\" : "/"))
    }
  }

  /// A dictionary from nothing, from another one, or, as Python 2 wrote it, from a list of pairs.
  private mutating func dictionary(_ arguments: [PickleValue]) throws(FormatError) -> PickleValue {
    guard let source = arguments.first else { return .dictionary(try node([])) }
    if case .dictionary = source { return source }
    guard case .list(let list) = source else { throw damaged("a dictionary") }
    var items: [PickleValue] = []
    for pair in heap.nodes[list] {
      try spend(2)
      let fields: [PickleValue]
      switch pair {
      case .tuple(let node), .list(let node): fields = heap.nodes[node]
      default: throw damaged("a dictionary")
      }
      guard fields.count == 2 else { throw damaged("a dictionary") }
      items += fields
    }
    return .dictionary(try node(items))
  }

  /// Bytes as protocols 0 to 2 spell them: a text whose characters are Latin-1.
  private mutating func bytes(_ arguments: [PickleValue]) throws(FormatError) -> [UInt8] {
    switch arguments.first {
    case nil: return []
    case .bytes(let bytes)?: return bytes
    case .string(let text)?:
      try spend(text.utf8.count / 16)
      let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
      guard bytes.count == text.unicodeScalars.count else { throw damaged("bytes") }
      return bytes
    default: throw damaged("bytes")
    }
  }

  /// A path from its parts; an absolute part starts anew.
  private mutating func file(
    _ parts: [PickleValue], separator: String
  ) throws(FormatError) -> String {
    var path = ""
    for part in parts {
      guard case .string(let name) = part, path.utf8.count + name.utf8.count <= 4_096 else {
        throw damaged("a path")
      }
      if path.isEmpty || name.hasPrefix(separator) {
        path = name
      } else {
        path += path.hasSuffix(separator) ? name : separator + name
      }
    }
    try spend(path.utf8.count / 16)
    return path.isEmpty ? "." : path
  }

  // MARK: - PyTorch

  private mutating func torchObject(
    _ name: String, _ arguments: [PickleValue]
  ) throws(FormatError) -> PickleValue? {
    switch name {
    case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2": return try tensor(arguments)
    case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
      "torch.nn.parameter.Parameter":
      guard let data = arguments.first, case .tensor = data else { throw damaged("a parameter") }
      return data
    case "torch._tensor._rebuild_from_type_v2":
      // (function, type, its arguments, state): a tensor with attributes.
      guard arguments.count >= 3, case .global(let function) = arguments[0],
        function.hasPrefix("torch._utils._rebuild_"), case .tuple(let inner) = arguments[2]
      else { throw damaged("a tensor") }
      return try torchObject(function, heap.nodes[inner])
    case "torch.Size":
      if let sizes = arguments.first { return sizes }
      return .tuple(try node([]))
    case "torch.device":
      guard case .string(let kind)? = arguments.first, kind.utf8.count <= 100 else {
        throw damaged("a device")
      }
      if arguments.count > 1, case .int(let index) = arguments[1] { return .string("\(kind):\(index)") }
      return .string(kind)
    default: return nil
    }
  }

  private mutating func tensor(_ arguments: [PickleValue]) throws(FormatError) -> PickleValue {
    guard arguments.count >= 4, case .storage(let storage) = arguments[0],
      case .int(let offset) = arguments[1], let sizes = heap.integers(arguments[2]),
      let strides = heap.integers(arguments[3]), sizes.count == strides.count,
      sizes.allSatisfy({ $0 >= 0 })
    else { throw damaged("a tensor") }
    try spend(4 + sizes.count)
    var bytes = 8
    for extent in sizes {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw damaged("a tensor's shape") }
      bytes = product
    }
    // The stride of an axis with one element may be anything; nothing must be computed from it.
    let steps = zip(sizes, strides).map { extent, stride in extent > 1 ? stride : 0 }
    return .tensor(
      heap.add(
        PickleHeap.TensorReference(
          storage: heap.storages[storage], offset: offset, sizes: sizes, strides: steps)))
  }

  /// A storage from its persistent id: `('storage', type, key, location, count, view)`.
  mutating func storage(_ identifier: PickleValue) throws(FormatError) -> PickleValue {
    let types: [String: DType] = [
      "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16,
      "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16,
      "CharStorage": .int8, "ByteStorage": .uint8, "UntypedStorage": .uint8, "BoolStorage": .bool,
    ]
    guard case .tuple(let node) = identifier, heap.nodes[node].count >= 5 else { throw damaged("a storage") }
    let parts = heap.nodes[node]
    guard case .global(let type) = parts[1], case .string(let key) = parts[2] else {
      throw damaged("a storage")
    }
    guard let dtype = types[type.split(separator: ".").last.map(String.init) ?? ""] else {
      throw .malformed(Problem(cursor.path, found: "a storage of type \(type)", expected: "numbers"))
    }
    var start = 0
    if parts.count > 5, case .tuple(let view) = parts[5] {
      // Before PyTorch 0.4: (key of the view, first element, count).
      guard heap.nodes[view].count == 3, case .int(let offset) = heap.nodes[view][1], offset >= 0 else {
        throw damaged("a storage's view")
      }
      start = offset
    }
    try spend(2)
    return .storage(heap.add(PickleHeap.StorageReference(key: key, dtype: dtype, start: start)))
  }

  // MARK: - numpy

  /// The type of a number and the number itself, the only parts of numpy that hyper-parameters hold.
  private mutating func numpyObject(
    _ name: String, _ arguments: [PickleValue]
  ) throws(FormatError) -> PickleValue? {
    switch name {
    case "numpy.dtype":
      guard case .string(let code)? = arguments.first, code.utf8.count <= 16 else {
        throw damaged("a numpy type")
      }
      return .numpyType(try node([.string(code), .string("<")]))
    case "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar":
      guard arguments.count == 2, case .numpyType(let type) = arguments[0],
        case .string(let code) = heap.nodes[type][0], case .string(let order) = heap.nodes[type][1]
      else { throw damaged("a numpy number") }
      var bytes: [UInt8]
      switch arguments[1] {
      case .bytes(let data): bytes = data
      case .string(let text): bytes = try self.bytes([.string(text)])
      default: throw damaged("a numpy number")
      }
      guard bytes.count <= 8 else { throw damaged("a numpy number") }
      if order == ">" { bytes.reverse() }
      guard let number = Self.number(code, bytes) else { throw damaged("a numpy number of type \(code)") }
      return number
    default: return nil
    }
  }

  /// A number from its little-endian bytes under numpy's code for its type.
  private static func number(_ code: String, _ bytes: [UInt8]) -> PickleValue? {
    let size = bytes.count
    guard size > 0, code.dropFirst() == "\(size)" else { return nil }
    let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch (code.first, size) {
    case ("f", 8): return .float(Double(bitPattern: bits))
    case ("f", 4): return .float(Double(Float(bitPattern: UInt32(bits))))
    case ("f", 2): return .float(Double(Float16(bitPattern: UInt16(bits))))
    case ("i", _):
      let shift = UInt64(64 - 8 * size)
      return .int(Int(Int64(bitPattern: bits << shift) >> Int64(shift)))
    case ("u", _): return Int(exactly: bits).map { .int($0) } ?? .wide("0x" + String(bits, radix: 16))
    case ("b", 1): return .bool(bits != 0)
    default: return nil
    }
  }
}
