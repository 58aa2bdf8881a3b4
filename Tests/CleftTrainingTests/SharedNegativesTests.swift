import CleftData
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Testing

/// Batches that share their negatives give the gradient of one large batch.
@Suite struct SharedNegativesTests {
  private static let captions = [
    "edema", "atelectasis", "pleural effusion", "consolidation", "cardiomegaly edema", "no finding",
    "fracture",
    "lung opacity and edema",
  ]

  /// A small pair without dropout, so that a batch and its parts compute the same.
  private func task(head: DualEncoderConfig.Head) throws -> (task: ContrastiveTask, encoder: DualEncoder) {
    let config = DualEncoderConfig(
      vision: VisionTransformerConfig(
        hiddenSize: 32, depth: 1, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.1),
      text: GPTConfig(
        vocabularySize: 512, positionCount: 64, hiddenSize: 32, depth: 1, headCount: 2, dropout: 0,
        initializerRange: 0.1),
      embeddingSize: 16, head: head, captionLength: 24)
    let encoder = DualEncoder(config)
    encoder.seed(RandomKey(seed: 3))
    let samples = Self.captions.enumerated().map { index, caption in
      Sample(imagePath: "\(index).png", caption: caption, labels: [], origin: "table:\(index)")
    }
    let dataset = ImageTextDataset(
      name: "toy", table: "table", samples: samples, classNames: [], promptSets: [])
    let task = ContrastiveTask(
      encoder: encoder, description: ModelDescription(encoder: config),
      tokenizer: DefaultVocabulary.tokenizer,
      training: dataset, validation: nil)
    return (task, encoder)
  }

  private func batch(_ indices: [Int]) -> StepGradients.Batch {
    let pictures = indices.map { index in
      GrayImage(
        width: 28, height: 28,
        pixels: (0..<784).map { UInt8(truncatingIfNeeded: $0 * (index + 3) + index * 31) })
    }
    return .init(plan: BatchPlan(indices: indices, epoch: 0), pictures: pictures)
  }

  /// Gradients by path of a step whose samples come in batches of `size`, `negatives` shared as said.
  private func gradients(
    size: Int, ranks: Int, _ negatives: SharedNegatives, head: DualEncoderConfig.Head = .mlp
  ) throws -> (gradients: [String: [Float]], loss: Double) {
    let (task, encoder) = try task(head: head)
    var config = TrainerConfig(
      batchSize: size, maxSteps: 1,
      schedule: CosineWarmup(peak: 1, floor: 0, warmupSteps: 0, cycleSteps: 1), seed: 7)
    config.rankCount = ranks
    config.accumulation = 8 / size / ranks
    let batches = stride(from: 0, to: 8, by: size).map { batch(Array($0..<$0 + size)) }
    var step = StepGradients(task, config, step: 0)
    let groups = negatives.groups(batchCount: batches.count, rankCount: ranks)
    for group in groups {
      try step.add(
        group.map { ($0, batches[$0]) }, share: 1 / Double(groups.count), lossCount: groups.count)
    }
    var found: [String: [Float]] = [:]
    for named in encoder.parameters { found[named.path] = step.gradients[named.cell.leaf]?.array }
    return (found, step.metrics["loss"] ?? .nan)
  }

  /// The largest difference of a parameter's gradients over its largest gradient, and which parameter's.
  private func largestDifference(
    _ a: [String: [Float]], _ b: [String: [Float]]
  ) -> (difference: Float, path: String) {
    var (largest, place): (Float, String) = (0, "")
    let all = a.values.joined().reduce(Float(0)) { max($0, abs($1)) }
    for (path, values) in a {
      // A shift of all features is taken out by batch norm: its gradient is zero up to rounding.
      let scale = values.reduce(1e-2 * all) { max($0, abs($1)) }
      for (x, y) in zip(values, b[path] ?? []) where abs(x - y) / scale > largest {
        (largest, place) = (abs(x - y) / scale, path)
      }
    }
    return (largest, place)
  }

  @Test(
    "accumulated, gathered or both: one large batch",
    arguments: [
      (4, 1, SharedNegatives(acrossAccumulation: true)), (2, 1, SharedNegatives(acrossAccumulation: true)),
      (4, 2, SharedNegatives(acrossRanks: true)),
      (2, 2, SharedNegatives(acrossAccumulation: true, acrossRanks: true)),
    ])
  func gradientsEqualThoseOfOneLargeBatch(_ size: Int, _ ranks: Int, _ negatives: SharedNegatives) throws {
    // Two-layer heads have batch norm: it too has to see all samples at once.
    for head in DualEncoderConfig.Head.allCases {
      let whole = try gradients(size: 8, ranks: 1, SharedNegatives(), head: head)
      let parts = try gradients(size: size, ranks: ranks, negatives, head: head)
      #expect(whole.gradients.keys.sorted() == parts.gradients.keys.sorted())
      #expect(whole.gradients.count > 20)
      let (difference, place) = largestDifference(whole.gradients, parts.gradients)
      #expect(difference < 2e-4, "\(head): \(place)")
      #expect(abs(whole.loss - parts.loss) < 1e-5 * whole.loss)
    }
  }

  @Test func withoutSharingTheLossIsAnotherOne() throws {
    let whole = try gradients(size: 8, ranks: 1, SharedNegatives(), head: .linear)
    let apart = try gradients(size: 4, ranks: 1, SharedNegatives(), head: .linear)
    #expect(largestDifference(whole.gradients, apart.gradients).difference > 0.05)
    #expect(apart.loss < whole.loss, "fewer negatives")
  }

  @Test func groupsCoverEveryBatchOnce() {
    for shares in [(false, false), (true, false), (false, true), (true, true)] {
      let negatives = SharedNegatives(acrossAccumulation: shares.0, acrossRanks: shares.1)
      let groups = negatives.groups(batchCount: 6, rankCount: 2)
      #expect(groups.flatMap { $0 }.sorted() == Array(0..<6))
    }
    #expect(
      SharedNegatives(acrossAccumulation: true).groups(batchCount: 6, rankCount: 2) == [
        [0, 2, 4], [1, 3, 5],
      ])
    #expect(
      SharedNegatives(acrossRanks: true).groups(batchCount: 6, rankCount: 2) == [[0, 1], [2, 3], [4, 5]])
  }
}
