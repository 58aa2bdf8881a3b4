import CleftData
import CleftTensor
import Testing

@Suite struct SamplerTests {
  private static let classes = Array(repeating: 3, count: 90) + Array(repeating: 0, count: 9) + [7]

  private func schedule(_ sampler: Sampler, seed: UInt64 = 1, ranks: Int = 2) -> BatchSchedule {
    BatchSchedule(
      sampleCount: 100, batchSize: 7, rankCount: ranks, accumulation: 2, key: RandomKey(seed: seed),
      sampler: sampler)
  }

  @Test func classesComeUpEquallyOften() {
    let schedule = schedule(.balanced(classes: Self.classes))
    var counts: [Int: Int] = [:]
    var samples = [Int](repeating: 0, count: 100)
    let epochs = 300
    for index in (0..<epochs).flatMap(schedule.order(ofEpoch:)) {
      counts[Self.classes[index], default: 0] += 1
      samples[index] += 1
    }
    // 30,000 draws: a class has 10,000 ± 82, a sample of the large one 111 ± 10.5.
    for one in [0, 3, 7] { #expect(abs((counts[one] ?? 0) - 10_000) < 410) }
    #expect(samples.prefix(90).allSatisfy { abs($0 - 111) < 56 })
    #expect(samples[90..<99].allSatisfy { abs($0 - 1111) < 170 })
  }

  @Test func samplesWithoutLabelsAreAClass() {
    let labels = [[2], [], [2, 5], []]
    let samples = labels.map { Sample(imagePath: "", caption: nil, labels: $0, origin: "") }
    #expect(Sampler.balanced(samples) == .balanced(classes: [2, -1, 2, -1]))
  }

  @Test func publishedOrderIsTorchs() {
    // torch.utils.data.DistributedSampler over 10 samples, 4 ranks, seed 42: (2,4,3), (6,5,7), (1,0,2), (8,9,6).
    let schedule = BatchSchedule(
      sampleCount: 10, batchSize: 1, rankCount: 4, accumulation: 1, key: RandomKey(seed: 0),
      sampler: .published(seed: 42))
    #expect(schedule.stepsPerEpoch == 3)
    let ranks = (0..<4).map { rank in (0..<3).map { schedule.batches(ofStep: $0)[rank].indices[0] } }
    #expect(ranks == [[2, 4, 3], [6, 5, 7], [1, 0, 2], [8, 9, 6]])
    #expect(schedule.order(ofEpoch: 1) != schedule.order(ofEpoch: 0))
    let next = BatchSchedule(
      sampleCount: 10, batchSize: 1, rankCount: 4, accumulation: 1, key: RandomKey(seed: 5),
      sampler: .published(seed: 43))
    #expect(next.order(ofEpoch: 0) == schedule.order(ofEpoch: 1))
  }

  @Test(arguments: [1, 3, 4]) func publishedRanksAreThoseOfTheDistributedSampler(ranks: Int) {
    let schedule = BatchSchedule(
      sampleCount: 11, batchSize: 1, rankCount: ranks, accumulation: 1, key: RandomKey(seed: 0),
      sampler: .published(seed: 7))
    for epoch in 0..<3 {
      let steps = (0..<schedule.stepsPerEpoch).map {
        schedule.batches(ofStep: epoch * schedule.stepsPerEpoch + $0).map { $0.indices[0] }
      }
      let dealt = (0..<ranks).map { rank in steps.map { $0[rank] } }
      #expect(
        dealt
          == Subsampling.distributedOrder(count: 11, rankCount: ranks, seed: 7, epoch: epoch, shuffles: true))
    }
  }

  @Test(arguments: [.shuffled, .balanced(classes: classes), .published(seed: 3)] as [Sampler])
  func plansDependOnTheirStepAlone(sampler: Sampler) {
    let whole = schedule(sampler)
    let plans = (0..<3 * whole.stepsPerEpoch).map(whole.batches(ofStep:))
    for step in plans.indices.reversed() {
      #expect(schedule(sampler).batches(ofStep: step) == plans[step])
      #expect(whole.batches(ofStep: step) == plans[step])
    }
    #expect(plans.allSatisfy { $0.count.isMultiple(of: 2) && $0.allSatisfy { $0.indices.count == 7 } })
    #expect(plans.joined().allSatisfy { $0.indices.allSatisfy((0..<100).contains) })
    #expect(whole.order(ofEpoch: 0) != whole.order(ofEpoch: 1))
    #expect(whole.order(ofEpoch: 1) != whole.order(ofEpoch: 2))
  }

  @Test func ranksDrawTheSameSamplesHoweverMany() {
    let orders = [1, 2, 5].map { schedule(.balanced(classes: Self.classes), ranks: $0).order(ofEpoch: 4) }
    #expect(orders[0] == orders[1] && orders[1] == orders[2])
    #expect(
      schedule(.balanced(classes: Self.classes), seed: 2).order(ofEpoch: 4) != orders[0])
  }
}
