import CleftTensor
import Foundation

/// Reads the zip archives that `torch.save` writes (`.pth`, `.pt`, `.bin`, Lightning's `.ckpt`).
///
/// The file is mapped, nothing in it is executed, and contiguous float32 tensors are views of the mapping. Tensors are
/// those of the dictionary itself, or of its `state_dict` or `model` entry.
public struct TorchArchive: WeightsFile {
  /// Where the file lies.
  public let path: String
  /// Tensors by key.
  public let entries: [String: TensorEntry]
  private let file: MappedFile
  private let tensors: [String: PickleValue.TensorReference]

  /// Maps a file and checks that every tensor lies within its storage.
  ///
  /// - Throws: `FormatError.missing`, or `.malformed` naming the member, the tensor or the call that is refused.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    file = try MappedFile(path)
    let members = try ZipDirectory(file).members
    guard let pickle = members.keys.filter({ $0.hasSuffix("/data.pkl") }).min(), let member = members[pickle]
    else {
      throw .malformed(
        Problem(path, found: "a zip archive without data.pkl", expected: "a PyTorch checkpoint"))
    }
    let folder = pickle.dropLast("data.pkl".count)
    if let order = members[folder + "byteorder"] {
      let text = String(
        decoding: UnsafeRawBufferPointer(start: file.base + order.offset, count: order.byteCount),
        as: UTF8.self)
      guard text == "little" else {
        throw .malformed(Problem(path, found: "byte order \(text)", expected: "little"))
      }
    }
    let root = try Unpickler.read(
      UnsafeRawBufferPointer(start: file.base + member.offset, count: member.byteCount), path: path)
    var entries: [String: TensorEntry] = [:]
    var tensors: [String: PickleValue.TensorReference] = [:]
    for (key, tensor) in Self.stateDict(root) {
      guard let storage = members[folder + "data/\(tensor.storage.key)"],
        let entry = Self.entry(tensor, storage)
      else {
        throw .malformed(
          Problem(
            "\(path): \(key)", found: "a tensor outside its storage", hint: "Fetch or write the file again."))
      }
      entries[key] = entry
      tensors[key] = tensor
    }
    guard !entries.isEmpty else {
      throw .malformed(Problem(path, found: "no tensors", expected: "a state_dict, or a dictionary with one"))
    }
    self.entries = entries
    self.tensors = tensors
  }

  /// A tensor as float32; strides are honored.
  public func tensor(_ key: String) throws(FormatError) -> Tensor {
    guard let entry = entries[key], let view = tensors[key] else {
      let near = nearestNames(to: key, among: entries.keys).joined(separator: ", ")
      throw .malformed(Problem("\(path): \(key)", found: "no such tensor", hint: "Nearest: \(near)."))
    }
    let isContiguous = view.strides == Self.contiguousStrides(view.sizes) || entry.shape.count <= 1
    if entry.dtype == .float32, isContiguous, entry.offset % 4 == 0 {
      return Tensor(entry.shape, storage: file.storage(at: entry.offset, byteCount: entry.byteCount))
    }
    let bytes = UnsafeRawPointer(file.base + entry.offset)
    let size = entry.dtype.byteCount
    let result = Tensor(uninitialized: entry.shape)
    result.withMutablePointer { out in
      var index = [Int](repeating: 0, count: view.sizes.count)
      for i in 0..<entry.shape.count {
        let element = zip(index, view.strides).reduce(0) { $0 + $1.0 * $1.1 }
        out[i] = Self.number(bytes + element * size, entry.dtype)
        for axis in index.indices.reversed() {
          index[axis] += 1
          if index[axis] < view.sizes[axis] { break }
          index[axis] = 0
        }
      }
    }
    return result
  }

  /// The tensors of the dictionary that holds the weights.
  private static func stateDict(_ root: PickleValue) -> [(String, PickleValue.TensorReference)] {
    guard case .dictionary(var dictionary) = root else { return [] }
    // One level deep only: a hostile dictionary may hold itself.
    for (key, value) in dictionary.value {
      if case .string(let name) = key, ["state_dict", "model"].contains(name),
        case .dictionary(let inner) = value
      {
        dictionary = inner
        break
      }
    }
    return dictionary.value.compactMap { key, value in
      guard case .string(let name) = key, case .tensor(let tensor) = value else { return nil }
      return (name, tensor)
    }
  }

  /// Where a tensor starts and what shape it has; nil if an element would lie outside its storage.
  private static func entry(_ tensor: PickleValue.TensorReference, _ storage: ZipDirectory.Member)
    -> TensorEntry?
  {
    let size = tensor.storage.dtype.byteCount
    guard tensor.offset >= 0, tensor.sizes.allSatisfy({ $0 >= 0 }), tensor.strides.allSatisfy({ $0 >= 0 })
    else {
      return nil
    }
    var last = tensor.offset
    var count = 1
    for (extent, stride) in zip(tensor.sizes, tensor.strides) {
      let (reach, overflow) = max(extent - 1, 0).multipliedReportingOverflow(by: stride)
      let (sum, sumOverflow) = last.addingReportingOverflow(reach)
      let (product, productOverflow) = count.multipliedReportingOverflow(by: extent)
      if overflow || sumOverflow || productOverflow { return nil }
      (last, count) = (sum, product)
    }
    // A tensor may repeat elements, but not make a small file fill the memory.
    let available = storage.byteCount / size
    guard count == 0 || (last < available && count <= available) else { return nil }
    return TensorEntry(
      dtype: tensor.storage.dtype, shape: Shape(tensor.sizes), offset: storage.offset + tensor.offset * size)
  }

  private static func contiguousStrides(_ sizes: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: sizes.count)
    for axis in sizes.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * sizes[axis + 1] }
    return strides
  }

  private static func number(_ bytes: UnsafeRawPointer, _ dtype: DType) -> Float {
    switch dtype {
    case .float32: bytes.loadUnaligned(as: Float.self)
    case .float64: Float(bytes.loadUnaligned(as: Double.self))
    case .float16: Float(bytes.loadUnaligned(as: Float16.self))
    case .bfloat16: float(fromBFloat16: bytes.loadUnaligned(as: UInt16.self))
    case .int64: Float(bytes.loadUnaligned(as: Int64.self))
    case .int32: Float(bytes.loadUnaligned(as: Int32.self))
    case .int16: Float(bytes.loadUnaligned(as: Int16.self))
    case .int8: Float(bytes.load(as: Int8.self))
    case .uint8, .bool: Float(bytes.load(as: UInt8.self))
    }
  }
}
