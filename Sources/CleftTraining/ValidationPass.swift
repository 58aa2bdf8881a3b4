import CleftData
import CleftImaging
import CleftNN
import CleftTensor

/// Loss and metrics on the validation samples, in whole batches as published.
struct ValidationPass {
  let task: any TrainingTask
  let pictures: PictureStore
  let batchSize: Int
  let workerCount: Int
  /// Batches at most; nil for all.
  var maxBatches: Int?

  /// Whole batches that there are.
  var batchCount: Int { min(task.validationSamples.count / batchSize, maxBatches ?? .max) }

  /// Means over the batches, under names that begin with `val_`, and the scores of each class.
  ///
  /// - Parameter mustEnd: asked before each batch.
  /// - Returns: nil if the run had to end meanwhile.
  func run(mustEnd: () -> Bool) throws -> (metrics: [String: Double], classScores: [ClassScores])? {
    let (size, count) = (batchSize, batchCount)
    let plans = (0..<count).map { BatchPlan(indices: Array($0 * size..<($0 + 1) * size), epoch: 0) }
    // Samples whose features are kept need no pictures.
    let isKnown = plans.map { task.frozen?.pictures?.has(.valid, $0.indices) ?? false }
    let loaded = zip(plans, isKnown).filter { !$1 }.map(\.0)
    let loader = ImageLoader(
      samples: task.validationSamples, pictures: pictures, augmentation: nil, workerCount: workerCount
    ) { $0 < loaded.count ? loaded[$0] : nil }
    defer { loader.stop() }
    var metrics: [String: Double] = [:]
    var scores: [ClassScores] = []
    for batch in 0..<count {
      if mustEnd() { return nil }
      guard let pictures = isKnown[batch] ? [] : try loader.next() else { break }
      let own = StepGradients.Batch(plan: plans[batch], pictures: pictures)
      let result = withoutGradients { task.loss(.valid, own.plan.indices, own.images, .evaluation) }
      for (name, value) in result.metrics { metrics["val_\(name)", default: 0] += value / Double(count) }
      if scores.isEmpty {
        scores = result.classScores
      } else {
        for (index, own) in result.classScores.enumerated() {
          scores[index].scores += own.scores
          scores[index].isPositive += own.isPositive
        }
      }
    }
    return (metrics, scores)
  }
}
