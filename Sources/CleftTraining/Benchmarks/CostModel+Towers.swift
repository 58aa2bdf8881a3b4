import CleftFormats
import CleftModels
import CleftNN
import CleftTensor

/// A tower, taken apart for counting.
struct CostModelTower {
  let rows: Int
  let isTrained: Bool
  /// Bytes that are kept of the pictures.
  let inputKept: Double
  private let blocks: [CostModelBlock]
  private let steps: [CostModelStep]
  private let width: Int
  /// Whether what stands before the blocks is trained.
  private let startsTracked: Bool
  private let start: CostModelWalk

  /// The image tower.
  ///
  /// - Throws: `TrainingError.badConfiguration` for one that is no vision transformer.
  init(image model: DualEncoder, _ batch: CostModel.Batch, _ precision: CostModel.Precision)
    throws(TrainingError)
  {
    let (config, tower) = (try Self.transformer(model), model.image.model)
    let length = Self.length(config, batch)
    rows = batch.pairCount * length
    width = config.hiddenSize
    isTrained = tower.parameters.contains { $0.cell.isTrainable }
    steps = Self.steps(config)
    blocks = Self.blocks(
      tower, "blocks", config.depth, width, scoreCount: Double(batch.pairCount * length * length),
      halves: true, fusesJoins: config.dropPath == 0 || !batch.isTraining, remakesNorms: true)
    let trained = tower.parameters.filter { $0.cell.isTrainable && $0.path != "mask_token" }.map(\.path)
    startsTracked = trained.contains { !$0.hasPrefix("blocks.") && !$0.contains("norm.") }
    var walk = CostModelWalk(
      rows: rows, parts: .image, attention: .imageAttention, precision, batch.isTraining)
    walk.isTracked = startsTracked
    let keepsPatches = walk.embed(config, batch, trained)
    let elements = keepsPatches ? batch.pairCount * Self.pictureElements(config) : 0
    inputKept = Double(elements) * (precision == .float32 ? 4 : 2)
    start = walk
  }

  /// The configuration of the image tower.
  private static func transformer(_ model: DualEncoder) throws(TrainingError) -> VisionTransformerConfig {
    if let config = model.config.vision as? VisionTransformerConfig { return config }
    throw .badConfiguration(
      Problem(
        "image tower", found: "a \(type(of: model.config.vision).kind)",
        expected: "a vision transformer, whose products this arithmetic counts",
        hint: "Measure other towers with 'cleft train --dry_run'."))
  }

  /// Tokens of a picture.
  private static func length(_ config: VisionTransformerConfig, _ batch: CostModel.Batch) -> Int {
    let side = config.imageSizePixels / config.patchSize
    let masks = config.maskedFraction > 0 && (batch.isTraining || config.masksInEvaluation)
    let share = masks ? 1 - Double(config.maskedFraction) : 1
    return 1 + config.registerCount + max(1, Int(Double(side * side) * share))
  }

  /// Elements of the patches of a picture.
  private static func pictureElements(_ config: VisionTransformerConfig) -> Int {
    let side = config.imageSizePixels / config.patchSize * config.patchSize
    return 3 * side * side
  }

  /// The text tower.
  init(text model: DualEncoder, _ batch: CostModel.Batch, _ precision: CostModel.Precision) {
    let (tower, config) = (model.text.model, model.config.text)
    let prefix = tower.prefix?.count ?? 0
    let packed = model.textBatch(
      batch.captionTokens.map { Array(repeating: 0, count: max(1, $0)) })
    let layout = packed.layout
    rows = layout.rowCount
    width = config.hiddenSize
    isTrained = tower.parameters.contains { $0.cell.isTrainable }
    steps = Self.steps(config)
    let scores = (0..<layout.count).reduce(0) { sum, sequence in
      sum + layout.length(sequence) * (prefix + max(1, layout.keyCounts[sequence]))
    }
    let trainsPrefix = tower.parameters.contains {
      $0.cell.isTrainable && $0.path.hasPrefix("prefix_encoder.")
    }
    blocks = Self.blocks(
      tower, tower.names.blocks, config.depth, width, scoreCount: Double(scores), trainsPrefix: trainsPrefix,
      halves: config is GPTConfig, fusesJoins: config is GPTConfig && config.dropout == 0,
      remakesNorms: !(config is LlamaConfig))
    startsTracked = tower.parameters.contains { parameter in
      parameter.cell.isTrainable && tower.names.block(of: parameter.path) == nil
        && !["prefix_encoder.", "transformer.ln_f.", "model.norm."].contains { parameter.path.hasPrefix($0) }
    }
    var walk = CostModelWalk(rows: rows, parts: .text, attention: .textAttention, precision, batch.isTraining)
    walk.isTracked = startsTracked
    let layers = LinearCount.layers(in: tower)
    for path in layers.keys.sorted() where path.hasPrefix("prefix_encoder.") {
      if let layer = layers[path] { walk.linear([layer], rows: prefix) }
    }
    walk.isTracked = startsTracked
    // Two tables are read and summed, and dropout passes over the sum.
    walk.move(.forward, elements: 5 * rows * width)
    walk.move(.inputs, elements: 3 * rows * width)
    inputKept = 0
    start = walk
  }

  /// Counts the tower; with `recomputes` blocks keep only their inputs and are computed again in backward.
  ///
  /// Nothing is computed again where nothing is trained.
  func walk(recomputes: Bool) -> CostModelWalk {
    var walk = start
    let recomputes = recomputes && (startsTracked || isTrained)
    let before = walk.kept
    var largest = 0.0
    for (index, block) in blocks.enumerated() {
      let first = walk.count
      // A block that is computed again hands gradients on to whatever stands before it.
      if recomputes, index > 0 { walk.isTracked = true }
      walk.kept = recomputes ? 0 : walk.kept
      for (place, step) in steps.enumerated() {
        walk.take(step, before: place + 1 < steps.count ? steps[place + 1] : nil, block)
      }
      if recomputes {
        walk.recompute(since: first)
        largest = max(largest, walk.kept)
      }
    }
    if recomputes { walk.kept = before + largest + 4 * Double(blocks.count * rows * width) }
    return walk
  }

  private static func steps(_ config: VisionTransformerConfig) -> [CostModelStep] {
    let gated = config.feedForward == .swiglu
    let names = gated && config.tokenNames == .hub ? ("mlp.w12", "mlp.w3") : ("mlp.fc1", "mlp.fc2")
    return CostModelStep.vision(
      first: names.0, second: names.1, isGated: gated, hasScale: config.usesLayerScale)
  }

  private static func steps(_ config: any TextTowerConfig) -> [CostModelStep] {
    switch config {
    case is LlamaConfig: CostModelStep.llama
    case is BertConfig: CostModelStep.bert
    default: CostModelStep.gpt
    }
  }

  private static func blocks(
    _ tower: any Module, _ list: String, _ depth: Int, _ width: Int, scoreCount: Double,
    trainsPrefix: Bool = false, halves: Bool, fusesJoins: Bool, remakesNorms: Bool
  ) -> [CostModelBlock] {
    let layers = LinearCount.layers(in: tower)
    let trained = tower.parameters.filter(\.cell.isTrainable).map(\.path)
    return (0..<depth).map { index in
      let path = "\(list).\(index)."
      func inner<Value>(_ values: [String: Value]) -> [String: Value] {
        Dictionary(
          uniqueKeysWithValues: values.filter { $0.key.hasPrefix(path) }.map {
            (String($0.key.dropFirst(path.count)), $0.value)
          })
      }
      let own = inner(layers)
      let query = own["self_attn.q_proj"] ?? own["attention.self.query"]
      return CostModelBlock(
        width: width, layers: own,
        trained: Set(trained.filter { $0.hasPrefix(path) }.map { String($0.dropFirst(path.count)) }),
        attentionWidth: query?.output ?? width, scoreCount: scoreCount, trainsPrefix: trainsPrefix,
        halves: halves, fusesJoins: fusesJoins, remakesNorms: remakesNorms)
    }
  }
}

extension CostModelWalk {
  /// What stands before the blocks of an image tower; whether the patches are kept for backward.
  ///
  /// - Parameter trained: paths of the trained parameters.
  fileprivate mutating func embed(
    _ config: VisionTransformerConfig, _ batch: CostModel.Batch, _ trained: [String]
  ) -> Bool {
    let (side, width) = (config.imageSizePixels / config.patchSize, config.hiddenSize)
    let (patches, pixels) = (side * side, 3 * config.patchSize * config.patchSize)
    let trainsPatches = trained.contains("patch_embed.proj.weight")
    product(rows: batch.pairCount * patches, input: pixels, output: width, weights: trainsPatches)
    if side != config.positionGrid {
      let stored = config.positionGrid * config.positionGrid + 1
      exactProduct(
        rows: patches + 1, input: stored, output: width, weights: trained.contains("pos_embed"))
    }
    // Patches are cut out, tokens put together, and their mean is taken at the end.
    move(.forward, elements: 2 * batch.pairCount * patches * pixels + 3 * rows * width)
    move(.inputs, elements: 3 * rows * width)
    return batch.isTraining && trainsPatches
  }
}
