import Glibc
import Synchronization

/// Keeps freed blocks and hands them out again, so that a training loop stops asking the system for memory.
///
/// Blocks come in size classes, four to a power of two. Blocks of 1 MiB and more start on a 2 MiB boundary with
/// huge pages advised, so that a fresh one costs few page faults.
final class MemoryPool: Sendable {
  static let shared = MemoryPool()

  private struct State {
    var free: [Int: [UInt]] = [:]
    var systemAllocations = 0
    var systemBytes = 0
  }

  private let state = Mutex(State())
  private static let largeBlock = 1 << 20
  private static let hugePage = 2 << 20

  /// Blocks taken from the system so far, and their bytes.
  var systemUse: (allocations: Int, bytes: Int) { state.withLock { ($0.systemAllocations, $0.systemBytes) } }

  /// A block and its size, which `give` wants back.
  struct Block {
    let base: UnsafeMutableRawPointer
    let size: Int
  }

  /// A block of at least `byteCount` bytes: a freed one of its class or of the next four, or a fresh one.
  ///
  /// Looking further than its own class keeps batches of varying length from asking the system again and again.
  func take(_ byteCount: Int) -> Block {
    let size = Self.classSize(byteCount)
    let reused = state.withLock { state -> (address: UInt, size: Int)? in
      var candidate = size
      for _ in 0..<5 {
        if let address = state.free[candidate]?.popLast() { return (address, candidate) }
        candidate = Self.classSize(candidate + 1)
      }
      state.systemAllocations += 1
      state.systemBytes += size
      return nil
    }
    if let reused, let pointer = UnsafeMutableRawPointer(bitPattern: reused.address) {
      return Block(base: pointer, size: reused.size)
    }
    let large = size >= Self.largeBlock
    var pointer: UnsafeMutableRawPointer?
    let failure = posix_memalign(&pointer, large ? Self.hugePage : 64, size)
    guard failure == 0, let pointer else { outOfMemory(size) }
    if large { madvise(pointer, size, MADV_HUGEPAGE) }
    return Block(base: pointer, size: size)
  }

  func give(_ block: Block) {
    let address = UInt(bitPattern: block.base)
    state.withLock { $0.free[block.size, default: []].append(address) }
  }

  /// The smallest class that holds `byteCount` bytes.
  static func classSize(_ byteCount: Int) -> Int {
    let wanted = max(byteCount, 64)
    let top = Int.bitWidth - 1 - wanted.leadingZeroBitCount
    let step = max(1 << max(top - 2, 0), 64)
    return (wanted + step - 1) / step * step
  }

  private func outOfMemory(_ size: Int) -> Never {
    let text =
      "cleft: out of memory: \(size >> 20) MiB could not be had from the system. "
      + "Lower --batch_size, or turn on --grad_ckpt.\n"
    text.withCString { _ = write(2, $0, strlen($0)) }
    exit(74)
  }
}
