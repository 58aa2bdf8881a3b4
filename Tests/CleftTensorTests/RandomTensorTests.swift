import CleftTensor
import Glibc
import Testing

/// Random tensors have the values of one generator that draws them in sequence, to the bit.
@Suite struct RandomTensorTests {
  /// Around the blocks of 512 draws, the parts of 16,384 and the rounds of several parts.
  private static let counts = [0, 1, 2, 7, 511, 512, 513, 15_640, 16_383, 16_384, 16_385, 49_153, 70_001]

  @Test(arguments: counts)
  func uniformValues(_ count: Int) {
    var draws = PlainDraws(seed: 1)
    let (low, high) = (Double(-0.036 as Float), Double(0.036 as Float))
    let expected = (0..<count).map { _ in Float(low + (high - low) * draws.uniform()) }
    #expect(
      firstDifference(.uniform([count], low: low, high: high, key: RandomKey(seed: 1)), expected) == nil)
  }

  @Test(arguments: counts)
  func normalValues(_ count: Int) {
    var draws = PlainDraws(seed: 2)
    let expected = (0..<count).map { _ in Float(draws.normal()) * 0.02 }
    #expect(firstDifference(.normal([count], deviation: 0.02, key: RandomKey(seed: 2)), expected) == nil)
  }

  @Test(arguments: counts)
  func truncatedNormalValues(_ count: Int) {
    var draws = PlainDraws(seed: 3)
    let expected = (0..<count).map { _ in Float(draws.normal(within: 2)) * 0.02 }
    #expect(
      firstDifference(.truncatedNormal([count], deviation: 0.02, key: RandomKey(seed: 3)), expected) == nil)
  }

  /// Several rounds, on up to four threads.
  @Test func truncatedNormalValuesOfSeveralRounds() {
    let count = 300_001
    var draws = PlainDraws(seed: 4)
    let expected = (0..<count).map { _ in Float(draws.normal(within: 2)) }
    #expect(
      firstDifference(.truncatedNormal([count], deviation: 1, key: RandomKey(seed: 4)), expected) == nil)
  }

  /// Draws so close to the middle between two float32 numbers that an error of 2⁻⁵² of them shows.
  @Test(arguments: [(12_008, 2_807), (19_138, 853), (23_281, 133), (23_897, 3_840), (36_954, 4_614)])
  func drawsBetweenTwoNumbers(_ seed: Int, _ place: Int) {
    var draws = PlainDraws(seed: UInt64(seed))
    let expected = (0...place).map { _ in Float(draws.normal()) }
    let found = Tensor.normal([place + 1], deviation: 1, key: RandomKey(seed: UInt64(seed)))
    #expect(firstDifference(found, expected) == nil)
  }

  /// Index and both values where a tensor differs.
  private func firstDifference(_ found: Tensor, _ expected: [Float]) -> String? {
    let values = found.array
    guard values.count == expected.count else { return "\(values.count) values, not \(expected.count)" }
    return values.indices.first { values[$0].bitPattern != expected[$0].bitPattern }.map {
      "\($0): \(values[$0]), not \(expected[$0])"
    }
  }
}

/// The stream of a root key, written out: splitmix64, 53 bits a number, Box–Muller.
private struct PlainDraws {
  private let state: UInt64
  private var count: UInt64 = 0

  init(seed: UInt64) { state = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

  mutating func uniform() -> Double {
    defer { count += 1 }
    return Double(Self.mix(state &+ count &* 0x9E37_79B9_7F4A_7C15) >> 11) * 0x1p-53
  }

  mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }

  mutating func normal(within bound: Double) -> Double {
    while true {
      let draw = normal()
      if abs(draw) <= bound { return draw }
    }
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
