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

  func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let size = Self.classSize(byteCount)
    let reused = state.withLock { state -> UInt? in
      if let address = state.free[size]?.popLast() { return address }
      state.systemAllocations += 1
      state.systemBytes += size
      return nil
    }
    if let reused, let pointer = UnsafeMutableRawPointer(bitPattern: reused) { return pointer }
    let large = size >= Self.largeBlock
    var pointer: UnsafeMutableRawPointer?
    let failure = posix_memalign(&pointer, large ? Self.hugePage : 64, size)
    guard failure == 0, let pointer else { outOfMemory(size) }
    if large { madvise(pointer, size, MADV_HUGEPAGE) }
    return pointer
  }

  func give(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
    let address = UInt(bitPattern: pointer)
    state.withLock { $0.free[Self.classSize(byteCount), default: []].append(address) }
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
