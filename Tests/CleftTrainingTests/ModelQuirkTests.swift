import CleftAdapters
import CleftData
import CleftFormats
import CleftImaging
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation
import Testing

/// What each quirk of towers, losses, optimizers and metrics does where it is in force, and what happens where it is not.
@Suite struct ModelQuirkTests {
  /// One quirk and what shows it.
  struct Case: Sendable, CustomTestStringConvertible {
    let quirk: Quirk
    let check: @Sendable () throws -> Void
    var testDescription: String { quirk.title }

    init(_ quirk: Quirk, _ check: @escaping @Sendable () throws -> Void) {
      (self.quirk, self.check) = (quirk, check)
    }
  }

  static let cases: [Case] = [
    Case(.poolFirst, q2FullCaptionsAreReadAtPosition0OrTheirLastWord),
    Case(.checkpointDetach, q3RecomputationDetachesAdaptersOrNot),
    Case(.bf16Stagnation, q4SmallStepsVanishInHalfPrecisionOrCount),
    Case(.unusedRateScale, q5GroupsHaveOneRateUnlessLayersAreToldApart),
    Case(.rankQuery, q6GroupsAreMadeInOneProcess),
    Case(.threeLayerGroups, q7AnyNumberOfBlocksIsGrouped),
    Case(.decayedLogitScale, q8TheTemperatureIsDecayedOrNot),
    Case(.acc5Names, q15TopTwoIsCalledAcc5OrAcc2),
    Case(.zeroAUC, q16AUCIsDefinedWhereThePublishedOneFails),
    Case(.hugeConfusion, q17TheConfusionMatrixHasARowForEachClass),
    Case(.batchOfOne, q18TheLastBatchMayHoldOnePicture),
    Case(.maskInEvaluation, q19PatchesAreLeftOutOfEvaluationOrNot),
    Case(.stalePrompts, q20PromptsFollowTheWeights),
    Case(.batchMeans, q21ShortBatchesCountAsFullOnesOrNot),
    Case(.rankNegatives, q22RanksHaveTheirOwnNegativesOrShareThem),
    Case(.roundedTargets, q23TargetsBeyond256AreRight),
    Case(.bertPositionZero, q26BertReadsAllAtPosition0OrInOrder),
    Case(.sineFrequencies, q27FrequenciesOfTheFixedPositions),
    Case(.ia3Llama, q28IA3GoesOnLlama),
    Case(.prefixRecompute, q29PrefixesTrainUnderRecomputation),
    Case(.staticAdaLoRA, q31AdaLoRAKeepsItsRanksOrMovesThem),
    Case(.frozenDropout, q40DropoutGoesOnWhileFrozenOrStops),
    Case(.anomalyStop, q44NumbersThatAreNotFiniteStopOrAreSkipped),
    Case(.duplicateNegatives, q45EqualCaptionsAreNegativesOrPositives),
    Case(.pooledVectors, q46MeanPoolingOfVectorsIsRefused),
    Case(.idleHeads, q47LocalHeadsAreInFilesOnly),
  ]

  @Test(arguments: cases) func everyQuirkOfTheModel(_ one: Case) throws { try one.check() }

  @Test func everyQuirkOfTheModelHasACase() {
    #expect(Self.cases.map(\.quirk) == Quirk.allCases.filter { $0.area == .model })
  }

  // MARK: - Small models

  static let gpt = GPTConfig(
    vocabularySize: 512, positionCount: 64, hiddenSize: 16, depth: 2, headCount: 2, initializerRange: 0.3)
  static let vit = VisionTransformerConfig(
    hiddenSize: 16, depth: 2, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.3)
  static var training: ForwardContext { ForwardContext(isTraining: true, key: RandomKey(seed: 5)) }

  static func pair(
    vision: any ImageTowerConfig = vit, text: any TextTowerConfig = gpt
  ) -> DualEncoder {
    let encoder = DualEncoder(
      DualEncoderConfig(vision: vision, text: text, embeddingSize: 8, captionLength: 12))
    encoder.seed(RandomKey(seed: 1))
    return encoder
  }

  static func images(_ count: Int) -> Tensor {
    Tensor([count, 3, 28, 28], (0..<count * 3 * 784).map { Float($0 * 7 % 13 + $0 / 2352) / 13 - 0.4 })
  }

  /// Paths of the parameters that a pass over two captions gives a gradient.
  static func reached(_ tower: any TextTower, paddingID: Int = 0) -> [String: [Float]] {
    let batch = TextBatch(
      captions: [[1, 2, 3], [4]], length: 12, paddingID: paddingID, pooledToken: .firstPad,
      virtualCount: tower.virtualTokens?.cell.shape[0] ?? 0, firstPosition: tower.prefix?.count ?? 0)
    let features = tower(batch, training)
    guard features.isTracked else { return [:] }
    let weights = Tensor([1, features.count], (0..<features.count).map { Float($0 % 5) - 2 })
    let all = linear(features.reshaped([1, features.count]), weights, nil).reshaped([]).gradients()
    return Dictionary(
      uniqueKeysWithValues: tower.parameters.compactMap { named in
        all[named.cell.leaf].map { (named.path, $0.array) }
      })
  }

  static func withLoRA() throws -> any TextTower {
    let tower = gpt.makeTower()
    tower.seed(RandomKey(seed: 3))
    _ = try LoRAConfig(rank: 2).apply(to: tower, AdapterPlace(tower.names.adapterTargets))
    tower.seed(RandomKey(seed: 4))
    return tower
  }

  // MARK: - Towers

  static func q2FullCaptionsAreReadAtPosition0OrTheirLastWord() {
    func pooled(_ token: PooledToken, virtual: Int = 0) -> [Int] {
      TextBatch(
        captions: [[1, 2, 3, 4], [5, 6]], length: 4, paddingID: 9, pooledToken: token, virtualCount: virtual
      ).pooledPositions
    }
    #expect(pooled(.firstPad) == [0, 2] && pooled(.endOfText) == [3, 2])
    #expect(pooled(.firstPad, virtual: 2) == [0, 4], "the first of the vectors, the same for every caption")
    #expect(pooled(.endOfText, virtual: 2) == [5, 4])
  }

  static func q3RecomputationDetachesAdaptersOrNot() throws {
    let tower = try withLoRA()
    let plain = reached(tower)
    #expect(plain.count == 4 && plain.keys.allSatisfy { $0.contains("lora_") })
    tower.recomputesBlocks = true
    #expect(reached(tower) == plain, "recomputation is neutral")
    tower.detachesUnderRecompute = true
    #expect(reached(tower).isEmpty, "adapters get no gradient")
    tower.recomputesBlocks = false
    #expect(reached(tower) == plain, "it takes recomputation")
    // An input that is trained keeps the blocks on the tape.
    tower.recomputesBlocks = true
    for named in tower.parameters where named.path == "transformer.wte.weight" {
      named.cell.isTrainable = true
    }
    #expect(reached(tower).count == 5)
    let prompted = try withLoRA()
    try PromptTuningConfig(virtualTokenCount: 3).apply(to: prompted, startingFrom: nil)
    prompted.seed(RandomKey(seed: 6))
    (prompted.recomputesBlocks, prompted.detachesUnderRecompute) = (true, true)
    #expect(reached(prompted).keys.contains("prompt_encoder.default.embedding.weight"))
  }

  static func q19PatchesAreLeftOutOfEvaluationOrNot() {
    var config = vit
    config.maskedFraction = 0.75
    func rows(_ isTraining: Bool) -> Int {
      let tower = VisionTransformer(config)
      tower.seed(RandomKey(seed: 1))
      let context = ForwardContext(isTraining: isTraining, key: RandomKey(seed: 2))
      return tower.prenormTokens(images(1), context).shape[0]
    }
    #expect(rows(true) == 6 && rows(false) == 9)
    config.masksInEvaluation = true
    #expect(rows(true) == 6 && rows(false) == 6)
  }

  static func q26BertReadsAllAtPosition0OrInOrder() {
    func difference(_ readsAllAtPositionZero: Bool) -> Float {
      let config = BertConfig(
        vocabularySize: 40, positionCount: 40, hiddenSize: 16, depth: 2, headCount: 2, initializerRange: 0.3,
        readsAllAtPositionZero: readsAllAtPositionZero)
      let tower = config.makeTower()
      tower.seed(RandomKey(seed: 2))
      let batch = TextBatch(
        captions: [[1, 2, 3, 4], [1, 4, 3, 2]], length: 12, paddingID: 0, pooledToken: .first, isCausal: false
      )
      let values = tower(batch, .evaluation).array
      return (0..<16).reduce(0) { max($0, abs(values[$1] - values[16 + $1])) }
    }
    #expect(difference(true) < 1e-4, "the order of the words is lost")
    #expect(difference(false) > 1e-2)
  }

  static func q27FrequenciesOfTheFixedPositions() throws {
    func table(_ usesPublishedFrequencies: Bool) throws -> [Float] {
      let config = MaskedAutoencoderConfig(
        encoderSize: 16, depth: 1, headCount: 2, decoderSize: 16, decoderDepth: 1, decoderHeadCount: 2,
        patchSize: 4, usesPublishedFrequencies: usesPublishedFrequencies, imageSizePixels: 8)
      let cells = MaskedAutoencoderTower(config).cells()
      return try #require(cells.first { $0.path == "decoder_pos_embed" }).cell.value.array
    }
    // Behind the row of zeros and the first patch comes the patch of column 1; m is 8.
    let (published, usual) = (try table(true), try table(false))
    #expect(abs(published[2 * 16 + 1] - Float(sin(pow(10_000, -1.0 / 16)))) < 1e-6)
    #expect(abs(usual[2 * 16 + 1] - Float(sin(pow(10_000, -2.0 / 8)))) < 1e-6)
  }

  static func q28IA3GoesOnLlama() throws {
    let config = LlamaConfig(
      vocabularySize: 40, positionCount: 40, hiddenSize: 32, feedForwardSize: 24, depth: 1, headCount: 4)
    let tower = config.makeTower()
    tower.seed(RandomKey(seed: 1))
    let paths = try IA3Config().apply(to: tower, AdapterPlace(tower.names.adapterTargets))
    #expect(Set(paths.compactMap { $0.split(separator: ".").last }) == ["k_proj", "v_proj", "down_proj"])
    tower.seed(RandomKey(seed: 2))
    #expect(reached(tower).count == 3)
  }

  static func q29PrefixesTrainUnderRecomputation() throws {
    let tower = gpt.makeTower()
    tower.seed(RandomKey(seed: 3))
    _ = try PrefixTuningConfig(virtualTokenCount: 3).apply(
      to: tower, AdapterPlace(tower.names.adapterTargets))
    tower.seed(RandomKey(seed: 4))
    let plain = reached(tower)
    (tower.recomputesBlocks, tower.detachesUnderRecompute) = (true, true)
    #expect(plain.count == 1 && reached(tower) == plain)
  }

  static func q31AdaLoRAKeepsItsRanksOrMovesThem() throws {
    #expect(!AdaLoRAConfig().allocates, "as published unless asked")
    func kept(_ allocates: Bool) throws -> Int {
      var config = AdaLoRAConfig()
      (config.initialRank, config.targetRank, config.warmupSteps, config.finalSteps) = (6, 2, 1, 1)
      let tower = gpt.makeTower()
      tower.seed(RandomKey(seed: 3))
      _ = try config.apply(to: tower, AdapterPlace(tower.names.adapterTargets))
      tower.seed(RandomKey(seed: 4))
      let allocator = allocates ? RankAllocator(tower, config, totalSteps: 8) : nil
      for step in 0..<8 {
        let batch = TextBatch(captions: [[1, 2, 3]], length: 12, paddingID: 0, pooledToken: .firstPad)
        let features = tower(batch, training)
        let loss = linear(features.reshaped([1, 16]), Tensor([1, 16], repeating: 1), nil).reshaped([])
        allocator?.update(step: step, loss.gradients())
      }
      return tower.parameters.filter { $0.path.contains("lora_E") }.flatMap(\.cell.value.array).count {
        $0 != 0
      }
    }
    #expect(try kept(false) == 12 && kept(true) == 4)
  }

  static func q40DropoutGoesOnWhileFrozenOrStops() throws {
    let encoder = pair()
    let text = encoder.text
    let batch = encoder.textBatch([[1, 2, 3], [4, 5]])
    func drops(_ dropsOutWhileFrozen: Bool) -> Bool {
      text.dropsOutWhileFrozen = dropsOutWhileFrozen
      let isChanged = text.feature(batch, training).array != text.feature(batch, .evaluation).array
      #expect(isChanged == text.dropsOut(training) && !text.dropsOut(.evaluation))
      return isChanged
    }
    text.dropsOutWhileFrozen = false
    #expect(text.dropsOut(training), "what is trained has its dropout")
    text.setTrainable(false)
    #expect(drops(true) && !drops(false))
    // Vectors in front of captions are trained while the language model is frozen.
    try PromptTuningConfig(virtualTokenCount: 3).apply(to: text.model, startingFrom: nil)
    text.seed(RandomKey(seed: 8))
    #expect(!text.dropsOut(training) && text.model.parameters.contains(where: \.cell.isTrainable))
    text.dropsOutWhileFrozen = true
    #expect(text.dropsOut(training))
  }

  static func q46MeanPoolingOfVectorsIsRefused() throws {
    var config = DualEncoderConfig(
      vision: ResNetConfig(stageDepths: [1, 1, 1, 1], width: 4, imageSizePixels: 64), text: gpt,
      embeddingSize: 8, pooling: .cls, captionLength: 12)
    try ModelDescription(encoder: config).requireRoom()
    config.pooling = .mean
    let error = #expect(throws: TrainingError.self) { try ModelDescription(encoder: config).requireRoom() }
    #expect(error?.description.contains("--pool_feat") == true && error?.exitStatus == .badConfiguration)
  }

  static func q47LocalHeadsAreInFilesOnly() {
    let encoder = pair()
    #expect(encoder.cells().allSatisfy { !$0.path.contains("local_embed") })
    let keys = PublishedState.tensors(encoder, ModelDescription(encoder: encoder.config)).map(\.key)
    for side in ["img_encoder_q", "text_encoder_q"] {
      #expect(keys.contains("\(side).local_embed.head.0.weight"))
    }
    let report = ParameterReport(encoder, isImageHeadTrained: true, isTextHeadTrained: true)
    let heads = report.parts.filter { $0.name.contains("local head") }
    #expect(heads.count == 2 && heads.allSatisfy { $0.trainable > 0 && $0.live == 0 })
  }
}
