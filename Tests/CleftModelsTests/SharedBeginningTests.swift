import CleftAdapters
import CleftModels
import CleftNN
import CleftTensor
import Testing

/// Captions packed with their common beginning once.
@Suite struct SharedBeginningTests {
  private func batch(
    _ captions: [[Int]], _ pooled: PooledToken = .firstPad, virtual: Int = 0, isCausal: Bool = true,
    deduplicates: Bool = true, keepsPadding: Bool = false
  ) -> TextBatch {
    TextBatch(
      captions: captions, length: 8, paddingID: 9, pooledToken: pooled, isCausal: isCausal,
      virtualCount: virtual, deduplicates: deduplicates, sharesBeginning: true, keepsPadding: keepsPadding)
  }

  private func layout(_ lengths: [Int], _ keyCounts: [Int]) -> SequenceLayout {
    SequenceLayout(lengths: lengths, keyCounts: keyCounts, isCausal: true, sharesFirst: true)
  }

  @Test func virtualTokensAreComputedOnce() {
    let packed = batch([[1, 2], [3]], virtual: 4)
    #expect(packed.rows.map(\.isVirtual) == [true, true, true, true, false, false, false, false, false])
    #expect(packed.rows.map(\.index) == [0, 1, 2, 3, 1, 2, 9, 3, 9])
    #expect(packed.rows.map(\.position) == [0, 1, 2, 3, 4, 5, 6, 4, 5])
    #expect(packed.layout == layout([4, 3, 2], [4, 2, 1]))
    #expect(packed.pooledRows == [6, 8] && packed.pooledPositions == [6, 5])
  }

  @Test func equalWordsAreComputedOnce() {
    let packed = batch([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6, 7], [1, 2, 3, 4, 5]])
    #expect(packed.rows.map(\.index) == [1, 2, 3, 4, 5, 9, 6, 7, 9])
    #expect(packed.rows.map(\.position) == [0, 1, 2, 3, 4, 5, 4, 5, 6])
    #expect(packed.layout == layout([4, 2, 3], [4, 1, 2]))
    #expect(packed.pooledRows == [5, 8, 5] && packed.pooledPositions == [5, 6, 5])
    let words = batch([[1, 2, 3], [1, 2, 4]], virtual: 3)
    #expect(words.layout == layout([5, 2, 2], [5, 1, 1]), "virtual tokens and words count together")
  }

  @Test func aCaptionMayBeginAnother() {
    let slots = batch([[1, 2, 3, 4], [1, 2, 3, 4, 5]])
    #expect(slots.rows.map(\.index) == [1, 2, 3, 4, 9, 5, 9])
    #expect(slots.layout == layout([4, 1, 2], [4, 0, 1]), "a slot is no key")
    #expect(slots.pooledRows == [4, 6])
    #expect(
      batch([[1, 2, 3, 4], [1, 2, 3, 4, 9]]).layout == slots.layout, "also where it looks like a word")

    let words = batch([[1, 2, 3, 4], [1, 2, 3, 4, 5]], .lastWord)
    #expect(words.rows.map(\.index) == [1, 2, 3, 4, 5])
    #expect(words.layout == layout([5], [5]) && words.pooledRows == [3, 4])

    let full = batch([[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5]])
    #expect(full.layout == layout([5, 1], [5, 0]) && full.pooledRows == [0, 5])
  }

  @Test func nothingIsSharedWhereItHelpsOrHoldsNot() {
    func expectPlain(_ packed: TextBatch, _ lengths: [Int]) {
      #expect(!packed.layout.sharesFirst && (0..<packed.layout.count).map(packed.layout.length) == lengths)
    }
    expectPlain(batch([[1, 2, 3, 4, 5]], virtual: 4), [10])
    expectPlain(batch([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]), [6])
    expectPlain(batch([[1, 2, 3, 4], [1, 2, 3, 5]]), [5, 5])
    expectPlain(batch([[1, 2, 3, 4, 5], [2, 2, 3, 4, 5], [1, 2, 3, 4, 5]]), [6, 6])
    expectPlain(batch([[1, 2, 3, 4, 5], [1, 2, 3, 4]], .first, isCausal: false), [5, 4])
    expectPlain(batch([[1, 2, 3, 4, 5], [1, 2, 3, 4]], virtual: 4, keepsPadding: true), [12, 12])
  }

  // MARK: - Towers

  private static let captions = [[1, 2, 3, 4, 5], [1, 6], [1], [1, 2, 3, 4, 5, 7, 8], [1, 6]]

  enum Adapter: CaseIterable { case none, lowRank, scaled }

  /// A causal tower with virtual tokens, every parameter trained.
  private func tower(_ config: any TextTowerConfig, _ adapter: Adapter) throws -> any TextTower {
    let tower = config.makeTower()
    tower.seed(RandomKey(seed: 3))
    let place = AdapterPlace(tower.names.adapterTargets)
    switch adapter {
    case .none: break
    case .lowRank: _ = try LoRAConfig(rank: 2).apply(to: tower, place)
    case .scaled: _ = try IA3Config().apply(to: tower, place)
    }
    try PromptTuningConfig(virtualTokenCount: 5).apply(to: tower, startingFrom: nil)
    tower.seed(RandomKey(seed: 4))
    tower.setTrainable(true)
    return tower
  }

  /// Features of captions and gradients of every parameter.
  private func results(_ tower: any TextTower, _ config: any TextTowerConfig, shares: Bool) -> [String:
    [Float]]
  {
    let batch = TextBatch(
      captions: Self.captions, length: 12, paddingID: config.paddingID, pooledToken: .firstPad,
      virtualCount: 5, deduplicates: shares, sharesBeginning: shares)
    // Unshared, each of the five has a sequence; shared, the four different ones have one behind the beginning.
    #expect(batch.layout.count == 5 && batch.layout.sharesFirst == shares)
    #expect(batch.rows.count == (shares ? 6 + 5 + 2 + 1 + 7 : 5 * 5 + 6 + 3 + 2 + 8 + 3))
    let features = tower(batch, .evaluation)
    let weights = Tensor([1, features.count], (0..<features.count).map { Float($0 * 7 % 11) / 11 - 0.4 })
    let gradients = linear(features.reshaped([1, features.count]), weights, nil).reshaped([]).gradients()
    var found = ["features": features.array]
    for named in tower.parameters { found[named.path] = gradients[named.cell.leaf]?.array }
    return found
  }

  @Test(arguments: smallTextTowers.indices.filter { smallTextTowers[$0].isCausal }, Adapter.allCases)
  func towersGiveTheSame(_ index: Int, _ adapter: Adapter) throws {
    let config = smallTextTowers[index]
    let tower = try tower(config, adapter)
    let plain = results(tower, config, shares: false)
    #expect(plain.count > 20 && plain.keys.contains { $0.contains("prompt_encoder") })
    for recomputes in [false, true] {
      tower.recomputesBlocks = recomputes
      let shared = results(tower, config, shares: true)
      #expect(Set(shared.keys) == Set(plain.keys))
      for (path, expected) in plain {
        let found = shared[path] ?? []
        let size = expected.reduce(Float(1e-6)) { max($0, abs($1)) }
        let worst = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(found.count == expected.count && worst <= 1e-5 * size, "\(path): \(worst) of \(size)")
      }
    }
  }

  @Test func pairsShareUnlessKeysAreInFrontAlready() throws {
    let captions = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 6]]
    let encoder = DualEncoder(DualEncoderTests.config)
    #expect(encoder.textBatch(captions, deduplicates: true).layout.sharesFirst)
    #expect(!encoder.textBatch(captions).layout.sharesFirst, "dropout may tell captions apart")
    _ = try PrefixTuningConfig(virtualTokenCount: 3).apply(
      to: encoder.text.model, AdapterPlace(encoder.text.model.names.adapterTargets))
    #expect(!encoder.textBatch(captions, deduplicates: true).layout.sharesFirst)
  }
}
