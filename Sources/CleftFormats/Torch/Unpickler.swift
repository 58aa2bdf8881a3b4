import CleftTensor
import Foundation

/// A value out of a pickle, as far as checkpoints hold them.
indirect enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case bytes(Data)
  case tuple([PickleValue])
  case list(Reference<[PickleValue]>)
  case dictionary(Reference<[(key: PickleValue, value: PickleValue)]>)
  /// A name of something in Python; it is never called.
  case global(String)
  case storage(StorageReference)
  case tensor(TensorReference)

  /// Lists and dictionaries are filled after they have been put on the stack.
  final class Reference<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
  }

  /// A member of the archive that holds numbers.
  struct StorageReference {
    let key: String
    let dtype: DType
    let count: Int
  }

  /// A view of a storage.
  struct TensorReference {
    let storage: StorageReference
    let offset: Int
    let sizes, strides: [Int]
  }
}

/// Reads the pickles of PyTorch checkpoints without executing anything.
///
/// Known names are understood (`OrderedDict`, tensors, storages); any other callable is an error that names it.
/// - Source: Python's `pickletools`, protocols 2 to 5; PyTorch `torch/serialization.py`.
struct Unpickler {
  private let data: UnsafeRawBufferPointer
  private let path: String
  private var place = 0
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  /// Reads one pickle.
  static func read(_ data: UnsafeRawBufferPointer, path: String) throws(FormatError) -> PickleValue {
    var unpickler = Unpickler(data: data, path: path)
    return try unpickler.run()
  }

  private init(data: UnsafeRawBufferPointer, path: String) {
    self.data = data
    self.path = path
  }

  private mutating func run() throws(FormatError) -> PickleValue {
    while true {
      let opcode = try byte()
      if opcode == UInt8(ascii: ".") { return try pop() }
      if try runPlain(opcode) { continue }
      if try runContainer(opcode) { continue }
      switch opcode {
      case UInt8(ascii: "c"): stack.append(.global(try line() + "." + (try line())))
      case 0x93:
        guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
          throw damaged("a name")
        }
        stack.append(.global(module + "." + name))
      case UInt8(ascii: "R"), 0x81:
        let arguments = try pop()
        stack.append(try call(try pop(), arguments))
      case UInt8(ascii: "b"): _ = try pop()  // State of an object: tensors' hooks and attributes, not needed.
      case UInt8(ascii: "Q"): stack.append(.storage(try storage(try pop())))
      default: throw damaged("opcode \(opcode)")
      }
    }
  }

  /// Numbers, text, memo and stack; false for other opcodes.
  private mutating func runPlain(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case 0x80: _ = try byte()
    case 0x95: _ = try take(8)
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.int(Int(try byte())))
    case UInt8(ascii: "M"): stack.append(.int(try unsigned(2)))
    case UInt8(ascii: "J"): stack.append(.int(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
    case 0x8A: stack.append(.int(try long(Int(try byte()))))
    case UInt8(ascii: "G"):
      let bytes = try take(8)
      stack.append(.float(Double(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })))
    case UInt8(ascii: "X"): stack.append(.string(try text(try unsigned(4))))
    case 0x8C, UInt8(ascii: "U"): stack.append(.string(try text(Int(try byte()))))
    case 0x8D: stack.append(.string(try text(try unsigned(8))))
    case UInt8(ascii: "B"): stack.append(.bytes(Data(try take(try unsigned(4)))))
    case UInt8(ascii: "C"): stack.append(.bytes(Data(try take(Int(try byte())))))
    case UInt8(ascii: "q"): memo[Int(try byte())] = try top()
    case UInt8(ascii: "r"): memo[try unsigned(4)] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): stack.append(try remembered(Int(try byte())))
    case UInt8(ascii: "j"): stack.append(try remembered(try unsigned(4)))
    case UInt8(ascii: "0"): _ = try pop()
    default: return false
    }
    return true
  }

  /// Tuples, lists and dictionaries; false for other opcodes.
  private mutating func runContainer(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: ")"): stack.append(.tuple([]))
    case 0x85, 0x86, 0x87:
      var items: [PickleValue] = []
      for _ in 0..<Int(opcode) - 0x84 { items.append(try pop()) }
      stack.append(.tuple(items.reversed()))
    case UInt8(ascii: "t"): stack.append(.tuple(try popToMark()))
    case UInt8(ascii: "]"): stack.append(.list(PickleValue.Reference([])))
    case UInt8(ascii: "}"), 0x8F: stack.append(.dictionary(PickleValue.Reference([])))
    case UInt8(ascii: "a"):
      let item = try pop()
      try append([item])
    case UInt8(ascii: "e"):
      let items = try popToMark()
      try append(items)
    case UInt8(ascii: "s"):
      let value = try pop()
      let key = try pop()
      try set([key, value])
    case UInt8(ascii: "u"):
      let items = try popToMark()
      try set(items)
    default: return false
    }
    return true
  }

  // MARK: - Known names

  private func call(_ callable: PickleValue, _ arguments: PickleValue) throws(FormatError) -> PickleValue {
    guard case .global(let name) = callable, case .tuple(let arguments) = arguments else {
      throw damaged("a call")
    }
    switch name {
    case "collections.OrderedDict", "builtins.dict", "collections.defaultdict":
      return .dictionary(PickleValue.Reference([]))
    case "torch._utils._rebuild_tensor_v2":
      guard arguments.count >= 4, case .storage(let storage) = arguments[0],
        case .int(let offset) = arguments[1],
        let sizes = integers(arguments[2]), let strides = integers(arguments[3]), sizes.count == strides.count
      else { throw damaged("a tensor") }
      return .tensor(
        PickleValue.TensorReference(storage: storage, offset: offset, sizes: sizes, strides: strides))
    case "torch._utils._rebuild_parameter":
      guard let data = arguments.first else { throw damaged("a parameter") }
      return data
    case "torch.Size": return arguments.first ?? .tuple([])
    default:
      throw .malformed(
        Problem(
          path, found: "a pickle that calls \(name)", expected: "tensors and plain values",
          hint: "Nothing was executed. Save the state_dict alone, or as safetensors."))
    }
  }

  private func storage(_ identifier: PickleValue) throws(FormatError) -> PickleValue.StorageReference {
    let types: [String: DType] = [
      "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16,
      "BFloat16Storage": .bfloat16,
      "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8,
      "ByteStorage": .uint8,
      "BoolStorage": .bool,
    ]
    guard case .tuple(let parts) = identifier, parts.count >= 5, case .global(let type) = parts[1],
      case .string(let key) = parts[2], case .int(let count) = parts[4]
    else { throw damaged("a storage") }
    guard let dtype = types[type.split(separator: ".").last.map(String.init) ?? ""] else {
      throw .malformed(Problem(path, found: "a storage of type \(type)", expected: "numbers"))
    }
    return PickleValue.StorageReference(key: key, dtype: dtype, count: count)
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let items) = value else { return nil }
    var numbers: [Int] = []
    for item in items {
      guard case .int(let number) = item else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  // MARK: - Stack and bytes

  private func damaged(_ what: String) -> FormatError {
    .malformed(Problem(path, found: "a pickle with \(what) that cannot be", expected: "a PyTorch checkpoint"))
  }

  private mutating func pop() throws(FormatError) -> PickleValue {
    guard let value = stack.popLast(), stack.count >= marks.last ?? 0 else { throw damaged("a stack") }
    return value
  }

  private func top() throws(FormatError) -> PickleValue {
    guard let value = stack.last else { throw damaged("a stack") }
    return value
  }

  private mutating func popToMark() throws(FormatError) -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else { throw damaged("a mark") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func remembered(_ index: Int) throws(FormatError) -> PickleValue {
    guard let value = memo[index] else { throw damaged("a memo entry") }
    return value
  }

  private func append(_ items: [PickleValue]) throws(FormatError) {
    switch try top() {
    case .list(let list): list.value += items
    default: throw damaged("a list")
    }
  }

  private func set(_ items: [PickleValue]) throws(FormatError) {
    guard case .dictionary(let dictionary) = try top(), items.count % 2 == 0 else {
      throw damaged("a dictionary")
    }
    for i in stride(from: 0, to: items.count, by: 2) { dictionary.value.append((items[i], items[i + 1])) }
  }

  private mutating func take(_ count: Int) throws(FormatError) -> Slice<UnsafeRawBufferPointer> {
    guard count >= 0, place <= data.count - count else { throw damaged("an end") }
    defer { place += count }
    return data[place..<place + count]
  }

  private mutating func byte() throws(FormatError) -> UInt8 {
    guard place < data.count else { throw damaged("an end") }
    defer { place += 1 }
    return data[place]
  }

  private mutating func unsigned(_ count: Int) throws(FormatError) -> Int {
    let value = try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let fitting = Int(exactly: value) else { throw damaged("a length") }
    return fitting
  }

  /// A two's-complement number of `count` bytes; wider ones than 64 bits do not occur.
  private mutating func long(_ count: Int) throws(FormatError) -> Int {
    guard count <= 8 else { throw damaged("a number") }
    if count == 0 { return 0 }
    let value = try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let shift = UInt64(64 - 8 * count)
    return Int(Int64(bitPattern: value << shift) >> Int64(shift))
  }

  private mutating func text(_ count: Int) throws(FormatError) -> String {
    String(decoding: try take(count), as: UTF8.self)
  }

  private mutating func line() throws(FormatError) -> String {
    let start = place
    while try byte() != UInt8(ascii: "\n") {}
    return String(decoding: data[start..<place - 1], as: UTF8.self)
  }
}
