import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation
import Testing

/// What each task makes of a batch.
@Suite struct TaskTests {
  private static let vision = VisionTransformerConfig(
    hiddenSize: 32, depth: 1, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.1)

  private func samples(_ captions: [String?], labels: [[Int]]) -> [Sample] {
    zip(captions, labels).enumerated().map { index, row in
      Sample(imagePath: "\(index).png", caption: row.0, labels: row.1, origin: "table:\(index)")
    }
  }

  private func dataset(_ samples: [Sample], classes: [String] = [], prompts: [String] = [])
    -> ImageTextDataset
  {
    ImageTextDataset(
      name: "toy", table: "table", samples: samples, classNames: classes,
      promptSets: prompts.isEmpty ? [] : [PromptSet(name: "default", prompts: prompts)])
  }

  private func pair(hasLogitBias: Bool = false, promptCount: Int = 0) throws -> (
    DualEncoder, ModelDescription
  ) {
    var config = DualEncoderConfig(
      vision: Self.vision,
      text: GPTConfig(
        vocabularySize: 512, positionCount: 64, hiddenSize: 32, depth: 1, headCount: 2, dropout: 0,
        initializerRange: 0.1),
      embeddingSize: 16, captionLength: 24)
    config.hasLogitBias = hasLogitBias
    let description = ModelDescription(
      encoder: config, prompt: promptCount > 0 ? PromptTuningConfig(virtualTokenCount: promptCount) : nil)
    let encoder = try description.makePair()
    encoder.seed(RandomKey(seed: 3))
    return (encoder, description)
  }

  private func images(_ count: Int) -> Tensor {
    Initializer.uniform(bound: 1).makeTensor([count, 3, 28, 28], key: RandomKey(seed: 5))
  }

  private var context: ForwardContext { ForwardContext(isTraining: true, key: RandomKey(seed: 8)) }

  /// Gradients by path, and metrics, of one batch of all training samples.
  private func step(_ task: any TrainingTask) -> (gradients: [String: [Float]], metrics: [String: Double]) {
    let count = task.trainingSamples.count
    let result = task.loss(.train, Array(0..<count), images(count), context)
    let gradients = result.loss.gradients()
    var found: [String: [Float]] = [:]
    for named in task.model.parameters { found[named.path] = gradients[named.cell.leaf]?.array }
    return (found, result.metrics)
  }

  private func contrastive(
    _ captions: [String], _ objective: ContrastiveObjective
  ) throws -> (gradients: [String: [Float]], metrics: [String: Double]) {
    let (encoder, description) = try pair(hasLogitBias: objective.kind == .sigmoid)
    return step(
      ContrastiveTask(
        encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer,
        training: dataset(samples(captions, labels: captions.map { _ in [] })), validation: nil,
        objective: objective))
  }

  // MARK: - Pairs

  @Test func equalCaptionsCountOnlyWhereThereAreSome() throws {
    for kind in ContrastiveObjective.Kind.allCases {
      let (plain, equal) = (
        ContrastiveObjective(kind: kind), ContrastiveObjective(kind: kind, matchesEqualCaptions: true)
      )
      let distinct = ["edema", "fracture", "pleural effusion", "no finding"]
      let (a, b) = (try contrastive(distinct, plain), try contrastive(distinct, equal))
      #expect(a.gradients == b.gradients && a.metrics == b.metrics, "\(kind)")
      let repeated = ["edema", "fracture", "edema", "no finding"]
      let (c, d) = (try contrastive(repeated, plain), try contrastive(repeated, equal))
      #expect(c.metrics["loss"] != d.metrics["loss"], "\(kind)")
    }
  }

  @Test func theSigmoidLossTrainsItsShift() throws {
    let captions = ["edema", "fracture", "pleural effusion"]
    let sigmoid = try contrastive(captions, ContrastiveObjective(kind: .sigmoid))
    #expect(sigmoid.gradients["logit_bias"]?.first.map { $0 != 0 } == true)
    #expect(try contrastive(captions, ContrastiveObjective()).gradients["logit_bias"] == nil)
  }

  @Test func theShiftIsPartOfTheModelOnlyWhereItIsTrained() throws {
    let (encoder, description) = try pair(hasLogitBias: true)
    let paths = encoder.cells().map(\.path)
    #expect(Array(paths.prefix(2)) == ["logit_scale", "logit_bias"])
    #expect(encoder.logitBias?.item == -10)
    let read = try JSONDecoder().decode(ModelDescription.self, from: Data(jsonText(description).utf8))
    #expect(read.encoder.hasLogitBias)
    encoder.setLogitBias(isPresent: false)
    #expect(encoder.logitBias == nil && !encoder.cells().contains { $0.path == "logit_bias" })
    // Files written before there was one say nothing of it.
    let plain = jsonText(try pair().1)
    #expect(!plain.contains("hasLogitBias"))
    #expect(try !JSONDecoder().decode(ModelDescription.self, from: Data(plain.utf8)).encoder.hasLogitBias)
  }

  @Test func theShiftIsNotWrittenForThePublishedProgram() throws {
    let (encoder, description) = try pair(hasLogitBias: true)
    #expect(!PublishedState.tensors(encoder, description).contains { $0.key == "logit_bias" })
    #expect(!PublishedState.storedDescription(description).contains("hasLogitBias"))
  }

  @Test func aTaskGivenSeveralBatchesGroupsAllOfThem() throws {
    let (encoder, description) = try pair()
    let captions = ["edema", "fracture", "edema", "no finding"]
    let task = ContrastiveTask(
      encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer,
      training: dataset(samples(captions, labels: captions.map { _ in [] })), validation: nil,
      objective: ContrastiveObjective(matchesEqualCaptions: true))
    let order = [3, 0, 2, 1]
    let pictures = images(4)
    let whole = task.loss(.train, order, pictures, context)
    let halves = [0, 1].map { half in
      task.features(
        .train, Array(order[2 * half..<2 * half + 2]), pictures.rowView(2 * half..<2 * half + 2), context)
    }
    let features = [0, 1].map { side in stackedRows(halves.map { $0[side] }) }
    let joined = task.loss(.train, order, features: features, context)
    #expect(abs(whole.loss.item - joined.loss.item) < 1e-5)
    #expect(whole.metrics["acc1"] == joined.metrics["acc1"])
  }

  // MARK: - Classes

  private static let classes = ["edema", "fracture", "no finding"]
  private static let labels = [[0], [1, 2], [2], []]

  private func classifier(outputs: Int = 3, isNormalized: Bool = false) -> ImageClassifier {
    let model = ImageClassifier(
      ImageClassifierConfig(
        vision: Self.vision, pooling: .mean, classNames: Self.classes, outputCount: outputs,
        normalizesOutputs: isNormalized))
    model.seed(RandomKey(seed: 4))
    return model
  }

  private func task(_ model: ImageClassifier, _ objective: ClassObjective) -> ClassificationTask {
    ClassificationTask(
      classifier: model, objective: objective,
      training: dataset(samples([nil, nil, nil, nil], labels: Self.labels), classes: Self.classes),
      validation: nil)
  }

  @Test func aClassifierHasThePublishedKeys() throws {
    let model = classifier(outputs: 5)
    let paths = model.cells().map(\.path)
    #expect(paths.allSatisfy { $0.hasPrefix("img_encoder_q.") })
    #expect(
      Array(paths.suffix(2)) == ["img_encoder_q.global_embed.weight", "img_encoder_q.global_embed.bias"])
    let cells = Dictionary(uniqueKeysWithValues: model.cells().map { ($0.path, $0.cell) })
    let weight = try #require(cells["img_encoder_q.global_embed.weight"]).value
    #expect(weight.shape == [5, 32])
    #expect(weight.array.allSatisfy { abs($0) <= 1 / Float(32).squareRoot() })
    #expect(weight.array.contains { abs($0) > 0.8 / Float(32).squareRoot() })
  }

  @Test func aStoredClassifierComesBackWhole() throws {
    let model = classifier(outputs: 4)
    let description = ClassifierDescription(
      classifier: model.config, imageAdapter: try AdapterDescription(method: "lora"), isMultiLabel: true)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileSystem.makeFolder(folder)
    try FileSystem.write(Data(jsonText(description).utf8), to: folder + "/model.json")
    let read = try #require(try StoredModelCatalog.read(folder) as? ClassifierDescription)
    #expect(jsonText(read) == jsonText(description))
    #expect(read.classifier.classNames == Self.classes && read.isMultiLabel)
    let again = try read.makeModel()
    #expect(again.cells().contains { $0.path.contains("lora_A") })
    #expect(throws: TrainingError.self) { try ModelDescription.read(folder) }

    let copy = classifier(outputs: 4)
    for named in copy.cells() { named.cell.value = Tensor(named.cell.shape, repeating: 0) }
    let values = Dictionary(uniqueKeysWithValues: model.cells().map { ($0.path, $0.cell.value) })
    try copy.load(from: "memory", keys: values.mapValues(\.shape)) { values[$0] ?? Tensor([]) }
    let (a, b) = (model(images(2), .evaluation), copy(images(2), .evaluation))
    #expect(a.array == b.array && a.shape == [2, 4])
    #expect(throws: StateDictError.self) {
      try copy.load(from: "memory", keys: values.mapValues(\.shape).filter { !$0.key.hasSuffix("bias") }) {
        values[$0] ?? Tensor([])
      }
    }
  }

  @Test func oneLabelIsACrossEntropyOfTheFirst() throws {
    let model = classifier()
    let logits = model(images(4), context)
    let task = task(model, ClassObjective(classNames: Self.classes))
    let result = task.loss(.train, [0, 1, 2, 3], images(4), context)
    #expect(result.loss.item == crossEntropy(logits, [0, 1, 2, 0]).item)
    #expect(Set(result.metrics.keys) == ["loss", "acc1", "acc2"])
    #expect(result.classScores.map(\.name) == Self.classes)
    #expect(result.classScores[1].isPositive == [false, true, false, false])
    for row in 0..<4 {
      let sum = result.classScores.reduce(0) { $0 + $1.scores[row] }
      #expect(abs(sum - 1) < 1e-5)
    }
    #expect(task.notes.contains { $0.contains("1 training pictures without any class") })
  }

  @Test func publishedNamesAddAcc5() {
    let task = task(classifier(), ClassObjective(classNames: Self.classes, hasPublishedNames: true))
    let metrics = step(task).metrics
    #expect(metrics["acc5"] != nil && metrics["acc5"] == metrics["acc2"])
  }

  @Test func severalLabelsAreASigmoidEach() throws {
    let model = classifier(outputs: 4)
    let logits = model(images(4), context)
    let task = task(model, ClassObjective(classNames: Self.classes, isMultiLabel: true))
    let result = task.loss(.train, [3, 1, 2, 0], images(4), context)
    let targets = Tensor([4, 4], [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0])
    #expect(result.loss.item == binaryCrossEntropy(logits, targets).item)
    #expect(Set(result.metrics.keys) == ["loss", "acc"])
    #expect(result.classScores[2].isPositive == [false, true, true, false])
    #expect(task.inputs(.train, [1]).integers["labels"] == [[0, 1, 1]])
  }

  @Test func outputsBehindTheClassesAreTrainedAndNotPredicted() {
    let model = classifier(outputs: 7)
    let result = task(model, ClassObjective(classNames: Self.classes)).loss(
      .train, [0, 1, 2, 3], images(4), context)
    #expect(result.loss.item == crossEntropy(model(images(4), context), [0, 1, 2, 0]).item)
    #expect(result.classScores.count == 3)
  }

  @Test func thePublishedBaselineNormalizesItsOutputs() {
    let outputs = classifier(isNormalized: true)(images(2), .evaluation).array
    for row in 0..<2 {
      let square = outputs[3 * row..<3 * row + 3].reduce(0) { $0 + $1 * $1 }
      #expect(abs(square - 1) < 1e-5)
    }
  }

  @Test func classesWithoutPicturesAreSaid() {
    let notes = ClassObjective(classNames: ["a", "b", "c"]).notes(samples([nil, nil], labels: [[0], [2]]))
    #expect(notes == ["no training picture has the class 'b'."])
    #expect(throws: TrainingError.self) { try ClassObjective(classNames: ["a"]).requireClasses("table") }
    #expect(throws: Never.self) {
      try ClassObjective(classNames: ["a"], isMultiLabel: true).requireClasses("table")
    }
  }

  // MARK: - Class prompts

  private func promptTask(
    _ prompts: [String], isMultiLabel: Bool = false
  ) throws -> (task: ClassPromptTask, encoder: DualEncoder) {
    let (encoder, description) = try pair(promptCount: 4)
    encoder.text.setTrainable(false)
    encoder.text.model.virtualTokens?.cell.isTrainable = true
    let task = try ClassPromptTask(
      encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer,
      keepsLeadingSpace: true,
      objective: ClassObjective(classNames: Self.classes, isMultiLabel: isMultiLabel),
      training: dataset(
        samples([nil, nil, nil, nil], labels: Self.labels), classes: Self.classes, prompts: prompts),
      validation: nil)
    return (task, encoder)
  }

  @Test(arguments: [false, true])
  func classPromptsTrainTheVectors(_ isMultiLabel: Bool) throws {
    let (task, encoder) = try promptTask(Self.classes, isMultiLabel: isMultiLabel)
    let (gradients, metrics) = step(task)
    let vectors = gradients.filter { $0.key.contains("prompt_encoder") }
    #expect(vectors.count == 1 && vectors.allSatisfy { $0.value.contains { $0 != 0 } })
    #expect(gradients["logit_scale"] != nil)
    #expect(!gradients.keys.contains { $0.hasPrefix("text_encoder_q.global_embed") })
    #expect(metrics[isMultiLabel ? "acc" : "acc1"] != nil)
    #expect(task.tokenCount(.train, [0]) > 0)
    #expect(encoder.text.model.virtualTokens != nil)
  }

  @Test func classPromptScoresAreThoseOfAZeroShotEvaluation() throws {
    let (task, encoder) = try promptTask(Self.classes)
    let tokenizer = DefaultVocabulary.tokenizer
    let (_, description) = try pair(promptCount: 4)
    let texts = encoder.text(
      encoder.textBatch(Self.classes.map { description.tokens($0, tokenizer) }), .evaluation)
    let scores = matmul(encoder.image(images(4), .evaluation), texts, transposingB: true)
    let logits = scores * exp(encoder.logitScale.item)
    let result = task.loss(.train, [0, 1, 2, 3], images(4), .evaluation)
    #expect(abs(result.loss.item - crossEntropy(logits, [0, 1, 2, 0]).item) < 1e-5)
  }

  /// What is scored by several texts a class is not tuned by one of them.
  @Test func ensemblesAndPairsAreRefused() throws {
    let (encoder, description) = try pair(promptCount: 4)
    let texts = Self.classes.map { [$0] }
    let sets = [
      (PromptSet(name: "many", texts: texts.map { $0 + ["x" + $0[0]] }), "several texts for a class"),
      (PromptSet(name: "both", texts: texts, negatives: texts), "texts for and against each class"),
    ]
    for (set, reason) in sets {
      var training = dataset(samples([nil, nil], labels: [[0], [1]]), classes: Self.classes)
      training.promptSets = [set]
      let error = #expect(throws: TrainingError.self) {
        try ClassPromptTask(
          encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer,
          keepsLeadingSpace: true, objective: ClassObjective(classNames: Self.classes),
          training: training, validation: nil)
      }
      #expect(error?.problem.location == "--class_wise")
      #expect(error?.problem.found == "the prompt set '\(set.name)' with \(reason)")
    }
  }

  @Test func promptsThatReadAlikeAreRefused() {
    #expect(throws: TrainingError.self) { try promptTask(["edema", "edema", "no finding"]) }
  }
}
