import Glibc

/// A source of randomness that is passed in and split by purpose; equal keys give equal numbers.
///
/// A key is a value: drawing from it changes nothing. `key.split("dropout", step, layer)` names a stream, so the
/// numbers do not depend on how many threads ran or in which order. Generator: splitmix64 over a counter.
public struct RandomKey: Hashable, Sendable {
  /// The state that names the stream.
  public let bits: UInt64

  /// The root key of a run.
  public init(seed: UInt64) { bits = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

  private init(bits: UInt64) { self.bits = bits }

  /// The stream for one purpose and, if given, its indices.
  public func split(_ label: StaticString, _ indices: Int...) -> RandomKey {
    var state = bits
    label.withUTF8Buffer { for byte in $0 { state = Self.mix(state ^ UInt64(byte)) } }
    for index in indices {
      state = Self.mix(state &+ UInt64(bitPattern: Int64(index)) &* 0xD6E8_FEB8_6659_FD93)
    }
    return RandomKey(bits: Self.mix(state))
  }

  /// The stream for a name known only at run time.
  public func split(name: String) -> RandomKey {
    RandomKey(bits: name.utf8.reduce(bits) { Self.mix($0 ^ UInt64($1)) })
  }

  /// The `index`-th 64 random bits of this stream.
  public func bits(at index: Int) -> UInt64 {
    Self.mix(bits &+ UInt64(bitPattern: Int64(index)) &* 0x9E37_79B9_7F4A_7C15)
  }

  /// The `index`-th number of this stream, uniform in [0, 1).
  public func uniform(at index: Int) -> Double { Double(bits(at: index) >> 11) * 0x1p-53 }

  /// A standard normal number from the numbers `index` and `index + 1` of this stream (Box–Muller, one of the pair).
  func normal(at index: Int) -> Double {
    let radius = (-2 * log(1 - uniform(at: index))).squareRoot()
    return radius * cos(2 * Double.pi * uniform(at: index + 1))
  }

  /// Draws in sequence from this stream.
  public var generator: RandomGenerator { RandomGenerator(key: self) }

  @inline(__always)
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Consecutive draws from one `RandomKey`.
public struct RandomGenerator: RandomNumberGenerator, Sendable {
  private let key: RandomKey
  private var index = 0

  init(key: RandomKey) { self.key = key }

  /// 64 random bits.
  public mutating func next() -> UInt64 {
    defer { index += 1 }
    return key.bits(at: index)
  }

  /// Uniform in [0, 1).
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in [low, high).
  public mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

  /// Standard normal (Box–Muller, one of the pair).
  public mutating func normal() -> Double {
    defer { index += 2 }
    return key.normal(at: index)
  }

  /// True with the given probability.
  public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }
}
