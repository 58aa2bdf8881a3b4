import CleftData
import Testing

/// The published vectors of every sampling algorithm, and further ones from pandas 3.1, Python 3.11 and PyTorch 2.13.
@Suite struct SamplingVectorTests {
  @Test func torchPermutations() {
    #expect(
      Subsampling.torchPermutation(count: 20, seed: 42)
        == [2, 14, 18, 15, 1, 10, 0, 4, 6, 11, 8, 3, 7, 17, 13, 12, 19, 5, 16, 9])
    #expect(Subsampling.torchPermutation(count: 1, seed: 42) == [0])
    #expect(Subsampling.torchPermutation(count: 0, seed: 42).isEmpty)
  }

  @Test func distributedOrders() {
    #expect(
      Subsampling.distributedOrder(count: 10, rankCount: 4, seed: 42, epoch: 0, shuffles: true)
        == [[2, 4, 3], [6, 5, 7], [1, 0, 2], [8, 9, 6]])
    #expect(
      Subsampling.distributedOrder(count: 10, rankCount: 4, seed: 42, epoch: 0, shuffles: false)
        == [[0, 4, 8], [1, 5, 9], [2, 6, 0], [3, 7, 1]])
    // An epoch is as good as a seed.
    #expect(
      Subsampling.distributedOrder(count: 10, rankCount: 2, seed: 40, epoch: 2, shuffles: true)
        == Subsampling.distributedOrder(count: 10, rankCount: 2, seed: 42, epoch: 0, shuffles: true))
  }

  /// With fewer samples than ranks the list is repeated more than once.
  @Test func moreRanksThanSamples() {
    #expect(
      Subsampling.distributedOrder(count: 2, rankCount: 5, seed: 0, epoch: 0, shuffles: false)
        == [[0], [1], [0], [1], [0]])
    #expect(
      Subsampling.distributedOrder(count: 0, rankCount: 2, seed: 0, epoch: 0, shuffles: true) == [[], []])
  }

  @Test func otherSeeds() {
    #expect(Subsampling.pandas(Array(0..<12), fraction: 0.5, seed: 7) == [7, 10, 2, 5, 0, 1])
    #expect(
      Subsampling.pandasPermutation(count: 70_000, seed: 7).prefix(5) == [7653, 66274, 9119, 10760, 43166])
    #expect(Subsampling.python(Array(0..<300), count: 6, seed: 7) == [165, 77, 202, 24, 37, 274])
    #expect(
      Subsampling.torchPermutation(count: 70_000, seed: 7).prefix(5) == [1615, 67841, 41431, 64002, 60887])
  }

  @Test func extremes() {
    #expect(Subsampling.pandas([5], fraction: 1) == [5])
    #expect(Subsampling.pandas([Int](), fraction: 0.5).isEmpty)
    #expect(Subsampling.pandas(Array(0..<9), fraction: 1).sorted() == Array(0..<9))
    #expect(Subsampling.python([5], fraction: 1) == [5])
    #expect(Subsampling.python(Array(0..<9), fraction: 0).isEmpty)
    #expect(Subsampling.python(Array(0..<400), count: 400).sorted() == Array(0..<400))
  }
}
