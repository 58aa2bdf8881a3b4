/// A contiguous row-major array of numbers with a place in the tape: float32, or under `--precision bf16-true` bfloat16 where
/// one product's result is the next one's factor.
///
/// A small value over shared, pooled `Storage`. Operations never change their inputs; an optimizer's step and the loading of
/// weights write in place.
public struct Tensor {
  /// Extents, slowest axis first.
  public let shape: Shape
  var storage: Storage
  /// Elements before the first one of this tensor in `storage`.
  let offset: Int
  /// Where gradients go; nil for a constant.
  package var node: Node?
  /// How to make the values again from what is kept anyway; nil where that is not cheap.
  var recipe: Recipe?

  init(shape: Shape, storage: Storage, offset: Int = 0, node: Node? = nil) {
    self.shape = shape
    self.storage = storage
    self.offset = offset
    self.node = node
  }

  /// A tensor with undefined contents, for an operation that writes every element.
  public init(uninitialized shape: Shape) {
    self.init(shape: shape, storage: Storage(byteCount: shape.count * MemoryLayout<Float>.stride))
  }

  /// A tensor in bfloat16 with undefined contents, to be written through `halfPointer`.
  init(halfUninitialized shape: Shape) {
    self.init(
      shape: shape,
      storage: Storage(halves: Storage(byteCount: shape.count * MemoryLayout<BFloat16>.stride)))
  }

  /// A tensor of another one's shape, in the form in which that lies in memory, with undefined contents.
  init(likeStored other: Tensor) {
    self = other.isHalf ? Tensor(halfUninitialized: other.shape) : Tensor(uninitialized: other.shape)
  }

  /// A tensor filled with one value.
  public init(_ shape: Shape, repeating value: Float = 0) {
    self.init(uninitialized: shape)
    pointer.update(repeating: value, count: shape.count)
  }

  /// A tensor from its elements in row-major order.
  public init(_ shape: Shape, _ elements: [Float]) {
    precondition(shape.count == elements.count, "tensor: \(elements.count) elements for shape [\(shape)]")
    self.init(uninitialized: shape)
    elements.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { pointer.update(from: base, count: elements.count) }
    }
  }

  /// A constant over memory lent by a file mapping or a loader.
  public init(_ shape: Shape, storage: Storage) {
    precondition(
      storage.byteCount >= shape.count * 4, "tensor: storage of \(storage.byteCount) bytes for [\(shape)]")
    self.init(shape: shape, storage: storage, offset: 0)
  }

  /// Number of elements.
  public var count: Int { shape.count }

  /// Whether gradients flow into this tensor.
  public var isTracked: Bool { node != nil }

  /// The elements in row-major order.
  public var array: [Float] { read { Array(UnsafeBufferPointer(start: $0, count: count)) } }

  /// The value of a tensor with one element.
  public var item: Float {
    precondition(count == 1, "item: shape [\(shape)] has \(count) elements")
    return read { $0[0] }
  }

  /// The same values, cut off from the tape.
  public var detached: Tensor { Tensor(shape: shape, storage: storage, offset: offset) }

  /// First element.
  ///
  /// Valid only while the tensor lives: use within `read` or `with`.
  @inline(__always) var pointer: UnsafeMutablePointer<Float> {
    (storage.base + offset * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
  }

  /// Whether the values lie in memory in bfloat16; whoever takes `pointer` then has them widened.
  var isHalf: Bool { storage.halves != nil }

  /// First element of a tensor in bfloat16.
  var halfPointer: UnsafeMutablePointer<BFloat16> {
    guard let halves = storage.halves else { preconditionFailure("tensor [\(shape)]: not in bfloat16") }
    return halves.base.assumingMemoryBound(to: BFloat16.self) + offset
  }

  /// Reads the elements in place.
  @inline(__always)
  public func read<Result>(_ body: (UnsafePointer<Float>) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(storage) { try body(UnsafePointer(pointer)) }
  }

  /// Lends the elements in place; every tensor that shares the storage sees what is written.
  ///
  /// Only float32 tensors may be written to: one in bfloat16 would keep its old values.
  @inline(__always)
  public func withMutablePointer<Result>(_ body: (UnsafeMutablePointer<Float>) throws -> Result) rethrows
    -> Result
  {
    try withExtendedLifetime(storage) { try body(pointer) }
  }

  /// The same elements under another shape.
  public func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.count == count, "reshape: [\(self.shape)] to [\(shape)]")
    guard let node else { return Tensor(shape: shape, storage: storage, offset: offset) }
    let old = self.shape
    return Tensor(shape: shape, storage: storage, offset: offset).recorded([node]) { gradient, sink in
      sink.add(0, Tensor(shape: old, storage: gradient.storage, offset: gradient.offset))
    }
  }

  /// Sum of the squares of all elements, in Double over blocks of 4,096.
  public var sumOfSquares: Double { read { Kernels.sumOfSquares($0, count: count) } }

  /// Gives the memory of a mapped file back; see `Storage.forget`.
  public func forget() { storage.forget() }

  /// A copy with storage of its own, cut off from the tape.
  public func copied() -> Tensor {
    let copy = Tensor(uninitialized: shape)
    with(self, copy) { source, target in target.update(from: source, count: count) }
    return copy
  }
}

@inline(__always)
func with<R>(
  _ a: Tensor, _ b: Tensor, _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> R
) -> R {
  withExtendedLifetime((a.storage, b.storage)) { body(a.pointer, b.pointer) }
}

@inline(__always)
func with<R>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor,
  _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> R
) -> R {
  withExtendedLifetime((a.storage, b.storage, c.storage)) { body(a.pointer, b.pointer, c.pointer) }
}

@inline(__always)
func with<R>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor, _ d: Tensor,
  _ body: (
    UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
    UnsafeMutablePointer<Float>
  ) -> R
) -> R {
  withExtendedLifetime((a.storage, b.storage, c.storage, d.storage)) {
    body(a.pointer, b.pointer, c.pointer, d.pointer)
  }
}

extension Tensor {
  /// Makes sure that the values are float32 in memory that nobody else refers to.
  mutating func makeWritable() {
    if isHalf || !isKnownUniquelyReferenced(&storage) { self = copied() }
  }
}

/// How to make a tensor's values again, to the same bits in float32, from what other operations keep anyway.
final class Recipe {
  let make: () -> Tensor

  init(_ make: @escaping () -> Tensor) { self.make = make }
}
