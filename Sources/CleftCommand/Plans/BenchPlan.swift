import CleftData
import CleftModels
import CleftTraining

/// Arithmetic for a run: what its steps compute, move and keep, and how long machines take for it.
struct BenchPlan {
  /// A part of a recipe: one model, trained or scored.
  struct Stage {
    let name: String
    let model: DualEncoder
    /// Tokens of the shortest and the longest caption, vectors in front not counted; nil where no text is read.
    let captions: ClosedRange<Int>?
    let pairCount, rankCount: Int
    /// Optimizer steps, or batches.
    let steps: Double
    /// Nil where nothing is trained.
    let optimizer: CostModelOptimizer?
    let recomputes: Bool

    /// Counts one batch.
    func counts(_ precision: CostModel.Precision) throws -> CostModel {
      let batch =
        captions.map {
          CostModel.Batch(
            pairCount: pairCount, shortest: $0.lowerBound, longest: $0.upperBound,
            isTraining: optimizer != nil)
        } ?? CostModel.Batch(imageCount: pairCount)
      return try CostModel(model, batch, precision, recomputes: recomputes)
    }
  }

  /// Machines of one size and the precisions to run on them.
  struct Line {
    let machine: CostModelMachine
    let precision: CostModel.Precision
  }

  let title: String
  let stages: [Stage]
  let precisions: [CostModel.Precision]
  let lines: [Line]
  /// Bytes of memory of the machine, nil where they are not known.
  let memoryBytes: Double?

  /// Counts everything and puts it together.
  func report() throws -> BenchPlanReport {
    var counted: [CostModel.Precision: [CostModel]] = [:]
    for precision in Set(precisions + lines.map(\.precision)) {
      counted[precision] = try stages.map { try $0.counts(precision) }
    }
    return BenchPlanReport(
      title: title,
      stages: stages.enumerated().map { index, stage in
        BenchPlanReport.Stage(stage, precisions.compactMap { counted[$0]?[index] }, processes: processes)
      },
      machines: lines.map { line in
        BenchPlanReport.Machine(line, zip(stages, counted[line.precision] ?? []).map { ($0, $1) })
      }, memoryBytes: memoryBytes)
  }

  private var processes: Int { lines.first?.machine.processes ?? 1 }
}

/// The stages that options describe.
struct BenchPlanStages {
  let model: ModelOptions
  let batchSize, devices, steps: Int
  let captions: ClosedRange<Int>
  let optimizer: CostModelOptimizer

  /// Words that stand in front of every pretraining caption of chest radiographs, in tokens; prompt tuning leaves them
  /// out.
  private static let baseCaptionTokens = 11
  /// CheXpert-5x200 in the published batches; its five prompts are read once and not counted.
  private static let (scoredImages, scoredBatch) = (1000, 32)
  /// Steps of the second published command.
  private static let promptSteps = 8000

  private var counts: ParameterCounts { ParameterCounts(options: model, quirks: Quirks(isReference: false)) }

  /// One training as described.
  func described() throws -> [BenchPlan.Stage] {
    [try stage("training", model, captions, steps: steps, optimizer: optimizer)]
  }

  /// The published recipe: pretraining with LoRA, prompt tuning, zero-shot scoring.
  func published() throws -> [BenchPlan.Stage] {
    var pretraining = model
    pretraining.linear_proj = true
    pretraining.pool_feat = true
    pretraining.grad_ckpt = true
    pretraining.adapters.peft = "lora"
    var tuning = pretraining
    tuning.freeze_llm = true
    tuning.prompt_ft = true
    tuning.ctx_length = 30
    let short = max(1, captions.lowerBound - Self.baseCaptionTokens)
    return [
      try stage("pretraining", pretraining, captions, steps: steps, optimizer: .adamw),
      try stage(
        "prompt tuning", tuning, short...max(short, captions.upperBound - Self.baseCaptionTokens),
        steps: Self.promptSteps, optimizer: .sgd),
      BenchPlan.Stage(
        name: "scoring", model: try encoder(pretraining, captions), captions: nil,
        pairCount: Self.scoredBatch, rankCount: 1,
        steps: Double(Self.scoredImages) / Double(Self.scoredBatch), optimizer: nil, recomputes: false),
    ]
  }

  private func stage(
    _ name: String, _ options: ModelOptions, _ captions: ClosedRange<Int>, steps: Int,
    optimizer: CostModelOptimizer
  ) throws -> BenchPlan.Stage {
    BenchPlan.Stage(
      name: name, model: try encoder(options, captions), captions: captions, pairCount: batchSize,
      rankCount: devices, steps: Double(steps), optimizer: optimizer, recomputes: options.grad_ckpt)
  }

  /// A model whose captions are cut nowhere.
  func encoder(_ options: ModelOptions, _ captions: ClosedRange<Int>) throws -> DualEncoder {
    try counts.encoder(options) { $0.captionLength = max($0.captionLength, captions.upperBound + 1) }
  }
}
