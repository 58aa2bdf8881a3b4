import CleftTensor
import Foundation

/// Reads the files that `torch.save` writes (`.pth`, `.pt`, `.bin`, Lightning's `.ckpt`), those from before PyTorch 1.6
/// included.
///
/// The file is mapped, nothing in it is executed, and contiguous float32 tensors are views of the mapping. Tensors are
/// those of the dictionary itself, or of the first of its entries `weightsNames` that holds some.
public struct TorchArchive: WeightsFile {
  /// Entries of the top dictionary under which training programs keep the weights.
  public static let weightsNames = ["state_dict", "model", "teacher", "module", "net"]
  /// Where the file lies.
  public let path: String
  /// Tensors by key.
  public let entries: [String: TensorEntry]
  /// Names of the top dictionary's entries, in order; `value` gives what stands under them.
  public let valueNames: [String]
  private let file: MappedFile
  private let document: PickleDocument
  private let tensors: [String: PickleHeap.TensorReference]

  /// Maps a file and checks that every tensor lies within its storage.
  ///
  /// - Throws: `FormatError.missing`, or `.malformed` naming the member, the tensor or the call that is refused.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    file = try MappedFile(path)
    let start = UnsafeRawBufferPointer(start: file.base, count: min(file.count, 64))
    let members: [String: ZipDirectory.Member]
    var prefix = ""
    if LegacyTorchFile.begins(start) {
      let legacy = try LegacyTorchFile(file)
      (document, members) = (legacy.document, legacy.members)
    } else {
      members = try ZipDirectory(file).members
      let folder = try Self.folder(members, path)
      (document, prefix) = (try Self.pickle(file, members, folder), folder + "data/")
    }
    var entries: [String: TensorEntry] = [:]
    var tensors: [String: PickleHeap.TensorReference] = [:]
    for (key, tensor) in Self.stateDict(document) {
      guard let storage = members[prefix + tensor.storage.key], let entry = Self.entry(tensor, storage) else {
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
    var known: Set<String> = []
    valueNames = document.heap.named(document.root).map(\.name).filter { known.insert($0).inserted }
  }

  /// What stands under a name in the top dictionary, for example `hyper_parameters`; nil if there is no such name.
  public func value(_ name: String) -> TorchValue? {
    guard let entry = document.heap.named(document.root).last(where: { $0.name == name }) else { return nil }
    var builder = TorchValueBuilder(document.heap)
    return builder.value(entry.value)
  }

  /// The file's stamp when it was opened; nil for a key that it does not have.
  public func stamp(of key: String) -> FileStamp? { entries[key] == nil ? nil : file.stamp }

  /// A tensor as float32; strides are honored.
  public func tensor(_ key: String) throws(FormatError) -> Tensor {
    let (entry, view) = try find(key)
    if entry.dtype == .float32, view.isContiguous, entry.offset % 4 == 0 {
      return Tensor(entry.shape, storage: file.storage(at: entry.offset, byteCount: entry.byteCount))
    }
    let source = UnsafeRawPointer(file.base + entry.offset)
    let result = Tensor(uninitialized: entry.shape)
    result.withMutablePointer { out in
      if view.isContiguous {
        Conversion.widen(source, entry.dtype, count: entry.shape.count, into: out)
      } else {
        Conversion.gather(
          source, entry.dtype, sizes: view.sizes, strides: view.strides, into: out)
      }
    }
    return result
  }

  /// An integer tensor's values in row-major order.
  public func integers(_ key: String) throws(FormatError) -> [Int] {
    let (entry, view) = try find(key)
    let source = UnsafeRawPointer(file.base + entry.offset)
    guard let numbers = Conversion.integers(source, entry.dtype, sizes: view.sizes, strides: view.strides)
    else {
      throw .malformed(
        Problem("\(path): \(key)", found: "type \(entry.dtype.rawValue)", expected: "integers"))
    }
    return numbers
  }

  private func find(_ key: String) throws(FormatError) -> (TensorEntry, PickleHeap.TensorReference) {
    guard let entry = entries[key], let view = tensors[key] else { throw noSuchTensor(key) }
    return (entry, view)
  }

  // MARK: - Opening

  /// The archive's top folder, with its slash.
  private static func folder(
    _ members: [String: ZipDirectory.Member], _ path: String
  ) throws(FormatError) -> String {
    let pickles = members.keys.filter { $0.hasSuffix("/data.pkl") }
    guard let pickle = pickles.min(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) else {
      throw .malformed(
        Problem(path, found: "a zip archive without data.pkl", expected: "a PyTorch checkpoint"))
    }
    let folder = String(pickle.dropLast("data.pkl".count))
    if members.keys.contains(where: { $0.hasPrefix(folder + "code/") }) {
      throw .malformed(
        Problem(
          path, found: "a TorchScript program", expected: "a PyTorch checkpoint",
          hint: "Save its state_dict with torch.save."))
    }
    return folder
  }

  private static func pickle(
    _ file: MappedFile, _ members: [String: ZipDirectory.Member], _ folder: String
  ) throws(FormatError) -> PickleDocument {
    if let order = members[folder + "byteorder"] {
      let bytes = UnsafeRawBufferPointer(start: file.base + order.offset, count: min(order.byteCount, 16))
      let text = String(decoding: bytes, as: UTF8.self)
      guard text == "little" else {
        throw .malformed(Problem(file.path, found: "byte order \(text)", expected: "little"))
      }
    }
    guard let member = members[folder + "data.pkl"] else {
      return PickleDocument(root: .none, heap: PickleHeap())
    }
    return try Unpickler.read(
      UnsafeRawBufferPointer(start: file.base + member.offset, count: member.byteCount), path: file.path)
  }

  /// The tensors of the dictionary that holds the weights.
  private static func stateDict(_ document: PickleDocument) -> [(String, PickleHeap.TensorReference)] {
    let heap = document.heap
    func tensors(_ dictionary: PickleValue) -> [(String, PickleHeap.TensorReference)] {
      heap.named(dictionary).compactMap { name, value in
        guard case .tensor(let index) = value else { return nil }
        return (name, heap.tensors[index])
      }
    }
    // One level deep only: a hostile dictionary may hold itself.
    let top = heap.named(document.root)
    for name in weightsNames {
      if let value = top.last(where: { $0.name == name })?.value {
        let found = tensors(value)
        if !found.isEmpty { return found }
      }
    }
    return tensors(document.root)
  }

  /// Where a tensor starts and what shape it has; nil if an element would lie outside its storage.
  private static func entry(
    _ tensor: PickleHeap.TensorReference, _ storage: ZipDirectory.Member
  ) -> TensorEntry? {
    let size = tensor.storage.dtype.byteCount
    let (first, overflow) = tensor.storage.start.addingReportingOverflow(tensor.offset)
    guard tensor.offset >= 0, !overflow, tensor.strides.allSatisfy({ $0 >= 0 }) else { return nil }
    let count = tensor.sizes.reduce(1, *)
    let available = storage.byteCount / size
    guard count > 0 else {
      return TensorEntry(
        dtype: tensor.storage.dtype, shape: Shape(tensor.sizes), offset: storage.offset)
    }
    var last = first
    for (extent, stride) in zip(tensor.sizes, tensor.strides) {
      let (reach, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (sum, sumOverflow) = last.addingReportingOverflow(reach)
      if overflow || sumOverflow { return nil }
      last = sum
    }
    // A tensor may repeat elements, but not make a small file fill the memory.
    guard last < available, count <= max(available, 1 << 22) else { return nil }
    return TensorEntry(
      dtype: tensor.storage.dtype, shape: Shape(tensor.sizes), offset: storage.offset + first * size)
  }
}

extension PickleHeap.TensorReference {
  /// Whether the elements lie one after the other in row-major order.
  var isContiguous: Bool {
    if sizes.contains(0) { return true }
    var expected = 1
    for (extent, stride) in zip(sizes, strides).reversed() where extent != 1 {
      if stride != expected { return false }
      expected *= extent
    }
    return true
  }
}
