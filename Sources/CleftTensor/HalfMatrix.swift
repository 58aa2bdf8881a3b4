/// A matrix in bfloat16, an operand of products that sum in float32.
///
/// - Shapes: `[rows, columns]`, row-major.
public final class HalfMatrix: Sendable {
  /// Rows and columns.
  public let rows, columns: Int
  let storage: Storage
  /// Elements before the first one in `storage`.
  private let offset: Int

  init(uninitialized rows: Int, _ columns: Int) {
    (self.rows, self.columns, offset) = (rows, columns, 0)
    storage = Storage(byteCount: rows * columns * MemoryLayout<BFloat16>.stride)
  }

  /// Rounds a tensor to nearest, ties to even; all but its last axis count as rows.
  ///
  /// One that is in bfloat16 already is referred to, not copied.
  public init(rounding tensor: Tensor) {
    (rows, columns) = (tensor.shape.rows, tensor.shape.last)
    if let halves = tensor.storage.halves {
      (storage, offset) = (halves, tensor.offset)
      return
    }
    (storage, offset) = (Storage(byteCount: tensor.count * MemoryLayout<BFloat16>.stride), 0)
    with(tensor, self) { Kernels.convert($0, into: $1, count: tensor.count) }
  }

  /// The values as float32.
  public var widened: Tensor {
    let result = Tensor(uninitialized: [rows, columns])
    with(result, self) { Kernels.convert($1, into: $0, count: result.count) }
    return result
  }

  /// The same memory as a tensor.
  public var tensor: Tensor { tensor([rows, columns]) }

  /// The same memory as a tensor of that many elements.
  func tensor(_ shape: Shape) -> Tensor {
    Tensor(shape: shape, storage: Storage(halves: storage), offset: offset)
  }

  /// The elements as C libraries take them.
  var bits: UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt16.self)
  }

  var pointer: UnsafeMutablePointer<BFloat16> {
    storage.base.assumingMemoryBound(to: BFloat16.self) + offset
  }
}

@inline(__always)
func with<R>(
  _ a: Tensor, _ b: HalfMatrix,
  _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<BFloat16>) -> R
) -> R {
  withExtendedLifetime((a.storage, b)) { body(a.pointer, b.pointer) }
}
