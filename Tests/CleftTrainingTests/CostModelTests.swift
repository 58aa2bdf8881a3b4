import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTraining
import Testing

/// Numbers here are counted by hand from the sizes in `ModelCatalog`, never taken from the program.
@Suite struct CostModelTests {
  /// A pair of the catalogue with LoRA on its text tower.
  private func model(_ name: String, adapter: String? = "lora") throws -> DualEncoder {
    let config = try #require(ModelCatalog.pairs[name])
    return try ModelDescription(
      encoder: config, adapter: adapter.map { try AdapterDescription(method: $0) }
    ).makeModel()
  }

  /// Two pairs; captions of 3 and of 5 tokens are 4 and 6 rows with the slots behind them.
  private let batch = CostModel.Batch(pairCount: 2, shortest: 3, longest: 5)

  private func machine(
    cores: Int = 4, rate: Double = 100, bandwidth: Double, efficiency: Double = 1, processes: Int = 1
  ) -> CostModelMachine {
    CostModelMachine(
      cores: cores, hasAMX: false, floatRate: .init(rate, .given), halfRate: .init(2 * rate, .given),
      bandwidth: .init(bandwidth, .given), efficiency: .init(efficiency, .given),
      attentionEfficiency: .init(0.5, .given), processes: processes, network: .init(10, .given))
  }

  /// Operations of a product of `[m, k]` and `[k, n]`.
  private func product(_ m: Int, _ n: Int, _ k: Int) -> Double { Double(2 * m * n * k) }

  /// Elements of the four matrices of a block of the tiny model: 12·128².
  private let block = 196_608

  @Test func aBatchSpreadsItsCaptionsEvenly() {
    #expect(batch.captionTokens == [3, 5])
    let wide = CostModel.Batch(pairCount: 72, shortest: 14, longest: 28)
    #expect(wide.captionTokens.first == 14 && wide.captionTokens.last == 28)
    #expect(wide.captionTokens.reduce(0, +) == 72 * 21)
    #expect(CostModel.Batch(imageCount: 32).captionTokens.isEmpty)
  }

  @Test func rowsAreTokensWithoutPadding() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    #expect(counts.imageRows == 2 * (1 + 4 + 64))
    #expect(counts.textRows == 4 + 6)
  }

  /// A block's four matrices have 12·128² = 196,608 elements; 138 image rows, 4 blocks; 64 patches of 588 values.
  @Test func imageProductsOfTheTinyModel() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    let (blocks, patches) = (4 * product(138, block, 1), product(128, 128, 588))
    #expect(counts.operations([.image], [.forward]) == blocks + patches)
    #expect(counts.operations([.image], [.inputs]) == blocks)
    #expect(counts.operations([.image], [.weights]) == blocks + patches)
    #expect(counts.operations([.image], [.recompute]) == 0)
    // Two products forward and five backward for each of 4 blocks; 2 images of 69·69 scores over 128 channels.
    let scores = 2 * product(69, 69, 128)
    #expect(counts.operations([.imageAttention], [.forward]) == 4 * 2 * scores)
    #expect(counts.operations([.imageAttention], [.inputs]) == 4 * 5 * scores)
  }

  /// 10 rows, 2 blocks, every matrix frozen; nothing before the first block's LoRA is trained.
  @Test func textProductsOfTheTinyModelUnderLoRA() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    #expect(counts.operations([.text], [.forward]) == 7_864_320)
    #expect(counts.operations([.text], [.inputs]) == 7_864_320 - product(10, 384, 128))
    #expect(counts.operations([.text], [.weights]) == 0)
    // Into rank 8 from 128 channels, 20,480 operations, and out to 384, 61,440, in both blocks.
    #expect(counts.operations([.adapters], [.forward]) == 163_840)
    #expect(counts.operations([.adapters], [.inputs]) == 143_360)
    #expect(counts.operations([.adapters], [.weights]) == 163_840)
    // 4 queries of 3 keys and 6 of 5: the slot looks and is not seen.
    let scores = product(42, 1, 128)
    #expect(counts.operations([.textAttention], [.forward]) == 2 * 2 * scores)
    #expect(counts.operations([.textAttention], [.inputs]) == 2 * 5 * scores)
  }

  @Test func headsAndLossOfTheTinyModel() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    let (heads, scores) = (2 * product(2, 128, 128), product(2, 2, 128))
    #expect(counts.operations([.heads], [.forward]) == heads + scores)
    #expect(counts.operations([.heads], [.inputs]) == heads + 2 * scores)
    #expect(counts.operations([.heads], [.weights]) == heads)
  }

  @Test func recomputationIsOneMoreForwardOfTheBlocks() throws {
    let (plain, again) = (
      try CostModel(model("tiny"), batch, .float32, recomputes: false),
      try CostModel(model("tiny"), batch, .float32, recomputes: true)
    )
    #expect(again.operations([.image], [.recompute]) == 4 * product(138, block, 1))
    for part in [CostModel.Part.imageAttention, .text, .textAttention, .adapters] {
      #expect(again.operations([part], [.recompute]) == plain.operations([part], [.forward]))
    }
    #expect(again.operations([.heads], [.recompute]) == 0)
    for pass in [CostModel.Pass.forward, .inputs, .weights] {
      #expect(
        again.operations(CostModel.Part.allCases, [pass]) == plain.operations(CostModel.Part.allCases, [pass])
      )
    }
    #expect(again.imageKept < plain.imageKept && again.textKept < plain.textKept)
    // The input of each block is kept in float32.
    #expect(again.imageKept >= Double(4 * 4 * 138 * 128))
  }

  @Test func nothingIsCountedBackwardThroughAFrozenTower() throws {
    let model = try model("tiny", adapter: nil)
    model.text.model.setTrainable(false)
    let counts = try CostModel(model, batch, .float32, recomputes: true)
    #expect(counts.operations([.text, .textAttention], [.inputs, .weights, .recompute]) == 0)
    #expect(counts.textKept == 0)
    #expect(counts.operations([.text], [.forward]) == 7_864_320)
    // The head of the text tower is trained, but nothing asks for the gradient of its input.
    let (head, scores) = (product(2, 128, 128), product(2, 2, 128))
    #expect(counts.operations([.heads], [.weights]) == 2 * head)
    #expect(counts.operations([.heads], [.inputs]) == head + 2 * scores)
  }

  @Test func fullTrainingTakesAProductForEveryMatrix() throws {
    let counts = try CostModel(model("tiny", adapter: nil), batch, .float32, recomputes: false)
    #expect(counts.operations([.text], [.inputs]) == 7_864_320)
    #expect(counts.operations([.text], [.weights]) == 7_864_320)
    #expect(counts.operations([.adapters]) == 0)
  }

  @Test func scoringIsForwardOfTheImagesAlone() throws {
    let counts = try CostModel(model("tiny"), .init(imageCount: 2), .float32, recomputes: false)
    #expect(counts.operations(CostModel.Part.allCases, [.recompute, .inputs, .weights]) == 0)
    #expect(counts.operations([.text, .textAttention, .adapters]) == 0)
    #expect(counts.operations([.image]) == 4 * product(138, block, 1) + product(128, 128, 588))
    #expect(counts.imageKept == 0 && counts.textKept == 0)
  }

  @Test func parametersOfThePublishedPair() throws {
    let weights = try CostModel(model("paper"), batch, .float32, recomputes: true).weights
    // The published 2,694,083,841 without local heads of 2,628,096 and 6,298,112, which nothing here holds.
    #expect(weights.count == 2_685_157_633)
    #expect(weights.liveCount == 90_907_649)
    #expect(weights.frozenBytes == 4 * 2_594_247_680)
    #expect(weights.roundedBytes == 0)
    let half = try CostModel(model("paper"), batch, .halfTrue, recomputes: true).weights
    let matrices = 32 * 12 * 2560 * 2560
    #expect(half.roundedBytes == 2 * matrices)
    #expect(half.frozenBytes == 4 * (2_594_247_680 - matrices))
    #expect(half.trainedBytes == weights.trainedBytes)
  }

  @Test func memoryOfThePublishedPair() throws {
    let batch = CostModel.Batch(pairCount: 72, shortest: 14, longest: 28)
    let counts = try CostModel(model("paper"), batch, .halfTrue, recomputes: true)
    let memory = CostModelMemory(counts, imageSizePixels: 224, ranksPerProcess: 4, optimizer: .adamw)
    let live = 90_907_649.0
    #expect(memory.gradients == 8 * live && memory.optimizer == 8 * live)
    // Inputs of 12 blocks of 72·261 rows of 768 channels, and of 32 of 72·22 rows of 2560.
    #expect(memory.imageKept > Double(4 * 12 * 18_792 * 768))
    #expect(memory.textKept > Double(4 * 32 * 1584 * 2560))
    #expect(memory.total < 20e9)
    let whole = try CostModel(model("paper"), batch, .halfTrue, recomputes: false)
    let kept = CostModelMemory(whole, imageSizePixels: 224, ranksPerProcess: 4, optimizer: .adamw)
    #expect(kept.total > 1.3 * memory.total)
    let sgd = CostModelMemory(counts, imageSizePixels: 224, ranksPerProcess: 1, optimizer: .sgd)
    #expect(sgd.gradients == 4 * live && sgd.optimizer == 4 * live)
    #expect(sgd.aboveModel < memory.aboveModel)
  }

  @Test func aStepWaitsForProductsWhereMemoryIsFast() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    let time = CostModelStepTime(counts, on: machine(bandwidth: 1e9), rankCount: 3, optimizer: .adamw)
    let attention = counts.operations([.imageAttention, .textAttention])
    let products = counts.operations() - attention
    #expect(time.bound == .products)
    #expect(abs(time.products / (3 * products / 400e9) - 1) < 1e-9)
    #expect(abs(time.attention / (3 * attention / 200e9) - 1) < 1e-9)
    #expect(time.pairCount == 6 && time.network == 0)
  }

  @Test func aStepWaitsForMemoryWhereItIsSlow() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    let time = CostModelStepTime(counts, on: machine(bandwidth: 0.01), rankCount: 1, optimizer: .sgd)
    let bytes = counts.work.reduce(0) { $0 + $1.bytes } + 20 * Double(counts.weights.liveCount)
    #expect(time.bound == .memory && time.products == 0 && time.attention == 0)
    #expect(abs(time.seconds / (bytes / 0.01e9) - 1) < 1e-9)
  }

  /// One row through a matrix of 10⁶ elements: 2·10⁶ operations, 4·10⁶ bytes and the row's.
  @Test func aProductOfFewRowsTakesAsLongAsItsMatrixIsRead() throws {
    let counts = try CostModel(
      model("paper"), .init(pairCount: 2, shortest: 1, longest: 1), .float32, recomputes: false)
    let matrix = try #require(
      counts.work.first { $0.part == .text && $0.pass == .forward && $0.kind == .product })
    let (rows, width, out) = (4.0, 2560.0, 7680.0)
    #expect(matrix.operations == 2 * rows * width * out)
    let elements = rows * width + width * out + rows * out
    #expect(matrix.bytes == 4 * elements)
    let slow = CostModelStepTime(counts, on: machine(bandwidth: 30), rankCount: 1, optimizer: .adamw)
    #expect(slow.memory > 10.07e9 / 30e9)
  }

  @Test func halvesHaveTheirOwnRateAndNarrowProductsHaveNot() throws {
    let counts = try CostModel(model("tiny"), batch, .halfTrue, recomputes: false)
    #expect(counts.work.allSatisfy { $0.part != .adapters || $0.kind != .halfProduct })
    #expect(counts.work.contains { $0.part == .image && $0.kind == .halfProduct })
    let full = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    #expect(full.work.allSatisfy { $0.kind != .halfProduct })
    #expect(counts.operations() == full.operations())
    let fast = machine(bandwidth: 1e9)
    let (half, whole) = (
      CostModelStepTime(counts, on: fast, rankCount: 1, optimizer: .adamw),
      CostModelStepTime(full, on: fast, rankCount: 1, optimizer: .adamw)
    )
    #expect(half.products < 0.6 * whole.products)
    #expect(half.attention == whole.attention)
  }

  @Test func moreCoresAreNeverSlower() throws {
    let batch = CostModel.Batch(pairCount: 72, shortest: 14, longest: 28)
    for precision in CostModel.Precision.allCases {
      let counts = try CostModel(model("paper"), batch, precision, recomputes: true)
      let seconds = [32, 64, 128, 256].map { cores in
        CostModelStepTime(
          counts, on: .server(cores: cores, hasAMX: false), rankCount: 4, optimizer: .adamw
        ).seconds
      }
      #expect(zip(seconds, seconds.dropFirst()).allSatisfy { $0 > $1 }, "\(precision) \(seconds)")
      let tiles = CostModelStepTime(
        counts, on: .server(cores: 128, hasAMX: true), rankCount: 4, optimizer: .adamw)
      #expect(precision.roundsProducts ? tiles.seconds < seconds[2] : tiles.seconds == seconds[2])
    }
  }

  @Test func processesShareRanksAndAverageGradients() throws {
    let counts = try CostModel(model("tiny"), batch, .float32, recomputes: false)
    let (one, four) = (
      CostModelStepTime(counts, on: machine(bandwidth: 100), rankCount: 4, optimizer: .adamw),
      CostModelStepTime(
        counts, on: machine(bandwidth: 100, processes: 4), rankCount: 4, optimizer: .adamw)
    )
    #expect(one.pairCount == four.pairCount)
    #expect(abs(one.products / four.products - 4) < 1e-9)
    #expect(one.network == 0)
    // In a ring three quarters of the gradients go out twice.
    let bytes = 2 * 0.75 * 4 * Double(counts.weights.liveCount)
    #expect(abs(four.network / (bytes / 10e9) - 1) < 1e-9)
  }

  @Test func aTowerThatIsNoVisionTransformerIsRefused() throws {
    var config = try #require(ModelCatalog.pairs["tiny"])
    config.vision = ResNetConfig()
    config.pooling = .cls
    let model = DualEncoder(config)
    let error = try #require(throws: TrainingError.self) {
      try CostModel(model, batch, .float32, recomputes: false)
    }
    #expect(error.description.contains("expected a vision transformer"))
  }
}
