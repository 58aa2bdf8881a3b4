import CleftFormats
import CleftNN
import CleftTensor

/// Settings of LoRA and its variants, with CLEFT's defaults.
public struct LoRAConfig: AdapterConfig, Equatable {
  /// How the two factors start.
  public enum Start: Codable, Sendable, Equatable {
    /// `A` Kaiming-uniform, `B` zero.
    case kaiming
    /// `A` normal with deviation 1/rank, `B` zero.
    case gaussian
    /// Both Kaiming-uniform: the correction is not zero.
    case random
    /// The largest singular values of the weight; what is left stays in the base layer. `iterations` nil computes them
    /// exactly.
    case pissa(iterations: Int?)
  }

  /// `LORA`.
  public static let peftType = "LORA"

  /// Rank of the correction.
  public var rank: Int
  /// The correction is scaled by alpha / rank, by alpha / √rank with `usesRankStabilization`.
  public var alpha: Float
  /// Dropout on the adapter's input in training.
  public var dropout: Float
  /// Layers to change; nil takes the model's default.
  public var targetModules: TargetModules?
  /// Ranks of single layers, by the ends of their paths or regular expressions.
  public var rankPattern: [String: Int]
  /// Alphas of single layers likewise.
  public var alphaPattern: [String: Float]
  /// Numbers of the blocks to change; nil changes all.
  public var layersToTransform: [Int]?
  /// Whether the scale falls with √rank (rsLoRA).
  public var usesRankStabilization: Bool
  /// Whether the length of each output's weights is trained apart from their direction (DoRA).
  public var usesDoRA: Bool
  /// How the factors start.
  public var start: Start

  /// Makes settings.
  public init(
    rank: Int = 8, alpha: Float = 32, dropout: Float = 0.1, targetModules: TargetModules? = nil,
    rankPattern: [String: Int] = [:], alphaPattern: [String: Float] = [:], layersToTransform: [Int]? = nil,
    usesRankStabilization: Bool = false, usesDoRA: Bool = false, start: Start = .kaiming
  ) {
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.targetModules = targetModules
    self.rankPattern = rankPattern
    self.alphaPattern = alphaPattern
    self.layersToTransform = layersToTransform
    self.usesRankStabilization = usesRankStabilization
    self.usesDoRA = usesDoRA
    self.start = start
  }

  /// `lora_`.
  public var parameterMark: String { "lora_" }

  /// Puts a correction on the targeted linear layers and freezes the rest.
  public func apply(to root: any Module, _ place: AdapterPlace) throws(AdapterError) -> [String] {
    try addBranches(to: root, targetModules ?? .names(place.targets.lowRank)) {
      path, base throws(AdapterError) in
      if let layersToTransform, !layersToTransform.contains(where: { isInBlock(path, $0) }) { return nil }
      let rank = patternValue(rankPattern, for: path) ?? rank
      let limit = min(base.inputSize, base.outputSize)
      guard rank > 0, rank <= limit else {
        throw .badSetting(
          Problem(path, found: "rank \(rank)", expected: "1 ... \(limit)", hint: "Choose a smaller rank."))
      }
      let alpha = patternValue(alphaPattern, for: path) ?? alpha
      let scale = alpha / (usesRankStabilization ? Float(rank).squareRoot() : Float(rank))
      let branch = LoRABranch(base, self, rank: rank, scale: scale, name: place.name)
      if place.startsFresh {
        if case .pissa = start, !base.$weight.peek().sumOfSquares.isFinite {
          throw .noSuchLayer(
            Problem(
              "\(path).weight", found: "numbers that are not finite",
              expected: "a matrix that can be decomposed",
              hint: "Check the weights file, or start with --init_lora_weights true."))
        }
        branch.start(from: base)
      }
      return branch
    }
  }

  /// Whether a path leads through block `index`: the first number in it.
  private func isInBlock(_ path: String, _ index: Int) -> Bool {
    path.split(separator: ".").lazy.compactMap { Int($0) }.first == index
  }
}
