import CleftTensor
import Foundation

/// The layout of files that `torch.save` wrote before PyTorch 1.6, and still writes on request.
///
/// Five pickles follow one another: a magic number, the protocol's version, facts about the machine, the object, and the
/// keys of its storages in the order in which their bytes follow; each storage is a count and that many elements.
/// - Source: PyTorch `torch/serialization.py`, `_legacy_save` and `_legacy_load`.
struct LegacyTorchFile {
  let document: PickleDocument
  /// Where each storage's elements lie, by key.
  let members: [String: ZipDirectory.Member]

  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let decimalMagic = Array("L119547037146038801333356L\n".utf8)

  /// Whether a file's first bytes are the pickled magic number, under any protocol.
  static func begins(_ start: UnsafeRawBufferPointer) -> Bool {
    if start.starts(with: decimalMagic) { return true }
    guard start.count >= 14, start[0] == 0x80, start[1] < 6 else { return false }
    // A frame's header, 9 bytes, may stand before the number.
    return [2, 11].contains { place in
      start.dropFirst(place).starts(with: [0x8A, 10]) && start.dropFirst(place + 2).starts(with: magic)
    }
  }

  init(_ file: MappedFile) throws(FormatError) {
    var cursor = PickleCursor(
      data: UnsafeRawBufferPointer(start: file.base, count: file.count), path: file.path)
    _ = try Unpickler.read(&cursor)
    guard case .int(1001) = try Unpickler.read(&cursor).root else {
      throw cursor.damaged("a protocol version")
    }
    let machine = try Unpickler.read(&cursor)
    for (name, value) in machine.heap.named(machine.root) where name == "little_endian" {
      guard case .bool(true) = value else {
        throw .malformed(Problem(file.path, found: "a big-endian file", expected: "a little-endian one"))
      }
    }
    document = try Unpickler.read(&cursor)
    let keys = try Unpickler.read(&cursor)
    guard case .list(let node) = keys.root else { throw cursor.damaged("storage keys") }
    var types: [String: DType] = [:]
    for storage in document.heap.storages { types[storage.key] = storage.dtype }
    var members: [String: ZipDirectory.Member] = [:]
    for item in keys.heap.nodes[node] {
      guard case .string(let key) = item, let dtype = types[key] else {
        throw cursor.damaged("a storage key")
      }
      let (size, overflow) = try cursor.unsigned(8).multipliedReportingOverflow(by: dtype.byteCount)
      guard !overflow, size <= file.count - cursor.place else {
        throw .malformed(
          Problem(
            "\(file.path): storage \(key)", found: "fewer bytes than its count says",
            expected: "a whole file", hint: "Fetch or write it again."))
      }
      members[key] = ZipDirectory.Member(offset: cursor.place, byteCount: size)
      _ = try cursor.take(size)
    }
    self.members = members
  }
}
