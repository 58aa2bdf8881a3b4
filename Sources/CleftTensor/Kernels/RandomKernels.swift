/// Random values, element for element those that `RandomGenerator` draws one after the other.
///
/// A normal draw is first estimated in a loop that becomes vector code. The estimate decides the float32 nearest to the
/// draw, except close to the middle between two of them; there the draw itself is made, so that every bit is the
/// generator's.
extension Kernels {
  /// Draws estimated at a time: few enough to stay in the nearest cache.
  static let randomBlock = 512

  /// `low + (high - low) · u` for the numbers `range` of a stream, to `out[0]` and on.
  static func uniform(
    _ out: UnsafeMutablePointer<Float>, _ range: Range<Int>, _ key: RandomKey, low: Double, high: Double
  ) {
    let (bits, width, first) = (key.bits, high - low, UInt64(truncatingIfNeeded: range.lowerBound))
    for i in 0..<range.count {
      out[i] = Float(low + width * uniformNumber(bits, first &+ UInt64(truncatingIfNeeded: i)))
    }
  }

  /// The normal draws `range` of a stream times `deviation`, to `out[0]` and on.
  static func normal(
    _ out: UnsafeMutablePointer<Float>, _ range: Range<Int>, _ key: RandomKey, deviation: Float
  ) {
    eachBlock(of: range, key) { draws, start, count in
      let target = out + (start - range.lowerBound)
      for i in 0..<count { target[i] = Float(draws[i]) * deviation }
    }
  }

  /// Those of the normal draws `range` of a stream that are within two deviations, times `deviation`, one behind the other.
  ///
  /// - Parameter out: room for all draws, kept or not.
  /// - Returns: how many there are.
  static func truncatedNormal(
    _ out: UnsafeMutablePointer<Float>, _ range: Range<Int>, _ key: RandomKey, deviation: Float
  ) -> Int {
    var kept = 0
    eachBlock(of: range, key) { draws, _, count in
      for i in 0..<count {
        out[kept] = Float(draws[i]) * deviation
        kept += draws[i].magnitude <= 2 ? 1 : 0
      }
    }
    return kept
  }

  /// Calls `body` with the draws of a range, a block at a time; each rounds to the same float32 as the generator's and lies
  /// on the same side of two.
  @inline(__always)
  private static func eachBlock(
    of range: Range<Int>, _ key: RandomKey,
    _ body: (_ draws: UnsafePointer<Double>, _ start: Int, _ count: Int) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: randomBlock) { draws in
      withUnsafeTemporaryAllocation(of: UInt64.self, capacity: randomBlock) { doubts in
        guard let draws = draws.baseAddress, let doubts = doubts.baseAddress else { return }
        var start = range.lowerBound
        while start < range.upperBound {
          let count = min(randomBlock, range.upperBound - start)
          estimate(draws, doubts, start, count, key.bits)
          for i in 0..<count where doubts[i] != 0 { draws[i] = key.normal(at: 2 * (start + i)) }
          body(draws, start, count)
          start += count
        }
      }
    }
  }

  /// Estimates of the draws `start ..< start + count`, and which of them do not settle the float32.
  private static func estimate(
    _ draws: UnsafeMutablePointer<Double>, _ doubts: UnsafeMutablePointer<UInt64>, _ start: Int, _ count: Int,
    _ bits: UInt64
  ) {
    let first = UInt64(truncatingIfNeeded: 2 * start)
    for i in 0..<count {
      let number = first &+ 2 &* UInt64(truncatingIfNeeded: i)
      let draw = estimatedNormal(uniformNumber(bits, number), uniformNumber(bits, number &+ 1))
      draws[i] = draw
      doubts[i] = isUnsettled(draw)
    }
  }
}

/// The number at a place of a stream, uniform in [0, 1): `RandomKey.uniform(at:)`.
@inline(__always)
private func uniformNumber(_ bits: UInt64, _ place: UInt64) -> Double {
  Double(Int64(bitPattern: RandomKey.mix(bits &+ place &* 0x9E37_79B9_7F4A_7C15) >> 11)) * 0x1p-53
}

/// 1 for an estimate so close to the middle between two float32 numbers, to zero or to ±2, that its error, below 2⁻⁴⁰ of
/// it, might matter; else 0.
@inline(__always)
private func isUnsettled(_ draw: Double) -> UInt64 {
  // A float32 has 29 bits less: the middle between two of them is a one and 28 zeros.
  let fromMiddle = (draw.bitPattern & 0x1FFF_FFFF) &- (0x1000_0000 - 0x4_0000)
  let size = draw.magnitude
  let isNearMiddle: UInt64 = fromMiddle < 0x8_0000 ? 1 : 0
  // An estimate's error is relative to the radius: a draw near zero has lost bits.
  let isSmall: UInt64 = size < 0x1p-9 ? 1 : 0
  let isNearTwo: UInt64 = (size - 2).magnitude < 0x1p-30 ? 1 : 0
  return isNearMiddle | isSmall | isNearTwo
}

/// `√(-2 ln(1 - u)) · cos 2πw` for `u` and `w` in [0, 1), without branches.
///
/// - Numerics: error below 2⁻⁴⁰ of the value where that is at least 2⁻⁹.
@inline(__always)
private func estimatedNormal(_ u: Double, _ w: Double) -> Double {
  (-2 * estimatedLog(1 - u)).squareRoot() * estimatedSine(2 * Double.pi * ((w - 0.5).magnitude - 0.25))
}

/// The natural logarithm of a number in (0, 1], from the series of the inverse hyperbolic tangent.
@inline(__always)
private func estimatedLog(_ x: Double) -> Double {
  // x = m · 2ᵏ with m from √½ to √2.
  let exponent = Int64(bitPattern: x.bitPattern &- 0x3FE6_A09E_667F_3BCD) >> 52
  let m = Double(bitPattern: x.bitPattern &- UInt64(bitPattern: exponent << 52))
  let s = (m - 1) / (m + 1)
  let z = s * s
  var sum = 1.0 / 17
  sum = (1.0 / 15).addingProduct(sum, z)
  sum = (1.0 / 13).addingProduct(sum, z)
  sum = (1.0 / 11).addingProduct(sum, z)
  sum = (1.0 / 9).addingProduct(sum, z)
  sum = (1.0 / 7).addingProduct(sum, z)
  sum = (1.0 / 5).addingProduct(sum, z)
  sum = (1.0 / 3).addingProduct(sum, z)
  sum = 1.0.addingProduct(sum, z)
  return (2 * s * sum).addingProduct(Double(exponent), 0.693_147_180_559_945_3)
}

/// The sine of an angle from -π/2 to π/2, from its series.
@inline(__always)
private func estimatedSine(_ x: Double) -> Double {
  let z = x * x
  var sum = 1.0 / 51_090_942_171_709_440_000
  sum = (-1.0 / 121_645_100_408_832_000).addingProduct(sum, z)
  sum = (1.0 / 355_687_428_096_000).addingProduct(sum, z)
  sum = (-1.0 / 1_307_674_368_000).addingProduct(sum, z)
  sum = (1.0 / 6_227_020_800).addingProduct(sum, z)
  sum = (-1.0 / 39_916_800).addingProduct(sum, z)
  sum = (1.0 / 362_880).addingProduct(sum, z)
  sum = (-1.0 / 5_040).addingProduct(sum, z)
  sum = (1.0 / 120).addingProduct(sum, z)
  sum = (-1.0 / 6).addingProduct(sum, z)
  return x.addingProduct(x * z, sum)
}
