import CleftTensor
import Foundation

/// Writes the pickle of a PyTorch file under protocol 2: plain values, ordered dictionaries, tensors.
///
/// - Source: Python's `pickletools`; PyTorch `torch/_utils.py`, `_rebuild_tensor_v2`.
struct Pickler {
  private(set) var data = Data([0x80, 2])
  private var names: [String: UInt8] = [:]
  /// Tensors that values refer to by name: shape and storage.
  var references: [String: (shape: Shape, storage: String)] = [:]

  /// The pickle, closed.
  var finished: Data { data + Data([UInt8(ascii: ".")]) }

  mutating func open(_ opcodes: String) { data.append(contentsOf: opcodes.utf8) }

  mutating func write(_ text: String) {
    data.append(UInt8(ascii: "X"))
    little(text.utf8.count, 4)
    data.append(contentsOf: text.utf8)
  }

  mutating func write(_ number: Int) {
    if let number = Int32(exactly: number) {
      data.append(UInt8(ascii: "J"))
      little(Int(number), 4)
    } else {
      data.append(contentsOf: [0x8A, 8])
      little(number, 8)
    }
  }

  /// Writes a value.
  ///
  /// - Returns: false for tensors that are none of `references`, and values without a plain form.
  mutating func write(_ value: TorchValue) -> Bool {
    switch value {
    case .none: open("N")
    case .bool(let value): data.append(value ? 0x88 : 0x89)
    case .int(let number): write(number)
    case .double(let number):
      data.append(UInt8(ascii: "G"))
      for byte in (0..<8).reversed() {
        data.append(UInt8(truncatingIfNeeded: number.bitPattern >> (8 * byte)))
      }
    case .string(let text): write(text)
    case .list(let items):
      open("](")
      for item in items { if !write(item) { return false } }
      open("e")
    case .dictionary(let entries):
      open("}(")
      for entry in entries {
        if case .list = entry.key { return false }
        if case .dictionary = entry.key { return false }
        if !write(entry.key) || !write(entry.value) { return false }
      }
      open("u")
    case .reference(let name):
      guard let tensor = references[name] else { return false }
      write(shape: tensor.shape, dtype: .float32, storage: tensor.storage)
    case .tensor, .other: return false
    }
    return true
  }

  /// Writes a tensor that starts its storage.
  mutating func write(shape: Shape, dtype: DType, storage: String) {
    global("torch._utils", "_rebuild_tensor_v2")
    open("((")
    write("storage")
    global("torch", Self.storageNames[dtype] ?? "FloatStorage")
    write(storage)
    write("cpu")
    write(shape.count)
    open("tQ")
    write(0)
    write(tuple: shape.dimensions)
    write(tuple: shape.dimensions.indices.map { shape.dimensions[($0 + 1)...].reduce(1, *) })
    data.append(0x89)
    orderedDictionary()
    open("tR")
  }

  /// An empty ordered dictionary.
  mutating func orderedDictionary() {
    global("collections", "OrderedDict")
    open(")R")
  }

  private static let storageNames: [DType: String] = [
    .float32: "FloatStorage", .bfloat16: "BFloat16Storage", .float16: "HalfStorage", .int64: "LongStorage",
    .float64: "DoubleStorage", .int32: "IntStorage", .int16: "ShortStorage", .int8: "CharStorage",
    .uint8: "ByteStorage", .bool: "BoolStorage",
  ]

  private mutating func write(tuple: [Int]) {
    open("(")
    for number in tuple { write(number) }
    open("t")
  }

  /// A name, spelled out once and remembered.
  private mutating func global(_ module: String, _ name: String) {
    if let place = names[name] {
      data.append(contentsOf: [UInt8(ascii: "h"), place])
      return
    }
    let place = UInt8(names.count)
    names[name] = place
    open("c\(module)\n\(name)\n")
    data.append(contentsOf: [UInt8(ascii: "q"), place])
  }

  private mutating func little(_ value: Int, _ width: Int) {
    for byte in 0..<width { data.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }
}
