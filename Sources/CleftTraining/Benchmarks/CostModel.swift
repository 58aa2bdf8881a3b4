import CleftFormats
import CleftModels
import CleftNN
import CleftTensor

/// What one batch of contrastive training computes, moves and keeps: arithmetic over the shapes of a model.
///
/// A product of `[m, k]` and `[k, n]` is `2·m·n·k` operations. A linear layer over `R` rows takes one product forward; in
/// backward one for its input if anything before it is trained, and one for its matrix if that is trained; with
/// recomputation one more forward. Attention over `T` queries and `K` keys a sequence takes 2 products of
/// `2·T·K·C` operations forward and 5 backward (the scores anew, and the gradients of probabilities, values, keys and
/// queries). Captions are packed: a caption has a row for each token, each vector in front of it and the slot behind it,
/// and no padding. Causal attention is counted in full: a caption is one tile.
///
/// Everything else moves memory: each operation reads its inputs once and writes its result once, from and to memory.
/// What is left out: augmentation, decoding, scalars, and whatever takes one row a caption outside the heads.
public struct CostModel: Sendable {
  /// What the factors of products and what is kept for backward are rounded to.
  public enum Precision: String, Sendable, Codable, CaseIterable {
    /// Nothing is rounded.
    case float32 = "32"
    /// Products take bfloat16 factors, and what backward needs is kept in bfloat16.
    case halfTrue = "bf16-true"
    /// Products take bfloat16 factors.
    case halfMixed = "bf16-mixed"

    /// Whether products take bfloat16 factors.
    public var roundsProducts: Bool { self != .float32 }
  }

  /// What a batch holds.
  public struct Batch: Sendable, Equatable {
    /// Pairs.
    public var pairCount: Int
    /// Tokens of each caption, vectors in front and slot behind not counted; none where no text is read.
    public var captionTokens: [Int]
    /// Off for evaluation.
    public var isTraining: Bool

    /// Makes a batch of images alone, to be scored.
    public init(imageCount: Int) { (pairCount, captionTokens, isTraining) = (imageCount, [], false) }

    /// Makes a batch whose captions have `shortest ... longest` tokens, evenly spread.
    public init(pairCount: Int, shortest: Int, longest: Int, isTraining: Bool = true) {
      self.pairCount = pairCount
      self.isTraining = isTraining
      captionTokens = (0..<pairCount).map { index in
        shortest + ((longest - shortest) * index + (pairCount - 1) / 2) / max(pairCount - 1, 1)
      }
    }
  }

  /// A part of the model.
  public enum Part: String, Sendable, Codable, CaseIterable {
    case image = "image tower"
    case imageAttention = "image attention"
    case text = "text tower"
    case textAttention = "text attention"
    case adapters
    case heads = "heads and loss"
  }

  /// Why something is computed.
  public enum Pass: String, Sendable, Codable, CaseIterable {
    case forward
    case recompute
    /// Backward, for inputs.
    case inputs
    /// Backward, for matrices.
    case weights
  }

  /// What bounds the time of a piece of work on one machine.
  public enum Kind: Sendable, Equatable {
    case product
    case halfProduct
    case attention
    /// No operations worth counting.
    case movement
  }

  /// A piece of work.
  public struct Work: Sendable, Equatable {
    /// Whose.
    public var part: Part
    /// What for.
    public var pass: Pass
    /// At which rate.
    public var kind: Kind
    /// Floating-point operations.
    public var operations: Double
    /// Bytes read and written.
    public var bytes: Double
  }

  /// All work of a batch.
  public let work: [Work]
  /// What batch, precision and model the counts are for.
  public let batch: Batch
  /// What is rounded.
  public let precision: Precision
  /// Whether blocks are computed again in backward.
  public let recomputes: Bool
  /// Rows of the image and of the text tower.
  public let imageRows, textRows: Int
  /// What the model itself takes.
  public let weights: Weights
  /// Bytes that the towers keep from forward to backward.
  public let imageKept, textKept: Double
  /// Bytes of the largest step within a tower that are free again behind it.
  public let workspace: Double

  /// Counts a model as it stands: adapted and frozen.
  ///
  /// - Throws: `TrainingError.badConfiguration` for an image tower that is no vision transformer.
  public init(_ model: DualEncoder, _ batch: Batch, _ precision: Precision, recomputes: Bool)
    throws(TrainingError)
  {
    (self.batch, self.precision, self.recomputes) = (batch, precision, recomputes)
    let image = try CostModelTower(image: model, batch, precision)
    let imageWalk = image.walk(recomputes: recomputes)
    var heads = CostModelWalk(rows: batch.pairCount, parts: .heads, precision, batch.isTraining)
    let trainsImages = heads.head(model.image.projection, behind: imageWalk.isTracked)
    (imageRows, imageKept) = (image.rows, imageWalk.kept + image.inputKept)
    var (textRows, textKept, workspace) = (0, 0.0, imageWalk.workspace)
    var work = imageWalk.work
    if !batch.captionTokens.isEmpty {
      let text = CostModelTower(text: model, batch, precision)
      let textWalk = text.walk(recomputes: recomputes)
      let trainsTexts = heads.head(model.text.projection, behind: textWalk.isTracked)
      heads.loss(
        model.config.embeddingSize, trackedSides: (trainsImages ? 1 : 0) + (trainsTexts ? 1 : 0))
      (textRows, textKept, workspace) = (text.rows, textWalk.kept, max(workspace, textWalk.workspace))
      work += textWalk.work
    }
    self.work = work + heads.work
    (self.textRows, self.textKept, self.workspace) = (textRows, textKept, workspace)
    weights = Weights(model, precision)
  }

  /// Operations of some parts and passes, all by default.
  public func operations(_ parts: [Part] = Part.allCases, _ passes: [Pass] = Pass.allCases) -> Double {
    work.reduce(0) { $0 + (parts.contains($1.part) && passes.contains($1.pass) ? $1.operations : 0) }
  }

  /// Bytes read and written by what is no product and no attention.
  public var movedBytes: Double { work.reduce(0) { $0 + ($1.kind == .movement ? $1.bytes : 0) } }

  /// Parameters and what they take in memory.
  public struct Weights: Sendable, Equatable {
    /// All parameters.
    public let count: Int
    /// Those that gradients reach.
    public let liveCount: Int
    /// Bytes of the trained ones: float32 whatever the precision.
    public let trainedBytes: Int
    /// Bytes of frozen matrices that are kept in bfloat16.
    public let roundedBytes: Int
    /// Bytes of what else is frozen: pages of the weights file where that holds float32, memory otherwise.
    public let frozenBytes: Int
    /// Elements of trained matrices that every pass rounds to bfloat16.
    public let roundedEachPass: Int

    init(_ model: DualEncoder, _ precision: Precision) {
      let idle = Set(
        model.image.model.idleKeys(pooling: model.config.pooling).map { KeyMap.imagePrefix + $0 })
      let cells = model.cells()
      count = cells.reduce(0) { $0 + $1.cell.shape.count }
      let trained = cells.filter { $0.cell.isTrainable && $0.cell.role == .parameter }
      trainedBytes = 4 * trained.reduce(0) { $0 + $1.cell.shape.count }
      liveCount = trained.filter { !idle.contains($0.path) }.reduce(0) { $0 + $1.cell.shape.count }
      let layers = LinearCount.layers(in: model)
      let wide = layers.values.filter { precision.roundsProducts && $0.isWide }
      let frozenWide = wide.filter { !$0.isTrained }.reduce(0) { $0 + $1.input * $1.output }
      roundedBytes = 2 * frozenWide
      frozenBytes = 4 * (count - frozenWide) - trainedBytes
      roundedEachPass = wide.filter(\.isTrained).reduce(0) { $0 + $1.input * $1.output }
    }
  }
}
