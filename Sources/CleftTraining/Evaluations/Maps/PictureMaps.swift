import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation

/// Maps of where a pair of towers sees its prompts in a picture.
///
/// A prompt is held against the others, as the softmax does it, or against its own negative; a single one stands alone.
public struct PictureMaps {
  let encoder: DualEncoder
  /// Unit vectors of the prompts, and of what denies each, by prompt.
  let texts: [[Float]]
  let negatives: [[Float]]?
  let reference: PictureReference?

  /// Makes maps for prompts.
  ///
  /// - Parameters:
  ///   - texts: unit vectors `[K, E]`, means of ensembles included.
  ///   - negatives: unit vectors of the prompts' negatives `[K, E]`, where each prompt is a question of its own.
  ///   - reference: what is usual in each place; without it `similarity` and `occlusion` point less well.
  public init(
    encoder: DualEncoder, texts: Tensor, negatives: Tensor? = nil, reference: PictureReference? = nil
  ) {
    precondition(
      texts.shape.rank == 2 && texts.shape[0] > 0 && texts.shape == negatives?.shape ?? texts.shape,
      "picture maps: texts [\(texts.shape)], negatives [\(negatives?.shape ?? [])]")
    self.encoder = encoder
    self.texts = Self.rows(texts)
    self.negatives = negatives.map(Self.rows)
    self.reference = reference
  }

  /// Makes maps for classes.
  public init(encoder: DualEncoder, texts: ClassTexts, reference: PictureReference? = nil) {
    self.init(encoder: encoder, texts: texts.positive, negatives: texts.negative, reference: reference)
  }

  /// Methods that fit a pair of towers, the one that points best first.
  public static func methods(for encoder: DualEncoder) -> [MapMethod] {
    let config = encoder.config.vision
    let side = config.imageSizePixels
    // One pass tells: whether a tower has tokens depends on its kind and its settings.
    let probe = Tensor([1, 3, side, side])
    let hasTokens = withoutGradients { encoder.image.inspect(probe, .evaluation) != nil }
    return MapMethod.allCases.filter { hasTokens || !$0.needsTokens }
  }

  /// One map a prompt.
  ///
  /// - Parameters:
  ///   - image: as the model sees it `[1, 3, S, S]`.
  ///   - chosen: the prompts that maps are wanted of, in this order; nil for all.
  /// - Throws: `TrainingError.badConfiguration` if the tower has no token for each place and the method needs them.
  public func maps(
    _ image: Tensor, method: MapMethod, of chosen: [Int]? = nil
  ) throws(TrainingError) -> [PictureMap] {
    let chosen = chosen ?? Array(texts.indices)
    precondition(image.shape.rank == 4 && image.shape[0] == 1, "picture maps: image [\(image.shape)]")
    let found =
      switch method {
      case .rollout: rollout(image, of: chosen)
      case .similarity: similarity(image).map { maps in chosen.map { maps[$0] } }
      case .occlusion: Optional(occlusion(image)).map { maps in chosen.map { maps[$0] } }
      }
    if let found { return found }
    throw .badConfiguration(
      Problem(
        "map method \(method.rawValue)", found: "an image tower without a token for each place",
        expected: "a vision transformer, a masked autoencoder's too, that sees all patches",
        hint: "'occlusion' looks into every tower."))
  }

  // MARK: - What a prompt is held against

  var promptCount: Int { texts.count }

  /// For each prompt, what is to be multiplied with a vector to get its score against the others, whose weights are given
  /// for each prompt.
  private func directions(_ weights: (_ prompt: Int) -> [Float]) -> [[Float]] {
    texts.indices.map { prompt in
      var direction = texts[prompt]
      func subtract(_ other: [Float], _ weight: Float) {
        for i in direction.indices { direction[i] -= weight * other[i] }
      }
      if let negatives {
        subtract(negatives[prompt], 1)
      } else if texts.count > 1 {
        let weights = weights(prompt)
        for other in texts.indices where other != prompt { subtract(texts[other], weights[other]) }
      }
      return direction
    }
  }

  /// Each prompt against the plain mean of the others.
  var meanContrasts: [[Float]] {
    directions { _ in [Float](repeating: 1 / Float(max(1, promptCount - 1)), count: promptCount) }
  }

  /// The gradient of each prompt's log-odds in the picture's unit vector, but for the model's scale.
  ///
  /// The other prompts count by their probabilities.
  func oddsGradients(_ embedding: [Float]) -> [[Float]] {
    let scores = scaledScores(embedding, texts)
    return directions { prompt in
      var others = scores
      others[prompt] = -.infinity
      let sum = logSumExp(others)
      return others.map { exp($0 - sum) }
    }
  }

  /// Log-odds of each prompt for a picture's unit vector; the scaled score of one that stands alone.
  func logOdds(_ embedding: [Float]) -> [Float] {
    let scores = scaledScores(embedding, texts)
    if let negatives { return zip(scores, scaledScores(embedding, negatives)).map { $0 - $1 } }
    if scores.count == 1 { return scores }
    return scores.indices.map { prompt in
      var others = scores
      others[prompt] = -.infinity
      return scores[prompt] - logSumExp(others)
    }
  }

  private func scaledScores(_ embedding: [Float], _ texts: [[Float]]) -> [Float] {
    let scale = exp(encoder.logitScale.item)
    return texts.map { scale * dot(embedding, $0) }
  }

  private func logSumExp(_ values: [Float]) -> Float {
    let highest = values.max() ?? 0
    return highest + log(values.reduce(0) { $0 + exp($1 - highest) })
  }

  static func rows(_ tensor: Tensor) -> [[Float]] {
    let (values, width) = (tensor.array, tensor.shape.last)
    return (0..<tensor.shape.rows).map { Array(values[$0 * width..<($0 + 1) * width]) }
  }
}

/// Sum of products.
func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
