import CleftData
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation
import Testing

/// The benchmark's steps, and the arithmetic of its reports.
@Suite struct StepBenchmarkTests {
  // MARK: - The same steps as a training's

  private func encoder(head: DualEncoderConfig.Head) -> DualEncoder {
    let config = DualEncoderConfig(
      vision: VisionTransformerConfig(
        hiddenSize: 32, depth: 1, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.1),
      text: GPTConfig(
        vocabularySize: 512, positionCount: 64, hiddenSize: 32, depth: 1, headCount: 2,
        initializerRange: 0.1),
      embeddingSize: 16, head: head, captionLength: 24)
    let encoder = DualEncoder(config)
    encoder.seed(RandomKey(seed: 3))
    return encoder
  }

  private func config(ranks: Int, _ negatives: SharedNegatives) -> TrainerConfig {
    var config = TrainerConfig(
      batchSize: 4 / ranks, maxSteps: 3,
      schedule: CosineWarmup(peak: 1e-3, floor: 1e-4, warmupSteps: 0, cycleSteps: 3), seed: 7)
    config.rankCount = ranks
    config.negatives = negatives
    config.maxGradientNorm = 0.5
    return config
  }

  /// A task and its optimizer on samples with the given pictures.
  private func parts(
    _ encoder: DualEncoder, _ paths: [String]
  ) throws -> (task: ContrastiveTask, optimizer: any Optimizer, pictures: PictureStore) {
    let tokenizer = NumberTokenizer(DefaultVocabulary.tokenizer)
    let captions = BenchmarkCaptions(lengths: 3...9, vocabularySize: 512, seed: 5)
    let task = ContrastiveTask(
      encoder: encoder, description: ModelDescription(encoder: encoder.config), tokenizer: tokenizer,
      training: captions.dataset(sampleCount: 8, paths: paths, for: tokenizer), validation: nil)
    let groups = ParameterGroups.single(encoder, weightDecay: 0.1)
    let optimizer = try OptimizerCatalog.named("adamw").make(groups, OptimizerSettings(momentum: 0.9))
    return (task, optimizer, PictureStore(pipeline: ImagePipeline(sizePixels: 28), memoryBytes: 0))
  }

  @Test(arguments: [
    (1, SharedNegatives()), (2, SharedNegatives()), (2, SharedNegatives(acrossRanks: true)),
  ])
  func stepsMoveTheWeightsAsATrainingDoes(_ ranks: Int, _ negatives: SharedNegatives) throws {
    let files = try BenchmarkPictures(count: 2, seed: 1)
    let (trained, measured) = (encoder(head: .mlp), encoder(head: .mlp))
    let start = trained.parameters.map(\.cell.value.array)
    let config = config(ranks: ranks, negatives)
    let one = try parts(trained, files.paths)
    let trainer = try Trainer(
      task: one.task, optimizer: one.optimizer, pictures: one.pictures, config: config)
    try trainer.fit(from: 0, progress: RunProgress(), log: RunLog(), keeper: nil)

    let other = try parts(measured, files.paths)
    var benchmark = try StepBenchmark(
      task: other.task, optimizer: other.optimizer, config: config, images: .files(other.pictures))
    (benchmark.warmupSteps, benchmark.timedSteps) = (1, 2)
    let found = try benchmark.run()
    withExtendedLifetime(files) {}

    var moved = 0
    for (index, (a, b)) in zip(trained.parameters, measured.parameters).enumerated() {
      #expect(a.cell.value.array == b.cell.value.array, "\(a.path)")
      if a.cell.value.array != start[index] { moved += 1 }
    }
    #expect(moved > 20)
    #expect(found.steps.count == 2)
    #expect(found.imagesPerStep == 4)
    for step in found.steps {
      let parts = StepPart.allCases.map { step.parts[$0] ?? 0 }
      #expect(parts.allSatisfy { $0 > 0 }, "\(step.parts)")
      #expect(parts.reduce(0, +) <= step.seconds)
      #expect((4 * 3...4 * 9).contains(step.textTokens))
    }
  }

  @Test func frozenTowersHaveNoBackward() throws {
    let encoder = encoder(head: .linear)
    encoder.image.model.setTrainable(false)
    let own = try parts(encoder, [])
    var benchmark = try StepBenchmark(
      task: own.task, optimizer: own.optimizer, config: config(ranks: 1, SharedNegatives()),
      images: .random(sizePixels: 28))
    (benchmark.warmupSteps, benchmark.timedSteps) = (0, 1)
    let step = try #require(try benchmark.run().steps.first)
    #expect(step.parts[.imageBackward] == nil)
    #expect((step.parts[.textBackward] ?? 0) > 0)
    encoder.setTrainable(false)
    #expect(throws: TrainingError.self) {
      _ = try StepBenchmark(
        task: own.task, optimizer: own.optimizer, config: config(ranks: 1, SharedNegatives()),
        images: .random(sizePixels: 28))
    }
  }

  @Test func drawnPicturesAreGoneWithTheirOwner() throws {
    var files: BenchmarkPictures? = try BenchmarkPictures(count: 1, seed: 2)
    let path = try #require(files?.paths.first)
    #expect(try ImageDecoder.decode(path, dicom: .display).width >= 320)
    files = nil
    #expect(!FileManager.default.fileExists(atPath: path))
    let folder = (path as NSString).deletingLastPathComponent
    #expect(!FileManager.default.fileExists(atPath: folder))
  }

  @Test func captionsHaveTheLengthsAskedFor() {
    let tokenizer = NumberTokenizer(DefaultVocabulary.tokenizer)
    let captions = BenchmarkCaptions(lengths: 2...5, vocabularySize: 512, seed: 9)
    let ids = (0..<200).map { tokenizer.encodeWithSpecials(captions.text($0, for: tokenizer)) }
    #expect(Set(ids.map(\.count)) == [2, 3, 4, 5])
    #expect(ids.joined().allSatisfy { (0..<512).contains($0) && $0 != tokenizer.paddingID })
    #expect(captions.text(7, for: tokenizer) == captions.text(7, for: tokenizer))
    #expect(Set(ids).count > 190)
  }
}
