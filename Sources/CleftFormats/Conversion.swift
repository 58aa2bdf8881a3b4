import CleftTensor
import Dispatch

/// Numbers of a file's type from and to float32.
///
/// Every type has a plain loop without branches, which the compiler vectorizes; long ones are cut into ranges and spread
/// over the thread budget. A result does not depend on the number of threads.
enum Conversion {
  /// Elements below which another thread is not worth its start.
  private static let grain = 1 << 18

  /// Consecutive elements as float32.
  static func widen(
    _ source: UnsafeRawPointer, _ dtype: DType, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    // The ranges are disjoint, and the call returns only when all are done.
    nonisolated(unsafe) let (source, target) = (source, target)
    let parts = min(Runtime.threadCount, max(1, count / grain))
    if parts == 1 { return widenRange(source, dtype, 0..<count, target) }
    DispatchQueue.concurrentPerform(iterations: parts) { part in
      widenRange(source, dtype, part * count / parts..<(part + 1) * count / parts, target)
    }
  }

  private static func widenRange(
    _ source: UnsafeRawPointer, _ dtype: DType, _ range: Range<Int>, _ target: UnsafeMutablePointer<Float>
  ) {
    convert(source, dtype, step: nil, range, target)
  }

  /// One loop for each type; `step` is the distance of elements in bytes, nil if they lie side by side.
  @inline(__always)
  private static func convert(
    _ source: UnsafeRawPointer, _ dtype: DType, step: Int?, _ range: Range<Int>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    switch dtype {
    case .float32: loop(source, step, range, target) { (value: Float) in value }
    case .float64: loop(source, step, range, target) { (value: Double) in Float(value) }
    case .float16: loop(source, step, range, target) { (bits: UInt16) in float(fromFloat16: bits) }
    // Spelled out: a function of another module may stay a call, and the loop then is no vector code.
    case .bfloat16:
      loop(source, step, range, target) { (bits: UInt16) in Float(bitPattern: UInt32(bits) << 16) }
    case .int64: loop(source, step, range, target) { (value: Int64) in Float(value) }
    case .int32: loop(source, step, range, target) { (value: Int32) in Float(value) }
    case .int16: loop(source, step, range, target) { (value: Int16) in Float(value) }
    case .int8: loop(source, step, range, target) { (value: Int8) in Float(value) }
    case .uint8, .bool: loop(source, step, range, target) { (value: UInt8) in Float(value) }
    }
  }

  @inline(__always)
  private static func loop<Value: BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ step: Int?, _ range: Range<Int>, _ target: UnsafeMutablePointer<Float>,
    _ convert: (Value) -> Float
  ) {
    let step = step ?? MemoryLayout<Value>.stride
    for i in range {
      target[i] = convert(source.loadUnaligned(fromByteOffset: i &* step, as: Value.self))
    }
  }

  /// Elements of a view with strides, in row-major order.
  static func gather(
    _ source: UnsafeRawPointer, _ dtype: DType, sizes: [Int], strides: [Int],
    into target: UnsafeMutablePointer<Float>
  ) {
    let (inner, step) = (sizes.last ?? 1, (strides.last ?? 1) * dtype.byteCount)
    var place = 0
    eachRow(sizes, strides) { offset in
      convert(source + offset * dtype.byteCount, dtype, step: step, 0..<inner, target + place)
      place += inner
    }
  }

  /// Integers of a view with strides, in row-major order; nil if the type is not one of integers.
  static func integers(
    _ source: UnsafeRawPointer, _ dtype: DType, sizes: [Int], strides: [Int]
  ) -> [Int]? {
    guard !dtype.isFloatingPoint else { return nil }
    var numbers: [Int] = []
    numbers.reserveCapacity(sizes.reduce(1, *))
    let (inner, step) = (sizes.last ?? 1, strides.last ?? 1)
    eachRow(sizes, strides) { offset in
      for i in 0..<inner {
        numbers.append(integer(source + (offset + i * step) * dtype.byteCount, dtype))
      }
    }
    return numbers
  }

  private static func integer(_ bytes: UnsafeRawPointer, _ dtype: DType) -> Int {
    switch dtype {
    case .int64: Int(bytes.loadUnaligned(as: Int64.self))
    case .int32: Int(bytes.loadUnaligned(as: Int32.self))
    case .int16: Int(bytes.loadUnaligned(as: Int16.self))
    case .int8: Int(bytes.load(as: Int8.self))
    default: Int(bytes.load(as: UInt8.self))
    }
  }

  /// Calls `body` with the first element of each row of a view.
  private static func eachRow(_ sizes: [Int], _ strides: [Int], _ body: (Int) -> Void) {
    let outer = sizes.dropLast()
    guard !sizes.contains(0) else { return }
    var index = [Int](repeating: 0, count: outer.count)
    var offset = 0
    for _ in 0..<outer.reduce(1, *) {
      body(offset)
      for axis in index.indices.reversed() {
        index[axis] += 1
        offset += strides[axis]
        if index[axis] < sizes[axis] { break }
        offset -= strides[axis] * sizes[axis]
        index[axis] = 0
      }
    }
  }
}

// MARK: - Narrowing

extension Conversion {
  /// Bytes of float32 numbers as `dtype`, rounded to nearest, ties to even.
  ///
  /// - Returns: false if a finite number is too large for the type and would have become infinite.
  static func narrow(
    _ source: UnsafePointer<Float>, count: Int, _ dtype: DType, into target: UnsafeMutableRawPointer
  ) -> Bool {
    switch dtype {
    case .bfloat16: return narrow(source, count, target, infinity: 0x7F80, bfloat16Bits)
    case .float16: return narrow(source, count, target, infinity: 0x7C00, float16Bits)
    default:
      preconditionFailure("narrow: \(dtype.rawValue) is not written")
    }
  }

  @inline(__always)
  private static func narrow(
    _ source: UnsafePointer<Float>, _ count: Int, _ target: UnsafeMutableRawPointer, infinity: UInt16,
    _ bits: (Float) -> UInt16
  ) -> Bool {
    let target = target.assumingMemoryBound(to: UInt16.self)
    var overflows: UInt32 = 0
    for i in 0..<count {
      let value = source[i]
      let narrowed = bits(value)
      target[i] = narrowed
      let isFinite: UInt32 = value.bitPattern & 0x7FFF_FFFF < 0x7F80_0000 ? 1 : 0
      overflows |= narrowed & 0x7FFF == infinity ? isFinite : 0
    }
    return overflows == 0
  }
}

/// The float32 with the value of a float16 bit pattern, without branches.
@inline(__always)
func float(fromFloat16 bits: UInt16) -> Float {
  let magnitude = UInt32(bits & 0x7FFF) << 13
  let exponent = magnitude & 0x0F80_0000
  // The exponent's bias goes from 15 to 127; infinities and NaN get the largest exponent of float32.
  let normal = magnitude &+ (exponent == 0x0F80_0000 ? 0x7000_0000 : 0x3800_0000)
  // Below the normal numbers the fraction counts in steps of 2^-24: subtracting 2^-14 leaves just that.
  let small = (Float(bitPattern: magnitude &+ 0x3880_0000) - Float(bitPattern: 0x3880_0000)).bitPattern
  return Float(bitPattern: (exponent == 0 ? small : normal) | UInt32(bits & 0x8000) << 16)
}

/// The nearest float16 to `value`, ties to even, as its bit pattern, without branches.
@inline(__always)
func float16Bits(_ value: Float) -> UInt16 {
  let magnitude = value.bitPattern & 0x7FFF_FFFF
  // Adding 0.5 leaves the fraction of a number below 2^-14 in the lowest bits, rounded by the addition itself.
  let small = (Float(bitPattern: min(magnitude, 0x3880_0000)) + 0.5).bitPattern &- 0x3F00_0000
  let normal = (min(magnitude, 0x4780_0000) &+ 0xC800_0FFF &+ ((magnitude >> 13) & 1)) >> 13
  let special: UInt32 = magnitude > 0x7F80_0000 ? 0x7E00 : 0x7C00
  let bits = magnitude >= 0x4780_0000 ? special : (magnitude < 0x3880_0000 ? small : normal)
  return UInt16(truncatingIfNeeded: bits | (value.bitPattern >> 16) & 0x8000)
}
