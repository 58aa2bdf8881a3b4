import Glibc
import Synchronization

/// A block of 64-byte-aligned memory, from the pool or lent by an owner such as a mapped file.
///
/// The one type here that may cross threads unchecked: the block is plain bytes, and who writes when is the
/// business of the operation that allocated it.
public final class Storage: @unchecked Sendable {
  /// Usable bytes.
  public let byteCount: Int
  private let owner: AnyObject?
  /// Whether the bytes can be read from a file again.
  private let isFileBacked: Bool
  /// The same values in bfloat16, written once; the float32 ones are made from them when somebody asks.
  let halves: Storage?
  private let address: Atomic<UInt>
  private let block: Mutex<MemoryPool.Block?>

  /// Takes a block from the pool; its contents are undefined.
  init(byteCount: Int) {
    self.byteCount = byteCount
    let block = MemoryPool.shared.take(byteCount)
    address = Atomic(UInt(bitPattern: block.base))
    self.block = Mutex(block)
    owner = nil
    isFileBacked = false
    halves = nil
  }

  /// Float32 values that are there in bfloat16.
  init(halves: Storage) {
    self.halves = halves
    byteCount = 2 * halves.byteCount
    address = Atomic(0)
    block = Mutex(nil)
    owner = nil
    isFileBacked = false
  }

  /// First byte.
  public var base: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: address.load(ordering: .acquiring)) ?? widened()
  }

  private func widened() -> UnsafeMutableRawPointer {
    block.withLock { block in
      if let block { return UInt(bitPattern: block.base) }
      guard let halves else { preconditionFailure("storage: no memory") }
      let made = MemoryPool.shared.take(byteCount)
      Kernels.convert(
        halves.base.assumingMemoryBound(to: BFloat16.self),
        into: made.base.assumingMemoryBound(to: Float.self), count: byteCount / 4)
      address.store(UInt(bitPattern: made.base), ordering: .releasing)
      block = made
      return UInt(bitPattern: made.base)
    }.pointer
  }

  /// Refers to memory that lives as long as `owner`.
  ///
  /// Writing to it is up to the owner's rules.
  ///
  /// - Parameter isFileBacked: whether the bytes, if never written to, can be read from a file again.
  public init(
    lentBy owner: AnyObject, base: UnsafeMutableRawPointer, byteCount: Int, isFileBacked: Bool = false
  ) {
    self.isFileBacked = isFileBacked
    address = Atomic(UInt(bitPattern: base))
    self.byteCount = byteCount
    self.owner = owner
    block = Mutex(nil)
    halves = nil
  }

  /// Gives memory of a mapped file back; the next access reads the file again.
  ///
  /// Only for bytes that nobody has written to.
  public func forget() {
    guard isFileBacked else { return }
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let first = (UInt(bitPattern: base) + page - 1) / page * page
    let last = (UInt(bitPattern: base) + UInt(byteCount)) / page * page
    if first < last, let start = UnsafeMutableRawPointer(bitPattern: first) {
      madvise(start, Int(last - first), MADV_DONTNEED)
    }
  }

  deinit {
    if let block = block.withLock({ $0 }) { MemoryPool.shared.give(block) }
  }
}

extension UInt {
  /// The memory at this address, which is not 0.
  fileprivate var pointer: UnsafeMutableRawPointer {
    guard let pointer = UnsafeMutableRawPointer(bitPattern: self) else {
      preconditionFailure("storage: no memory")
    }
    return pointer
  }
}
