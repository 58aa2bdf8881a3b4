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

/// Quirks of optimizers, losses and metrics.
extension ModelQuirkTests {
  // MARK: - Optimizers

  static func q4SmallStepsVanishInHalfPrecisionOrCount() {
    func moved(_ isHalf: Bool) -> [Bool] {
      let start: [Float] = [1, 0.02001953125, 0.001]
      let weights = LooseParameters(["w": Tensor([3], start)])
      let adam = AdamW(weights.group())
      let optimizer: any Optimizer = isHalf ? HalfStored(adam) : adam
      let first = weights["w"]
      for _ in 0..<100 {
        optimizer.step(weights.gradients(["w": Tensor([3], repeating: 1)]), learningRate: 4e-5)
      }
      return zip(first, weights["w"]).map { $0 != $1 }
    }
    #expect(moved(true) == [false, false, true], "what is above 2^-6 never moves")
    #expect(moved(false) == [true, true, true])
  }

  private static func groups(depth: Int, decaysLogitScale: Bool = false) -> [ParameterGroup] {
    var config = vit
    config.depth = depth
    return ParameterGroups.published(
      pair(vision: config), weightDecay: 0.1, decaysLogitScale: decaysLogitScale)
  }

  static func q5GroupsHaveOneRateUnlessLayersAreToldApart() throws {
    #expect(groups(depth: 2).allSatisfy { $0.rateScale == 1 })
    let layered = try ParameterGroups.layerwise(
      pair(), weightDecay: 0.1, decaysLogitScale: false, layerDecay: 0.5)
    #expect(Set(layered.map(\.rateScale)) == [1, 0.5, 0.25])
  }

  static func q6GroupsAreMadeInOneProcess() {
    let groups = groups(depth: 2)
    #expect(groups.map(\.name).contains("layer_0_decay"))
    #expect(groups.reduce(0) { $0 + $1.parameters.count } == pair().parameters.count)
  }

  static func q7AnyNumberOfBlocksIsGrouped() {
    for depth in [1, 2, 4, 5] {
      let layers = Set(groups(depth: depth).map { $0.name.split(separator: "_")[1] })
      #expect(layers == Set((0...depth).map { Substring("\($0)") }))
    }
  }

  static func q8TheTemperatureIsDecayedOrNot() throws {
    func decay(_ decaysLogitScale: Bool) throws -> Double {
      let all = groups(depth: 2, decaysLogitScale: decaysLogitScale)
      return try #require(all.first { $0.parameters.contains { $0.path == "logit_scale" } }).weightDecay
    }
    #expect(try decay(true) == 0.1 && decay(false) == 0)
  }

  // MARK: - Losses

  static func q22RanksHaveTheirOwnNegativesOrShareThem() {
    #expect(SharedNegatives().groups(batchCount: 2, rankCount: 2) == [[0], [1]])
    #expect(SharedNegatives(acrossRanks: true).groups(batchCount: 2, rankCount: 2) == [[0, 1]])
  }

  static func q23TargetsBeyond256AreRight() {
    let count = 300
    var values = [Float](repeating: 0, count: count * count)
    for row in 0..<count { values[row * count + row] = 1 }
    let rows = Tensor([count, count], values)
    let loss = contrastiveLoss(images: rows, texts: rows, logitScale: Tensor([], [log(Float(50))])).loss.item
    #expect(loss < 1e-3, "every row's own column is its target")
  }

  static func q45EqualCaptionsAreNegativesOrPositives() {
    func result(
      _ matchesEqualCaptions: Bool, _ captions: [String], _ context: ForwardContext = .evaluation
    ) -> TaskResult {
      let encoder = pair()
      let samples = captions.map { Sample(imagePath: "", caption: $0, labels: [], origin: "") }
      let dataset = ImageTextDataset(
        name: "toy", table: "", samples: samples, classNames: [], promptSets: [])
      let task = ContrastiveTask(
        encoder: encoder, description: ModelDescription(encoder: encoder.config),
        tokenizer: DefaultVocabulary.tokenizer, training: dataset, validation: nil,
        objective: ContrastiveObjective(matchesEqualCaptions: matchesEqualCaptions))
      return task.loss(.train, Array(captions.indices), images(captions.count), context)
    }
    let (equal, other) = (["edema", "edema", "edema"], ["edema", "fracture", "pneumonia"])
    #expect(
      result(false, other, training).loss.item == result(true, other, training).loss.item,
      "captions that differ are negatives anyway")
    // Of equal captions only one can be the nearest.
    #expect(result(false, equal).metrics["acc1"] ?? 100 < 50)
    #expect(result(true, equal).metrics["acc1"] == 100)
    // Dropout sets them apart: each is pushed away from the others, or none is.
    #expect(result(false, equal, training).loss.item != result(true, equal, training).loss.item)
  }

  static func q44NumbersThatAreNotFiniteStopOrAreSkipped() throws {
    let odd = OddStep(what: "gradient of logit_scale is not finite", origins: ["table:2"])
    var config = StepGuard.Config()
    var progress = RunProgress()
    let error = #expect(throws: TrainingError.self) {
      try StepGuard(config).decide(odd, step: 3, &progress, RunLog())
    }
    #expect(error?.description.contains("logit_scale") == true && progress.skippedSteps == 0)
    config.onNotFinite = .skip
    #expect(try StepGuard(config).decide(odd, step: 3, &progress, RunLog()) && progress.skippedSteps == 1)
  }

  // MARK: - Metrics

  static func q15TopTwoIsCalledAcc5OrAcc2() {
    let names = ["a", "b", "c"]
    let classifier = ImageClassifier(
      ImageClassifierConfig(vision: vit, pooling: .mean, classNames: names))
    classifier.seed(RandomKey(seed: 1))
    let samples = [0, 1, 2, 2].map { Sample(imagePath: "", caption: nil, labels: [$0], origin: "") }
    let dataset = ImageTextDataset(
      name: "toy", table: "", samples: samples, classNames: names, promptSets: [])
    func metrics(_ hasPublishedNames: Bool) -> [String: Double] {
      let task = ClassificationTask(
        classifier: classifier,
        objective: ClassObjective(classNames: names, hasPublishedNames: hasPublishedNames),
        training: dataset, validation: nil)
      return task.loss(.train, [0, 1, 2, 3], images(4), .evaluation).metrics
    }
    let (published, right) = (metrics(true), metrics(false))
    #expect(right["acc2"] != nil && right["acc5"] == nil)
    #expect(published["acc5"] == right["acc2"])
  }

  static func q16AUCIsDefinedWhereThePublishedOneFails() {
    let (two, five) = ([0, 1, 0, 1], [0, 1, 2, 3, 4])
    let usual = PublishedAUC.usualClassCount
    #expect(PublishedAUC.failure(labels: two, columnCount: 2, classCount: usual) != nil, "RSNA")
    #expect(PublishedAUC.failure(labels: two, columnCount: 2, classCount: 2) == nil)
    #expect(PublishedAUC.failure(labels: five, columnCount: 5, classCount: usual) == nil, "5x200")
    #expect(
      PublishedAUC.failure(labels: five, columnCount: 14, classCount: usual)?.hasPrefix("5 of the 14") == true
    )
    let table = PredictionTable(
      classNames: (0..<14).map { "class \($0)" }, question: .oneOf,
      logits: five.flatMap { label in (0..<14).map { $0 == label ? 1 : 0 } }, labels: five.map { [$0] })
    #expect(Scorecard(table, validation: nil, traits: [], bootstrap: nil).metric("auc")?.value == 1)
  }

  static func q17TheConfusionMatrixHasARowForEachClass() {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: [0.9, 0.1, 0.8, 0.2, 0.3, 0.7],
      labels: [[0], [1], [1]])
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: nil)
    #expect(card.confusion == [[1, 0], [1, 1]])
  }

  static func q21ShortBatchesCountAsFullOnesOrNot() {
    let values = [Double](repeating: 1, count: 32) + [0]
    func mean(_ countsBatchesAlike: Bool) -> Double? {
      EvaluationMean.of(values, batchSize: 32, countsBatchesAlike: countsBatchesAlike)
    }
    #expect(mean(true) == 0.5 && mean(false) == 32.0 / 33)
    #expect(EvaluationMean.of([], batchSize: 32, countsBatchesAlike: true) == nil)
  }

  /// Probabilities of five fixture pictures under two prompts.
  private static func probabilities(_ encoder: DualEncoder, batchSize: Int) throws -> [[Float]] {
    let names = ["gray8_tall.png", "gray8_wide.png", "gray16.png", "gray8.jpg", "gray8_small.png"]
    let samples = names.enumerated().map { index, name in
      Sample(imagePath: "\(fixtures)/images/\(name)", caption: nil, labels: [index % 2], origin: name)
    }
    let dataset = ImageTextDataset(
      name: "toy", table: "", samples: samples, classNames: ["no", "yes"],
      promptSets: [PromptSet(name: "own", prompts: ["edema", "fracture"])])
    let store = PictureStore(pipeline: ImagePipeline(sizePixels: 28), memoryBytes: 0)
    let table = try ZeroShotEvaluation(
      encoder: encoder, description: ModelDescription(encoder: encoder.config),
      tokenizer: DefaultVocabulary.tokenizer
    ).score(dataset, ImagePass(pictures: store, batchSize: batchSize, workerCount: 0)) { _, _ in }.parts[0]
      .table
    let values = table.probabilities()
    return (0..<table.count).map { row in values[row * 2..<row * 2 + 2].map { Float($0) } }
  }

  static func q18TheLastBatchMayHoldOnePicture() throws {
    let encoder = pair()
    let (whole, single) = (try probabilities(encoder, batchSize: 5), try probabilities(encoder, batchSize: 2))
    #expect(single.count == 5)
    for (a, b) in zip(whole, single) { #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 }) }
  }

  static func q20PromptsFollowTheWeights() throws {
    let encoder = pair()
    let before = try probabilities(encoder, batchSize: 5)
    for named in encoder.text.parameters where named.path == "global_embed.weight" {
      let value = named.cell.value
      named.cell.value = Tensor(value.shape, value.array.enumerated().map { $1 + Float($0 % 7) * 0.1 })
    }
    #expect(try probabilities(encoder, batchSize: 5) != before)
  }
}
