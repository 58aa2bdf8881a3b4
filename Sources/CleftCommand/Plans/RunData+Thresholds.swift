import CleftData
import CleftFormats
import CleftMetrics
import CleftTensor
import CleftTraining

/// Validation pictures to choose thresholds on, and which these are in words.
struct ThresholdPictures {
  let dataset: ImageTextDataset
  let text: String
}

extension RunData {
  /// Some of the validation pictures that answer the question of a test set, or why there are none.
  ///
  /// Rows that cannot be used are left out: what is chosen on the others is no worse.
  func openForThresholds(
    _ test: ImageTextDataset, _ question: PredictionTable.Question, limit: Int, _ key: RandomKey
  ) throws -> Result<ThresholdPictures, EvaluationReport.NoValidation> {
    func none(_ reason: String) -> Result<ThresholdPictures, EvaluationReport.NoValidation> {
      .failure(EvaluationReport.NoValidation(reason))
    }
    if limit == 0 { return none("--threshold_pictures 0") }
    let (split, entry) = (options.data.valid_split, options.data.entry)
    if let reason = try reasonNotToOpen(split) { return none(reason) }
    var request = options.data.request(split, isPromptTuning: wishes.isPromptTuning, quirks: options.quirks)
    options.run.evaluation.fill(&request)
    (request.needsCaption, request.needsClass, request.badRows) = (false, false, .skip)
    if let absent = entry.tables(request).first(where: { !FileSystem.exists($0) }) {
      return none("no \(absent)")
    }
    var dataset = try entry.open(request).answering(question)
    if dataset.classNames != test.classNames { return none("\(dataset.table) has other classes") }
    let shared = leaveOut(test, of: &dataset)
    if dataset.samples.isEmpty, shared > 0 {
      return none("every picture of \(dataset.table) is in the test set or of its patients")
    }
    let (all, kind) = (dataset.samples.count, question == .oneOf ? " of exactly one class" : "")
    var draw = key.split("thresholds").generator
    let chosen = dataset.samples.indices.shuffled(using: &draw).prefix(limit).sorted()
    dataset.samples = chosen.map { dataset.samples[$0] }
    if dataset.samples.isEmpty { return none("no picture\(kind) in \(dataset.table)") }
    dataset = try verified(dataset, .skip)
    if dataset.samples.isEmpty { return none("no usable picture in \(dataset.table)") }
    let count = dataset.samples.count
    let share = count == all ? "all \(count)" : "\(count) of the \(all)"
    let bad = dataset.badRows.isEmpty ? "" : "; \(dataset.badRows.count) rows cannot be used"
    return .success(
      ThresholdPictures(dataset: dataset, text: "\(share) pictures\(kind) of \(dataset.table)\(bad)"))
  }

  /// Takes pictures of the test set and of its patients out of a dataset, and says how many.
  private func leaveOut(_ test: ImageTextDataset, of dataset: inout ImageTextDataset) -> Int {
    let (people, paths) = (Set(test.samples.compactMap(\.patient)), Set(test.samples.map(\.imagePath)))
    let before = dataset.samples.count
    dataset.samples.removeAll { sample in
      paths.contains(sample.imagePath) || (sample.patient.map(people.contains) ?? false)
    }
    let shared = before - dataset.samples.count
    if shared > 0 {
      log.warn(
        "\(shared) pictures of \(dataset.table) are in the test set or of its patients: no thresholds are chosen on them."
      )
    }
    return shared
  }
}
