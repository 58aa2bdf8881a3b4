/// Subsets as the published program draws them, number for number (seed 42).
///
/// - Source: `cleft.md` appendix A; Matsumoto and Nishimura 1998 (MT19937).
public enum Subsampling {
  /// pandas' `sample(frac:, random_state: 42)`: a permutation's first entries, in its order.
  public static func pandas<Element>(_ elements: [Element], fraction: Double) -> [Element] {
    let count = Int((fraction * Double(elements.count)).rounded(.toNearestOrEven))
    var generator = MersenneTwister(seed: 42)
    var order = Array(elements.indices)
    for i in stride(from: elements.count - 1, to: 0, by: -1) {
      let mask = UInt32.max >> UInt32(UInt32(i).leadingZeroBitCount)
      var draw = generator.next() & mask
      while draw > i { draw = generator.next() & mask }
      order.swapAt(i, Int(draw))
    }
    return order.prefix(count).map { elements[$0] }
  }

  /// Python's `random.seed(42); random.sample(elements, int(fraction · n))`.
  public static func python<Element>(_ elements: [Element], fraction: Double) -> [Element] {
    let (n, k) = (elements.count, Int(fraction * Double(elements.count)))
    var generator = MersenneTwister(key: [42])
    func below(_ bound: Int) -> Int {
      let bits = UInt32(Int.bitWidth - bound.leadingZeroBitCount)
      var draw = generator.next() >> (32 - bits)
      while draw >= bound { draw = generator.next() >> (32 - bits) }
      return Int(draw)
    }
    var setSize = 21
    if k > 5 {
      var power = 1
      while power < 3 * k { power *= 4 }
      setSize += power
    }
    if n <= setSize {
      var pool = elements
      return (0..<k).map { i in
        let j = below(n - i)
        defer { pool[j] = pool[n - i - 1] }
        return pool[j]
      }
    }
    var chosen: Set<Int> = []
    return (0..<k).map { _ in
      var j = below(n)
      while !chosen.insert(j).inserted { j = below(n) }
      return elements[j]
    }
  }
}

/// The generator behind NumPy, Python and PyTorch.
struct MersenneTwister {
  private var state = [UInt32](repeating: 0, count: 624)
  private var position = 624

  /// Knuth's initialization, as NumPy's and PyTorch's.
  init(seed: UInt32) {
    state[0] = seed
    for i in 1..<624 { state[i] = 1_812_433_253 &* (state[i - 1] ^ (state[i - 1] >> 30)) &+ UInt32(i) }
  }

  /// Initialization by an array, as Python's.
  init(key: [UInt32]) {
    self.init(seed: 19_650_218)
    var (i, j) = (1, 0)
    for _ in 0..<max(624, key.count) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* 1_664_525)) &+ key[j] &+ UInt32(j)
      (i, j) = (i + 1, (j + 1) % key.count)
      if i == 624 { (state[0], i) = (state[623], 1) }
    }
    for _ in 0..<623 {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* 1_566_083_941)) &- UInt32(i)
      i += 1
      if i == 624 { (state[0], i) = (state[623], 1) }
    }
    state[0] = 0x8000_0000
  }

  mutating func next() -> UInt32 {
    if position == 624 {
      for i in 0..<624 {
        let y = (state[i] & 0x8000_0000) | (state[(i + 1) % 624] & 0x7FFF_FFFF)
        state[i] = state[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
      }
      position = 0
    }
    var y = state[position]
    position += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C_5680
    y ^= (y << 15) & 0xEFC6_0000
    return y ^ (y >> 18)
  }
}
