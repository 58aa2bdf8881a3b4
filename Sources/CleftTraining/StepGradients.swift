import CleftData
import CleftImaging
import CleftNN
import CleftTensor

/// The mean gradient of one step's batches, and what the batches gave.
package struct StepGradients {
  /// One batch of the step.
  package struct Batch {
    /// Its samples.
    package let plan: BatchPlan
    /// Its pictures, small as they come from the loader; none where the features of all its samples are kept.
    package let pictures: [GrayImage]
    /// The same as the model's input: `[B, 3, H, W]`.
    package var images: Tensor {
      pictures.isEmpty ? Tensor([0, 3, 0, 0]) : ImagePipeline.tensor(pictures)
    }

    package init(plan: BatchPlan, pictures: [GrayImage]) {
      self.plan = plan
      self.pictures = pictures
    }
  }

  package private(set) var gradients = Gradients()
  /// Means over the step's losses.
  package private(set) var metrics: [String: Double] = [:]
  /// Text tokens read.
  package private(set) var tokenCount = 0

  private let task: any TrainingTask
  private let config: TrainerConfig
  private let step: Int

  package init(_ task: any TrainingTask, _ config: TrainerConfig, step: Int) {
    self.task = task
    self.config = config
    self.step = step
  }

  /// Adds the batches of one loss.
  ///
  /// - Parameters:
  ///   - batches: with their numbers in the step; several share their negatives.
  ///   - share: what the loss counts in the mean gradient of the step.
  ///   - lossCount: losses of the step, whose metrics are averaged.
  /// - Throws: `OddStep` for a loss that is not finite.
  package mutating func add(_ batches: [(index: Int, batch: Batch)], share: Double, lossCount: Int) throws {
    let result = batches.count == 1 ? one(batches[0], share) : try several(batches, share)
    for batch in batches { tokenCount += task.tokenCount(.train, batch.batch.plan.indices) }
    for (name, value) in result.metrics { metrics[name, default: 0] += value / Double(lossCount) }
    let loss = result.loss.item
    guard loss.isFinite else { throw notFinite(loss, batches.flatMap(\.batch.plan.indices)) }
    if batches.count == 1 { gradients.add((result.loss * Float(share)).gradients()) }
  }

  private func notFinite(_ loss: Float, _ indices: [Int]) -> OddStep {
    OddStep(
      what: "loss \(loss.isNaN ? "nan" : "\(loss)") is not finite",
      origins: indices.map { task.trainingSamples[$0].origin })
  }

  private func one(_ batch: (index: Int, batch: Batch), _ share: Double) -> TaskResult {
    task.loss(.train, batch.batch.plan.indices, batch.batch.images, context(batch.index))
  }

  /// The towers of every batch without the tape, the loss over all of them, and the towers again, batch by batch, with the
  /// gradients that the loss has in their features.
  ///
  /// Both times a batch has the same random keys, and so the same dropout.
  ///
  /// - Source: Gao et al. 2021, arXiv 2101.06983 (gradient cache).
  private mutating func several(_ batches: [(index: Int, batch: Batch)], _ share: Double) throws -> TaskResult
  {
    guard let task = task as? any PooledTask else {
      preconditionFailure("step gradients: \(task.name) has no negatives to share")
    }
    func features(_ batch: (index: Int, batch: Batch), movesStatistics: Bool) -> [Tensor] {
      var context = context(batch.index)
      context.movesStatistics = movesStatistics && context.movesStatistics
      return task.features(.train, batch.batch.plan.indices, batch.batch.images, context)
    }
    let known = batches.map { batch in withoutGradients { features(batch, movesStatistics: false) } }
    let leaves = known[0].map { _ in Node() }
    let joined = leaves.enumerated().map { part, leaf in
      stackedRows(known.map { $0[part] }).tracked(by: leaf)
    }
    let indices = batches.flatMap(\.batch.plan.indices)
    let result = task.loss(.train, indices, features: joined, context(batches[0].index))
    guard result.loss.item.isFinite else { throw notFinite(result.loss.item, indices) }
    let whole = (result.loss * Float(share)).gradients()
    let parts = leaves.map { whole[$0] }
    gradients.add(whole.without(leaves))
    var first = 0
    for (batch, own) in zip(batches, known) {
      let rows = first..<first + own[0].shape[0]
      first = rows.upperBound
      let again = features(batch, movesStatistics: true)
      let wanted = again.indices.filter { again[$0].isTracked && parts[$0] != nil }
      gradients.add(
        CleftTensor.gradients(
          of: wanted.map { again[$0] }, wanted.compactMap { parts[$0]?.rowView(rows) }))
    }
    return result
  }

  private func context(_ index: Int) -> ForwardContext {
    let key = RandomKey(seed: config.seed).split("dropout", step, index)
    var context = ForwardContext(isTraining: true, key: key)
    context.movesStatistics = index % config.rankCount == 0
    return context
  }
}
