import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation
import Testing

/// What stands for a class, and what scores make of it.
@Suite struct PromptEncoderTests {
  private func pair() throws -> (DualEncoder, PromptEncoder) {
    let config = DualEncoderConfig(
      vision: VisionTransformerConfig(
        hiddenSize: 32, depth: 1, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.1),
      text: GPTConfig(
        vocabularySize: 512, positionCount: 64, hiddenSize: 32, depth: 1, headCount: 2, dropout: 0,
        initializerRange: 0.1),
      embeddingSize: 16, captionLength: 24)
    let description = ModelDescription(encoder: config)
    let encoder = try description.makePair()
    encoder.seed(RandomKey(seed: 3))
    let prompts = PromptEncoder(
      encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer)
    return (encoder, prompts)
  }

  @Test func anEnsembleIsTheUnitMeanOfItsTexts() throws {
    let (_, prompts) = try pair()
    let set = PromptSet(name: "two", texts: [["edema", "lung edema"], ["fracture"]])
    let classes = prompts.classTexts(set).positive.array
    let (one, other) = (prompts.vectors(["edema"]).array, prompts.vectors(["lung edema"]).array)
    let mean = zip(one, other).map { ($0 + $1) / 2 }
    let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
    for (found, expected) in zip(classes, mean) { #expect(abs(found - expected / length) < 1e-6) }
    #expect(Array(classes[16...]) == prompts.vectors(["fracture"]).array)
  }

  @Test func aPairOfPromptsIsASoftmaxOverTheTwo() throws {
    let (encoder, prompts) = try pair()
    let set = PromptSet(name: "pair", texts: [["edema"]], negatives: [["no edema"]])
    let images = encoder.image(
      Initializer.uniform(bound: 1).makeTensor([3, 3, 28, 28], key: RandomKey(seed: 5)), .evaluation)
    let logits = prompts.classTexts(set).logits(images, scale: 14)
    let both = PromptSet(name: "both", prompts: ["edema", "no edema"])
    for (row, scores) in zip(logits, prompts.classTexts(both).logits(images, scale: 14)) {
      #expect(abs(row[0] - (scores[0] - scores[1])) < 1e-5)
    }
  }

  @Test func textsAreEncodedOnce() throws {
    let (encoder, prompts) = try pair()
    let before = prompts.vectors(["edema", "edema"]).array
    for named in encoder.text.parameters { named.cell.value = Tensor(named.cell.shape) }
    #expect(prompts.vectors(["edema", "edema"]).array == before)
  }

  @Test func textsThatReadAlikeAreRefusedInAnyPlace() throws {
    let (_, prompts) = try pair()
    for set in [
      PromptSet(name: "a", texts: [["edema"], ["fracture", "edema"]]),
      PromptSet(name: "b", texts: [["edema"]], negatives: [["edema"]]),
    ] {
      #expect(throws: TrainingError.self) { try prompts.requireDistinct(set) }
    }
  }

  @Test func predictionsAreReadAsTheyWereWritten() throws {
    var samples = [
      Sample(imagePath: "a, b.png", caption: nil, labels: [0, 1], origin: "t:2", patient: "p"),
      Sample(imagePath: "c.png", caption: nil, labels: [], origin: "t:3", patient: "p"),
      Sample(imagePath: "d.png", caption: nil, labels: [1], origin: "t:4"),
    ]
    samples[2].uncertain = [0]
    let dataset = ImageTextDataset(
      name: "toy", table: "t", samples: samples, classNames: ["edema", "air, free"], promptSets: [])
    let table = PredictionTable(
      classNames: dataset.classNames, question: .each,
      logits: [0.5, -1.25, 3, 0.1, -2, 1e-9].map { Double(Float($0)) },
      labels: samples.map(\.labels), unknown: samples.map(\.uncertain),
      clusters: PredictionTable.clusters(of: samples.map(\.patient)))
    let path = NSTemporaryDirectory() + UUID().uuidString + "-predictions.csv"
    let text = PredictionFile.text(dataset, ScoredPictures(parts: [.init(prompts: nil, table: table)]))
    try FileSystem.write(Data(text.utf8), to: path)
    let file = try PredictionFile(path)
    #expect(file.paths == samples.map(\.imagePath) && file.table.classNames == table.classNames)
    #expect(file.table.logits == table.logits && file.table.labels == table.labels)
    #expect(file.table.unknown == table.unknown && file.table.clusters == table.clusters)
    try FileSystem.write(
      Data(text.replacing("air, free\"\n", with: "x\"\n").replacing(",p,", with: ",p,q").utf8), to: path)
    #expect(throws: (any Error).self) { try PredictionFile(path) }
  }
}
