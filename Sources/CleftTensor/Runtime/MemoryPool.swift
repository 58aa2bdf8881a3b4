import Glibc
import Synchronization

/// Keeps freed blocks and hands them out again, so that a training loop stops asking the system for memory.
final class MemoryPool: Sendable {
  static let shared = MemoryPool()

  private let arena = Mutex(MemoryArena())

  /// Slabs taken from the system so far, and their bytes.
  var systemUse: (allocations: Int, bytes: Int) { arena.withLock { ($0.slabCount, $0.slabBytes) } }

  /// A block, which `give` wants back.
  struct Block {
    let base: UnsafeMutableRawPointer
    fileprivate let span: Int
  }

  /// A block of at least `byteCount` bytes with undefined contents, on a 1 KiB boundary.
  func take(_ byteCount: Int) -> Block {
    let (address, span) = arena.withLock { arena in
      // Asked for under the lock: two threads in need of one slab take one.
      arena.take(byteCount) ?? arena.takeFresh(byteCount)
    }
    guard let base = UnsafeMutableRawPointer(bitPattern: address) else {
      preconditionFailure("memory pool: no address for \(byteCount) bytes")
    }
    return Block(base: base, span: span)
  }

  func give(_ block: Block) { arena.withLock { $0.give(block.span) } }
}

/// Slabs of memory, cut into spans that lie side by side.
///
/// Slabs are 32 MiB or as large as one block needs, on 2 MiB boundaries with huge pages advised, so that a fresh one costs few
/// page faults. A block is cut from the free span that fits about best and joined again with free neighbors when it is given
/// back: what the activations of a step leave behind serves its gradients, and batches of varying length find their place.
package struct MemoryArena {
  /// Spans know their neighbors in memory, and free ones those of about equal size.
  private struct Span {
    var address: UInt
    var units: Int
    var isFree = false
    var before = MemoryArena.none
    var after = MemoryArena.none
    var previous = MemoryArena.none
    var next = MemoryArena.none
  }

  package private(set) var slabCount = 0
  package private(set) var slabBytes = 0
  private var spans: [Span] = []
  /// Places in `spans` that are free to be used again.
  private var unused: [Int] = []
  /// First free span of each bin, sixteen bins to a power of two.
  private var heads = [Int](repeating: none, count: 512)
  /// Which bins have a span.
  private var filled = [UInt64](repeating: 0, count: 8)

  private static let none = -1
  private static let unit = 1 << 10
  private static let hugePage = 2 << 20
  private static let slab = 32 << 20

  package init() {}

  /// Address and number of a free span cut to size; nil where none is large enough.
  package mutating func take(_ byteCount: Int) -> (UInt, Int)? {
    let units = max(1, (byteCount + Self.unit - 1) / Self.unit)
    guard let span = fitting(units) else { return nil }
    unlink(span)
    cut(span, to: units)
    return (spans[span].address, span)
  }

  /// The same from a new slab.
  package mutating func takeFresh(_ byteCount: Int) -> (UInt, Int) {
    addSlab(for: byteCount)
    guard let taken = take(byteCount) else { preconditionFailure("memory arena: \(byteCount) bytes") }
    return taken
  }

  package mutating func give(_ span: Int) {
    var span = span
    let (before, after) = (spans[span].before, spans[span].after)
    if after != Self.none, spans[after].isFree {
      unlink(after)
      join(span, after)
    }
    if before != Self.none, spans[before].isFree {
      unlink(before)
      join(before, span)
      span = before
    }
    link(span)
  }

  // MARK: - Spans

  /// Makes what lies behind the first `units` a span of its own.
  private mutating func cut(_ span: Int, to units: Int) {
    let rest = spans[span].units - units
    if rest == 0 { return }
    let after = spans[span].after
    let made = add(
      Span(
        address: spans[span].address + UInt(units * Self.unit), units: rest, before: span, after: after))
    if after != Self.none { spans[after].before = made }
    spans[span].after = made
    spans[span].units = units
    link(made)
  }

  /// Makes one span of two neighbors.
  private mutating func join(_ first: Int, _ second: Int) {
    spans[first].units += spans[second].units
    let after = spans[second].after
    spans[first].after = after
    if after != Self.none { spans[after].before = first }
    unused.append(second)
  }

  private mutating func add(_ span: Span) -> Int {
    if let place = unused.popLast() {
      spans[place] = span
      return place
    }
    spans.append(span)
    return spans.count - 1
  }

  private mutating func addSlab(for byteCount: Int) {
    let size = max(Self.slab, (byteCount + Self.hugePage - 1) / Self.hugePage * Self.hugePage)
    var pointer: UnsafeMutableRawPointer?
    guard posix_memalign(&pointer, Self.hugePage, size) == 0, let pointer else { Self.outOfMemory(size) }
    madvise(pointer, size, MADV_HUGEPAGE)
    slabCount += 1
    slabBytes += size
    link(add(Span(address: UInt(bitPattern: pointer), units: size / Self.unit)))
  }

  // MARK: - Free spans by size

  private static func bin(_ units: Int) -> Int {
    if units < 16 { return units }
    let top = Int.bitWidth - 1 - units.leadingZeroBitCount
    return 16 * (top - 3) + (units >> (top - 4)) & 15
  }

  /// A free span of at least `units`: from the bin of that size if a look finds one, else the first of a larger bin.
  private func fitting(_ units: Int) -> Int? {
    let own = Self.bin(units)
    var span = heads[own]
    var looks = 0
    while span != Self.none, looks < 32 {
      if spans[span].units >= units { return span }
      span = spans[span].next
      looks += 1
    }
    var word = (own + 1) / 64
    guard word < filled.count else { return nil }
    var bits = filled[word] & ~0 << UInt64((own + 1) % 64)
    while bits == 0 {
      word += 1
      if word == filled.count { return nil }
      bits = filled[word]
    }
    return heads[64 * word + bits.trailingZeroBitCount]
  }

  private mutating func link(_ span: Int) {
    let bin = Self.bin(spans[span].units)
    let head = heads[bin]
    spans[span].isFree = true
    spans[span].previous = Self.none
    spans[span].next = head
    if head != Self.none { spans[head].previous = span }
    heads[bin] = span
    filled[bin / 64] |= 1 << UInt64(bin % 64)
  }

  private mutating func unlink(_ span: Int) {
    let (previous, next) = (spans[span].previous, spans[span].next)
    spans[span].isFree = false
    if next != Self.none { spans[next].previous = previous }
    if previous != Self.none {
      spans[previous].next = next
      return
    }
    let bin = Self.bin(spans[span].units)
    heads[bin] = next
    if next == Self.none { filled[bin / 64] &= ~(1 << UInt64(bin % 64)) }
  }

  private static func outOfMemory(_ size: Int) -> Never {
    let text =
      "cleft: out of memory: \(size >> 20) MiB could not be had from the system. "
      + "Lower --batch_size, or turn on --grad_ckpt.\n"
    text.withCString { _ = write(2, $0, strlen($0)) }
    exit(74)
  }
}
