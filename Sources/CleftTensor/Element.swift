/// A number as it lies in memory; loops compute with it in float32.
protocol Element: BitwiseCopyable {
  /// The nearest number, ties to even; what is not a number stays so.
  init(rounding value: Float)
  /// The number as float32.
  var widened: Float { get }
  /// Sixteen consecutive numbers as float32.
  static func lanes(_ pointer: UnsafeMutablePointer<Self>) -> SIMD16<Float>
}

extension Float: Element {
  @inline(__always)
  init(rounding value: Float) { self = value }

  @inline(__always)
  var widened: Float { self }

  @inline(__always)
  static func lanes(_ pointer: UnsafeMutablePointer<Float>) -> SIMD16<Float> { Kernels.load(pointer) }
}

/// The upper half of a float32: eight bits of exponent, seven of fraction.
struct BFloat16: Element {
  let bits: UInt16

  @inline(__always)
  init(rounding value: Float) {
    // Without branches, so that loops vectorize.
    let wide = value.bitPattern
    let rounded = (wide &+ 0x7FFF &+ ((wide >> 16) & 1)) >> 16
    let isNumber = wide & 0x7FFF_FFFF <= 0x7F80_0000
    bits = UInt16(truncatingIfNeeded: isNumber ? rounded : (wide >> 16) | 0x40)
  }

  @inline(__always)
  var widened: Float { Float(bitPattern: UInt32(bits) << 16) }

  @inline(__always)
  static func lanes(_ pointer: UnsafeMutablePointer<BFloat16>) -> SIMD16<Float> {
    let halves = UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<UInt16>.self)
    return unsafeBitCast(SIMD16<UInt32>(truncatingIfNeeded: halves) &<< 16, to: SIMD16<Float>.self)
  }
}

extension Kernels {
  /// The same numbers in another form.
  static func convert<From: Element, To: Element>(
    _ source: UnsafeMutablePointer<From>, into target: UnsafeMutablePointer<To>, count: Int
  ) {
    parallel(count, grain: 1 << 16) { range in
      for i in range { target[i] = To(rounding: source[i].widened) }
    }
  }
}
