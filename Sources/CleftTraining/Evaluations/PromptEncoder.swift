import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText

/// Turns prompts into unit vectors, each different text once however often it is asked for.
public final class PromptEncoder {
  /// Prompts met so far that are longer than the model's columns and are cut.
  public private(set) var cut: Set<String> = []
  private let encoder: DualEncoder
  private let reader: ClassPrompts
  private var known: [String: [Float]] = [:]

  /// Texts of a batch.
  private static let batchSize = 256

  /// Makes an encoder of a model.
  ///
  /// - Parameter keepsLeadingSpace: see `ModelDescription.tokens`.
  public init(
    encoder: DualEncoder, description: ModelDescription, tokenizer: any Tokenizer,
    keepsLeadingSpace: Bool = true
  ) {
    self.encoder = encoder
    reader = ClassPrompts(
      description: description, tokenizer: tokenizer, keepsLeadingSpace: keepsLeadingSpace)
  }

  /// Unit vectors of texts `[n, E]`.
  public func vectors(_ texts: [String]) -> Tensor {
    var fresh: [String] = []
    var seen: Set<String> = []
    for text in texts where known[text] == nil && seen.insert(text).inserted { fresh.append(text) }
    let width = encoder.config.embeddingSize
    for start in stride(from: 0, to: fresh.count, by: Self.batchSize) {
      let part = fresh[start..<min(start + Self.batchSize, fresh.count)]
      let values = withoutGradients {
        let batch = encoder.textBatch(part.map { reader.tokens($0) }, deduplicates: true)
        return encoder.text(batch, .evaluation).array
      }
      for (place, text) in part.enumerated() {
        known[text] = Array(values[place * width..<(place + 1) * width])
      }
    }
    return Tensor([texts.count, width], texts.flatMap { known[$0] ?? [] })
  }

  /// Fails if classes cannot be told apart by their prompts.
  ///
  /// - Parameter prefix: a picture's own text in front of every prompt.
  /// - Throws: `TrainingError.badConfiguration` naming two texts that the model reads alike.
  public func requireDistinct(_ set: PromptSet, prefix: String = "") throws(TrainingError) {
    cut.formUnion(try reader.requireDistinct(set.texts.flatMap { $0 }.map { prefix + $0 }))
    for (texts, against) in zip(set.texts, set.negatives ?? []) {
      cut.formUnion(try reader.requireDistinct((texts + against).map { prefix + $0 }))
    }
  }

  /// What stands for the classes of a prompt set.
  ///
  /// - Parameter prefix: a picture's own text in front of every prompt.
  public func classTexts(_ set: PromptSet, prefix: String = "") -> ClassTexts {
    // All of them at once, before each class asks for its own.
    _ = vectors(set.allTexts.map { prefix + $0 })
    return ClassTexts(
      positive: means(set.texts, prefix), negative: set.negatives.map { means($0, prefix) })
  }

  /// The mean of the unit vectors of each class's texts, as a unit vector.
  private func means(_ texts: [[String]], _ prefix: String) -> Tensor {
    let width = encoder.config.embeddingSize
    let rows = texts.map { own -> Tensor in
      let vectors = vectors(own.map { prefix + $0 })
      return own.count == 1
        ? vectors
        : withoutGradients { normalizeRows(meanOverSequences(vectors, count: 1)) }
    }
    return Tensor([texts.count, width], rows.flatMap(\.array))
  }
}

/// Unit vectors that stand for classes.
public struct ClassTexts {
  /// One a class `[K, E]`.
  public let positive: Tensor
  /// One against each class `[K, E]`; nil where classes are compared with each other.
  public let negative: Tensor?

  /// Arguments of the softmax over classes, or with negatives of each class's sigmoid.
  ///
  /// The sigmoid of a difference of scores is the softmax over the two.
  /// - Shapes: `images` `[n, E]`, unit vectors, → n rows of K numbers.
  /// - Parameter scale: exponential of the model's logit scale.
  public func logits(_ images: Tensor, scale: Float) -> [[Float]] {
    let count = positive.shape[0]
    func scores(_ texts: Tensor) -> [Float] {
      withoutGradients { (matmul(images, texts, transposingB: true) * scale).array }
    }
    var values = scores(positive)
    if let negative {
      for (place, against) in scores(negative).enumerated() { values[place] -= against }
    }
    return (0..<images.shape[0]).map { Array(values[$0 * count..<($0 + 1) * count]) }
  }
}
