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
  private let block: MemoryPool.Block?

  /// Takes a block from the pool; its contents are undefined.
  init(byteCount: Int) {
    self.byteCount = byteCount
    let block = MemoryPool.shared.take(byteCount)
    base = block.base
    self.block = block
    owner = nil
  }

  /// Refers to memory that lives as long as `owner`.
  ///
  /// Writing to it is up to the owner's rules.
  public init(lentBy owner: AnyObject, base: UnsafeMutableRawPointer, byteCount: Int) {
    self.base = base
    self.byteCount = byteCount
    self.owner = owner
    block = nil
  }

  deinit {
    if let block { MemoryPool.shared.give(block) }
  }
}
