import CleftTensor
import Testing

/// Attention whose sequences share their first rows, against the same sequences each with rows of its own.
@Suite struct SharedRowsAttentionTests {
  /// Rows that all share, and rows and keys of each sequence behind them.
  struct Case: Sendable {
    var shared: Int
    var lengths: [Int]
    var keyCounts: [Int]

    /// The shared rows once, in front.
    var layout: SequenceLayout {
      SequenceLayout(
        lengths: [shared] + lengths, keyCounts: [shared] + keyCounts, isCausal: true, sharesFirst: true)
    }

    /// The shared rows by themselves, and again in every sequence.
    var repeated: SequenceLayout {
      SequenceLayout(
        lengths: [shared] + lengths.map { shared + $0 }, keyCounts: [shared] + keyCounts.map { shared + $0 },
        isCausal: true)
    }

    /// Row of the shared layout that each row of the repeated one copies.
    var sources: [Int] {
      lengths.indices.reduce(into: Array(0..<shared)) { rows, sequence in
        rows += 0..<shared
        rows += layout.offsets[sequence + 1]..<layout.offsets[sequence + 2]
      }
    }

    /// Rows of the repeated layout that are rows of the shared one.
    var results: [Int] {
      lengths.indices.reduce(into: Array(0..<shared)) { rows, sequence in
        rows += repeated.offsets[sequence + 1] + shared..<repeated.offsets[sequence + 2]
      }
    }
  }

  static let cases = [
    // A last row that only looks, a row that sees shared rows alone, a sequence of keys.
    Case(shared: 5, lengths: [3, 1, 7], keyCounts: [2, 0, 7]),
    Case(shared: 1, lengths: [1, 1], keyCounts: [1, 0]),
    Case(shared: 9, lengths: [], keyCounts: []),
    // More rows than one tile has, in front and behind.
    Case(shared: 301, lengths: [263, 3], keyCounts: [262, 3]),
  ]

  /// Output and gradients of `Σ weights · attention(inputs)`.
  static func results(_ inputs: [Tensor], _ body: ([Tensor]) -> Tensor) -> [[Float]] {
    let leaves = inputs.map { _ in Node() }
    let output = body(zip(inputs, leaves).map { $0.tracked(by: $1) })
    let weights = numbers([1, output.count], 99)
    let gradients = matmul(output.reshaped([1, output.count]), weights, transposingB: true).gradients()
    return [output.array] + leaves.map { gradients[$0]?.array ?? [] }
  }

  private static func expectEqual(_ found: [[Float]], _ expected: [[Float]]) {
    #expect(found.map(\.count) == expected.map(\.count))
    for (index, (a, b)) in zip(found, expected).enumerated() {
      let size = b.reduce(Float(1e-6)) { max($0, abs($1)) }
      let worst = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= 1e-5 * size, "\(index == 0 ? "output" : "gradient \(index - 1)")")
    }
  }

  @Test(arguments: cases)
  func equalsRowsOfItsOwn(_ sample: Case) {
    let options = AttentionOptions(headCount: 2, scale: 0.7)
    let inputs = [numbers([sample.layout.rowCount, 18], 4)]
    let shared = Self.results(inputs) { attention($0[0], sample.layout, options) }
    let plain = Self.results(inputs) {
      gatherRows(attention(gatherRows($0[0], sample.sources), sample.repeated, options), sample.results)
    }
    Self.expectEqual(shared, plain)
  }

  @Test(arguments: cases.prefix(2))
  func groupsOfHeadsShareKeys(_ sample: Case) {
    let options = AttentionOptions(headCount: 4, keyValueHeadCount: 2, scale: 0.7)
    let rows = sample.layout.rowCount
    let inputs = [numbers([rows, 20], 4), numbers([rows, 10], 5), numbers([rows, 10], 6)]
    let shared = Self.results(inputs) {
      attention(query: $0[0], key: $0[1], value: $0[2], sample.layout, options)
    }
    let plain = Self.results(inputs) { inputs in
      let own = inputs.map { gatherRows($0, sample.sources) }
      return gatherRows(
        attention(query: own[0], key: own[1], value: own[2], sample.repeated, options), sample.results)
    }
    Self.expectEqual(shared, plain)
  }

  @Test func gradients() {
    let layout = Self.cases[0].layout
    for dropout: Float in [0, 0.3] {
      checkGradients([[layout.rowCount, 12]]) {
        attention(
          $0[0], layout,
          AttentionOptions(headCount: 2, scale: 0.9, dropout: dropout, key: RandomKey(seed: 8)))
      }
    }
  }

  /// In a process of its own, since the thread budget is the whole process's.
  @Test func threadsChangeNoBit() async {
    await #expect(processExitsWith: .success) {
      let sample = SharedRowsAttentionTests.cases[0]
      let inputs = [numbers([sample.layout.rowCount, 30], 4)]
      func results(threads: Int) -> [[Float]] {
        Runtime.configure(threads: threads)
        return SharedRowsAttentionTests.results(inputs) {
          attention($0[0], sample.layout, AttentionOptions(headCount: 5, scale: 0.7))
        }
      }
      let single = results(threads: 1)
      #expect(single.count == 2 && single == results(threads: 3))
    }
  }

  @Test func sharedRowsAreAllKeys() async {
    await #expect(processExitsWith: .failure) {
      _ = SequenceLayout(lengths: [3, 2], keyCounts: [2, 2], isCausal: true, sharesFirst: true)
    }
  }

  @Test func noPrefixGoesWithSharedRows() async {
    await #expect(processExitsWith: .failure) {
      let layout = SequenceLayout(lengths: [3, 2], isCausal: true, sharesFirst: true)
      _ = attention(
        Tensor([5, 6], repeating: 1), layout, AttentionOptions(headCount: 1, scale: 1),
        prefix: AttentionPrefix(table: Tensor([2, 4], repeating: 1), keyColumn: 0, valueColumn: 2))
    }
  }
}
