/// Subsets and orders as pandas, Python and PyTorch draw them, number for number.
///
/// - Source: `cleft.md` appendix A; Matsumoto and Nishimura 1998 (MT19937).
public enum Subsampling {
  /// pandas' `sample(frac:, random_state: seed)`: a permutation's first entries, in its order.
  public static func pandas<Element>(_ elements: [Element], fraction: Double, seed: UInt32 = 42) -> [Element]
  {
    let count = Int((fraction * Double(elements.count)).rounded(.toNearestOrEven))
    return pandasPermutation(count: elements.count, seed: seed).prefix(count).map { elements[$0] }
  }

  /// NumPy's `RandomState(seed).permutation(count)`, whose first k entries are pandas' `sample(n: k)`.
  public static func pandasPermutation(count: Int, seed: UInt32 = 42) -> [Int] {
    var generator = MersenneTwister(seed: seed)
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      let mask = UInt32.max >> UInt32(UInt32(i).leadingZeroBitCount)
      var draw = generator.next() & mask
      while draw > i { draw = generator.next() & mask }
      order.swapAt(i, Int(draw))
    }
    return order
  }

  /// Python's `random.seed(seed); random.sample(elements, int(fraction · n))`.
  public static func python<Element>(_ elements: [Element], fraction: Double, seed: UInt32 = 42) -> [Element]
  {
    python(elements, count: Int(fraction * Double(elements.count)), seed: seed)
  }

  /// Python's `random.seed(seed); random.sample(elements, count)`.
  public static func python<Element>(_ elements: [Element], count k: Int, seed: UInt32 = 42) -> [Element] {
    let n = elements.count
    precondition(k >= 0 && k <= n, "sample: \(k) of \(n)")
    var generator = MersenneTwister(key: [seed])
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

  /// PyTorch's `randperm(count)` on the CPU under a generator with this seed.
  ///
  /// - Numerics: equal below 214,748,364 entries; from there PyTorch draws 64-bit numbers in another order.
  public static func torchPermutation(count: Int, seed: UInt32) -> [Int] {
    precondition(count >= 0 && count < Int(UInt32.max) / 20, "randperm: \(count)")
    var generator = MersenneTwister(seed: seed)
    var order = Array(0..<count)
    for i in 0..<max(count - 1, 0) { order.swapAt(i, i + Int(generator.next()) % (count - i)) }
    return order
  }

  /// The indices of each rank under PyTorch's `DistributedSampler`, which Lightning puts in place of a run's own.
  ///
  /// The list is padded by repeating its head, so that all ranks have the same number.
  public static func distributedOrder(
    count: Int, rankCount: Int, seed: UInt32, epoch: Int, shuffles: Bool
  ) -> [[Int]] {
    precondition(rankCount > 0 && epoch >= 0, "ranks: \(rankCount), epoch \(epoch)")
    let order =
      shuffles
      ? torchPermutation(count: count, seed: seed &+ UInt32(truncatingIfNeeded: epoch)) : Array(0..<count)
    guard count > 0 else { return Array(repeating: [], count: rankCount) }
    let length = (count + rankCount - 1) / rankCount
    return (0..<rankCount).map { rank in
      (0..<length).map { order[($0 * rankCount + rank) % count] }
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
