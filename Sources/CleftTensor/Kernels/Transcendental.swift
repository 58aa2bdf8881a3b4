/// Loops over memory.
///
/// Everything here works on raw pointers, allocates nothing and knows no tensors.
enum Kernels {}

// Branch-free scalar functions: called in a plain loop over pointers, LLVM turns the loop into vector code.

/// `eˣ`, relative error below 2e-7; arguments are held to [-87, 88].
@inline(__always)
func fastExp(_ x: Float) -> Float {
  let low = x < -87 ? -87 : x
  let held = low > 88 ? 88 : low
  let shifted = (held * 1.442_695_04).addingProduct(1, 12_582_912)  // round to nearest by the size of the sum
  let n = shifted - 12_582_912
  var r = held.addingProduct(n, -0.693_145_752)
  r = r.addingProduct(n, -1.428_606_8e-6)
  var p: Float = 1.388_888_9e-3
  p = (8.333_333_8e-3 as Float).addingProduct(p, r)
  p = (4.166_666_8e-2 as Float).addingProduct(p, r)
  p = (1.666_666_7e-1 as Float).addingProduct(p, r)
  p = (0.5 as Float).addingProduct(p, r)
  p = (1 as Float).addingProduct(p, r)
  p = (1 as Float).addingProduct(p, r)
  let exponent = (shifted.bitPattern &- 0x4B40_0000) << 23
  return Float(bitPattern: p.bitPattern &+ exponent)
}

/// The error function, absolute error below 1e-7 (two minimax polynomials, chosen by a mask).
@inline(__always)
func fastErf(_ x: Float) -> Float {
  let t = x.magnitude
  let s = x * x
  var far: Float = -1.728_534_7e-5
  far = (3.831_971_26e-4 as Float).addingProduct(far, t)
  let u = (2.425_462_19e-2 as Float).addingProduct(-3.883_964_38e-3, t)
  far = u.addingProduct(far, s)
  far = (-1.067_778_77e-1 as Float).addingProduct(far, t)
  far = (-6.348_466_87e-1 as Float).addingProduct(far, t)
  far = (-1.287_175_12e-1 as Float).addingProduct(far, t)
  far = (-t).addingProduct(far, t)
  let outer = Float(bitPattern: (1 - fastExp(far)).bitPattern | (x.bitPattern & 0x8000_0000))
  var near: Float = -5.967_617_03e-4
  near = (4.991_194_23e-3 as Float).addingProduct(near, s)
  near = (-2.676_813_49e-2 as Float).addingProduct(near, s)
  near = (1.128_199_25e-1 as Float).addingProduct(near, s)
  near = (-3.761_253_36e-1 as Float).addingProduct(near, s)
  near = (1.283_791_66e-1 as Float).addingProduct(near, s)
  near = x.addingProduct(near, x)
  return t > 0.927_734_375 ? outer : near
}

/// The hyperbolic tangent, absolute error below 2e-7.
@inline(__always)
func fastTanh(_ x: Float) -> Float { 1 - 2 / (fastExp(2 * x) + 1) }

/// 32 well-mixed bits from 32 bits.
@inline(__always)
func mix32(_ value: UInt32) -> UInt32 {
  var h = value
  h = (h ^ (h >> 16)) &* 0x21F0_AAAD
  h = (h ^ (h >> 15)) &* 0x735A_2D97
  return h ^ (h >> 15)
}

/// Which elements dropout keeps: one decision an element, from a key, a row and a column.
struct DropoutMask {
  let key: RandomKey
  let threshold: UInt32
  let keptScale: Float

  init(key: RandomKey, probability: Float) {
    self.key = key
    threshold = UInt32(min(Double(probability) * 4_294_967_296, 4_294_967_295))
    keptScale = 1 / (1 - probability)
  }

  @inline(__always)
  func rowKey(_ row: Int) -> UInt32 { UInt32(truncatingIfNeeded: key.bits(at: row) >> 32) }

  /// 0 for a dropped element, 1 / (1 - p) for a kept one.
  @inline(__always)
  func factor(_ rowKey: UInt32, _ column: UInt32) -> Float {
    mix32(column &* 0x9E37_79B9 &+ rowKey) < threshold ? 0 : keptScale
  }
}
