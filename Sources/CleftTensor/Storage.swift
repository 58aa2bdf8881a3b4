import Glibc

/// A block of 64-byte-aligned memory, from the pool or lent by an owner such as a mapped file.
///
/// The one type here that may cross threads unchecked: the block is plain bytes, and who writes when is the
/// business of the operation that allocated it.
public final class Storage: @unchecked Sendable {
  /// First byte.
  public let base: UnsafeMutableRawPointer
  /// Usable bytes.
  public let byteCount: Int
  private let owner: AnyObject?
  /// Whether the bytes can be read from a file again.
  private let isFileBacked: Bool
  private let block: MemoryPool.Block?

  /// Takes a block from the pool; its contents are undefined.
  init(byteCount: Int) {
    self.byteCount = byteCount
    let block = MemoryPool.shared.take(byteCount)
    base = block.base
    self.block = block
    owner = nil
    isFileBacked = false
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
    self.base = base
    self.byteCount = byteCount
    self.owner = owner
    block = nil
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
    if let block { MemoryPool.shared.give(block) }
  }
}
