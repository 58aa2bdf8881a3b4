/// A matrix in bfloat16, an operand of products that sum in float32.
///
/// - Shapes: `[rows, columns]`, row-major.
public final class HalfMatrix: Sendable {
  /// Rows and columns.
  public let rows, columns: Int
  let storage: Storage

  /// Rounds a tensor to nearest, ties to even; all but its last axis count as rows.
  public init(rounding tensor: Tensor) {
    (rows, columns) = (tensor.shape.rows, tensor.shape.last)
    storage = Storage(byteCount: tensor.count * MemoryLayout<UInt16>.stride)
    let (count, target) = (tensor.count, storage.base.assumingMemoryBound(to: UInt16.self))
    tensor.read { source in
      parallel(count, grain: 1 << 16) { range in
        for i in range { target[i] = roundedToHalf(source[i]) }
      }
    }
  }

  /// The values as float32.
  public var widened: Tensor {
    let result = Tensor(uninitialized: [rows, columns])
    let count = result.count
    withExtendedLifetime(storage) {
      result.withMutablePointer { target in
        let source = pointer
        parallel(count, grain: 1 << 16) { range in
          for i in range { target[i] = Float(bitPattern: UInt32(source[i]) << 16) }
        }
      }
    }
    return result
  }

  var pointer: UnsafeMutablePointer<UInt16> { storage.base.assumingMemoryBound(to: UInt16.self) }
}

/// The nearest bfloat16, without branches; what is not a number stays so.
@inline(__always)
private func roundedToHalf(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16
  let isNumber = bits & 0x7FFF_FFFF <= 0x7F80_0000
  return UInt16(truncatingIfNeeded: isNumber ? rounded : (bits >> 16) | 0x40)
}
