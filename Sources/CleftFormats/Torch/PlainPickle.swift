import CleftTensor
import Foundation

/// Pickles of plain values, as `pickle.dump` writes lists and dictionaries of numbers and texts.
///
/// Nothing in a file is executed. Protocols 0 to 5 are read, and a numpy number counts as a number. Protocol 2 is
/// written, which every Python since 2.3 reads.
public enum PlainPickle {
  /// Reads the value of a file.
  ///
  /// - Throws: `FormatError.missing`, or `.malformed` if the pickle calls anything or holds what has no plain form.
  public static func read(_ path: String) throws(FormatError) -> TorchValue {
    let file = try MappedFile(path)
    let bytes = UnsafeRawBufferPointer(start: file.base, count: file.count)
    do {
      let document = try Unpickler.read(bytes, path: path)
      // Values that are referred to twice are copied twice; a hostile file would have itself copied without end.
      var reader = PlainReader(heap: document.heap, path: path, remaining: 200_000 + file.count)
      return try reader.value(document.root)
    } catch let .malformed(problem) {
      throw .malformed(
        Problem(
          problem.location, found: problem.found, expected: expectation,
          hint: "Nothing was executed. Write it again with pickle.dump, as a dictionary of plain values."))
    }
  }

  /// Writes a value: atomically, under protocol 2.
  ///
  /// - Throws: `FormatError.malformed` for values without a plain form, `.system` if the file cannot be written.
  public static func write(_ value: TorchValue, to path: String) throws(FormatError) {
    var pickler = Pickler()
    guard pickler.write(value) else {
      throw .malformed(Problem(path, found: "a value that cannot be written", expected: expectation))
    }
    try FileSystem.write(pickler.finished, to: path)
  }

  private static let expectation = "a pickle of plain values (dictionaries, lists, numbers, texts)"
}

/// Copies values out of a pickle; anything without a plain form is an error.
private struct PlainReader {
  let heap: PickleHeap
  let path: String
  /// Values that may still be copied.
  var remaining: Int
  private static let depthLimit = 64

  init(heap: PickleHeap, path: String, remaining: Int) {
    self.heap = heap
    self.path = path
    self.remaining = remaining
  }

  mutating func value(_ value: PickleValue, depth: Int = 0) throws(FormatError) -> TorchValue {
    remaining -= 1
    guard remaining > 0, depth < Self.depthLimit else { throw refused("values nested without end") }
    switch value {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .float(let value): return .double(value)
    case .string(let value): return .string(value)
    case .tuple(let node), .list(let node): return .list(try items(node, depth))
    case .dictionary(let node), .namespace(let node):
      let items = try items(node, depth)
      return .dictionary(
        stride(from: 0, to: items.count - 1, by: 2).map { TorchValue.Entry(items[$0], items[$0 + 1]) })
    case .wide(let text): throw refused("the number \(text.prefix(40)), of more than 64 bits")
    case .global(let name): throw refused("the name \(name)")
    case .bytes(let bytes): throw refused("\(bytes.count) bytes that are no text")
    case .numpyType: throw refused("a numpy type")
    case .storage, .tensor: throw refused("a tensor")
    }
  }

  private mutating func items(_ node: Int, _ depth: Int) throws(FormatError) -> [TorchValue] {
    var items: [TorchValue] = []
    items.reserveCapacity(heap.nodes[node].count)
    for item in heap.nodes[node] { items.append(try value(item, depth: depth + 1)) }
    return items
  }

  private func refused(_ what: String) -> FormatError {
    .malformed(Problem(path, found: "a pickle with \(what)"))
  }
}
