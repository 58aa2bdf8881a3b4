/// Means over the samples of an evaluation.
public enum EvaluationMean {
  /// Mean of one value a sample; nil without any.
  ///
  /// - Parameter countsBatchesAlike: the mean of the batches' means, in which a short last batch counts as much as a full
  ///   one, as the published program logs it.
  public static func of(_ values: [Double], batchSize: Int, countsBatchesAlike: Bool) -> Double? {
    precondition(batchSize > 0, "evaluation mean: batches of \(batchSize)")
    guard !values.isEmpty else { return nil }
    func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(values.count) }
    guard countsBatchesAlike else { return mean(values) }
    return mean(
      stride(from: 0, to: values.count, by: batchSize).map {
        mean(values[$0..<min($0 + batchSize, values.count)])
      })
  }
}
