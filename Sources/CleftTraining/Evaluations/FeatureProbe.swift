import CleftData
import CleftFormats
import CleftMetrics
import CleftTensor

/// A split with what a frozen model makes of its pictures.
public struct ProbeSplit: Sendable {
  /// The pictures.
  public let dataset: ImageTextDataset
  /// A row for each of them.
  public let features: FeatureMatrix

  /// Encodes every picture of a split once.
  ///
  /// - Parameter encode: pictures `[B, 3, H, W]` → features `[B, width]`.
  /// - Throws: `TrainingError.badData` naming a picture whose features are not finite.
  public init(
    _ dataset: ImageTextDataset, _ pass: ImagePass, width: Int,
    progress: (_ done: Int, _ of: Int) -> Void, _ encode: (Tensor) -> Tensor
  ) throws {
    self.dataset = dataset
    features = FeatureMatrix(
      values: try pass.rows(dataset.samples, width: width, progress: progress, encode).array, width: width)
  }

  /// Features and truth.
  func samples(_ question: PredictionTable.Question) -> ProbeSamples {
    ProbeSamples(
      features: features,
      targets: ProbeTargets(
        question: question, classCount: dataset.classNames.count, labels: labels(question),
        unknown: question == .each ? dataset.samples.map(\.uncertain) : []),
      patients: PredictionTable.clusters(of: dataset.samples.map(\.patient)))
  }

  func labels(_ question: PredictionTable.Question) -> [[Int]] {
    dataset.samples.map { question == .oneOf ? [$0.firstLabel] : $0.labels }
  }
}

/// Linear probes of frozen features: how much of the classes a linear classifier learns from all labels, and from few.
///
/// Features are standardized by the pictures learned from. The strength of the penalty is chosen on the validation set, or
/// without one by folds over the patients learned from; the test set is looked at once.
public struct FeatureProbe {
  /// What is to be found out.
  public struct Plan: Sendable {
    /// Parts of the training set.
    public var sizes: [LabelShare.Size]
    /// What probes make least.
    public var methods: [ProbeMethod]
    /// Draws of each part that is not the whole.
    public var repeats: Int
    /// What is asked of each picture.
    public var question: PredictionTable.Question
    /// Seed of the draws of training pictures, folds and test patients.
    public var seed: UInt64
    /// Draws of test patients for intervals; 0 for none.
    public var bootstrapDraws: Int

    /// Makes a plan.
    public init(
      sizes: [LabelShare.Size], methods: [ProbeMethod], repeats: Int, question: PredictionTable.Question,
      seed: UInt64, bootstrapDraws: Int
    ) {
      (self.sizes, self.methods, self.repeats, self.question) = (sizes, methods, repeats, question)
      (self.seed, self.bootstrapDraws) = (seed, bootstrapDraws)
    }

    private var key: RandomKey { RandomKey(seed: seed).split("probe") }

    fileprivate var bootstrap: Bootstrap? {
      bootstrapDraws == 0 ? nil : Bootstrap(draws: bootstrapDraws, key: key.split("bootstrap"))
    }

    fileprivate var folds: RandomKey { key.split("folds") }

    fileprivate func draw(_ index: Int) -> RandomKey { key.split("draw", index) }

    /// Draws of a part: of the whole there is only one.
    func draws(of size: LabelShare.Size) -> Int { size == .fraction(1) ? 1 : repeats }
  }

  private let plan: Plan

  /// Makes a probe.
  public init(_ plan: Plan) { self.plan = plan }

  /// Fails unless there are classes to tell apart, the same in every split, before anything is computed.
  ///
  /// - Throws: `TrainingError.badConfiguration` without classes or with other ones in another split; `.badData` if
  ///   training pictures are all of one class.
  public func requireSense(_ training: ImageTextDataset, _ others: [ImageTextDataset]) throws(TrainingError) {
    let names = training.classNames
    let isOneOf = plan.question == .oneOf
    guard names.count >= (isOneOf ? 2 : 1) else {
      throw .badConfiguration(
        Problem(
          training.table, found: names.first.map { "one class, '\($0)'" } ?? "no classes",
          expected: isOneOf ? "at least two to tell apart" : "at least one",
          hint: names.isEmpty
            ? "Name them with --label_columns or --class_column." : "--multi_label asks a single one."))
    }
    for other in others where other.classNames != names {
      throw .badConfiguration(
        Problem(
          other.table, found: "classes \(other.classNames.joined(separator: ", "))",
          expected: "\(names.joined(separator: ", ")) as in \(training.table)"))
    }
    let counts = Self.classCounts(training, plan.question)
    let present = names.indices.filter { counts[$0] > 0 }
    if isOneOf, present.count > 1 { return }
    if !isOneOf, present.contains(where: { counts[$0] < training.samples.count }) { return }
    throw .badData(
      Problem(
        training.table,
        found: present.first.map { "'\(names[$0])' as the class of every training picture" }
          ?? "no training picture with a class",
        expected: isOneOf ? "pictures of at least two classes" : "pictures with a class and pictures without")
    )
  }

  /// Fits and scores every probe.
  ///
  /// - Parameter progress: called after every probe with the probes done, and those there are to do.
  /// - Returns: the report; the model's name is the caller's to fill in.
  public func run(
    training: ProbeSplit, validation: ProbeSplit?, test: ProbeSplit,
    progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> ProbeReport {
    try requireSense(training.dataset, [validation?.dataset, test.dataset].compactMap { $0 })
    let splits = [("train", training), ("valid", validation), ("test", test)]
    var report = ProbeReport(
      model: "", feature: "", width: training.features.width, dataset: test.dataset.name,
      classNames: training.dataset.classNames, question: plan.question, seed: plan.seed,
      bootstrapDraws: plan.bootstrapDraws,
      parts: splits.compactMap { name, split in split.map { part(name, $0.dataset) } }, rows: [], notes: [])
    let samples = training.samples(plan.question)
    let held = validation?.samples(plan.question)
    let count = plan.methods.count * plan.sizes.reduce(0) { $0 + plan.draws(of: $1) }
    var done = 0
    for size in plan.sizes {
      let shares = (0..<plan.draws(of: size)).map { draw in
        LabelShare(samples.targets, patients: samples.patients, key: plan.draw(draw))
      }
      if case .shots(let shots) = size {
        report.notes += note(ofClassesShort: shares[0].classesShort(of: shots), shots, report.classNames)
      }
      for method in plan.methods {
        let search = ProbeSearch(method, training: samples, validation: held, key: plan.folds)
        let fits = shares.map { share in
          let rows = share.rows(size)
          defer {
            done += 1
            progress(done, count)
          }
          return (rows: rows, fit: search.fit(rows))
        }
        report.rows.append(row(size, method, fits, samples, test))
      }
    }
    report.notes += Self.notes(report)
    return report
  }

  // MARK: - Parts of the report

  private func row(
    _ size: LabelShare.Size, _ method: ProbeMethod, _ fits: [(rows: [Int], fit: FittedProbe)],
    _ samples: ProbeSamples, _ test: ProbeSplit
  ) -> ProbeReport.Row {
    let names = test.dataset.classNames
    let draws = fits.map { rows, fit in
      ProbeReport.Draw(
        pictures: rows.count, patients: Set(rows.map { samples.patients[$0] }).count,
        classCounts: names.indices.map { label in
          rows.count { samples.targets.labels[$0].contains(label) }
        }, choice: fit.choice, isConverged: fit.isConverged, droppedFeatures: fit.probe.scale.droppedCount,
        unlearnable: fit.unlearnable.map { names[$0] })
    }
    let own = test.samples(plan.question)
    let tables = fits.map { _, fit in
      PredictionTable(
        classNames: names, question: plan.question,
        logits: fit.probe.logits(own.features, rows: Array(0..<own.count)), labels: own.targets.labels,
        unknown: own.targets.unknown, clusters: own.patients)
    }
    var (fraction, shots): (Double?, Int?)
    switch size {
    case .fraction(let value): fraction = value
    case .shots(let value): shots = value
    }
    return ProbeReport.Row(
      share: size.name, fraction: fraction, shots: shots, method: method, draws: draws,
      metrics: ProbeMetric.of(tables, hasProbabilities: method == .logistic, bootstrap: plan.bootstrap))
  }

  private func part(_ name: String, _ dataset: ImageTextDataset) -> ProbeReport.Part {
    ProbeReport.Part(
      split: name, table: dataset.table, pictures: dataset.samples.count,
      patients: PredictionTable.clusters(of: dataset.samples.map(\.patient)).max().map { $0 + 1 } ?? 0,
      classCounts: Self.classCounts(dataset, plan.question))
  }

  private static func classCounts(
    _ dataset: ImageTextDataset, _ question: PredictionTable.Question
  ) -> [Int] {
    var counts = [Int](repeating: 0, count: dataset.classNames.count)
    for sample in dataset.samples {
      for label in question == .oneOf ? Array(sample.labels.prefix(1)) : sample.labels { counts[label] += 1 }
    }
    return counts
  }

  private func note(ofClassesShort classes: [Int], _ shots: Int, _ names: [String]) -> [String] {
    if classes.isEmpty { return [] }
    let list = classes.map { $0 < names.count ? "'\(names[$0])'" : "none of the classes" }
    return [
      "\(shots)-shot: fewer training pictures than that of \(list.joined(separator: ", ")): all are taken"
    ]
  }

  /// What is odd about single rows.
  private static func notes(_ report: ProbeReport) -> [String] {
    report.rows.flatMap { row -> [String] in
      func note(_ text: String, _ isMeant: (ProbeReport.Draw) -> Bool) -> [String] {
        let count = row.draws.count(where: isMeant)
        let share = row.draws.count == 1 ? "" : " in \(count) of \(row.draws.count) draws"
        return count == 0 ? [] : ["\(row.share), \(row.method): \(text)\(share)"]
      }
      let strength = row.method.strengthName
      let missing = Set(row.draws.flatMap(\.unlearnable))
      let names = report.classNames.filter(missing.contains).map { "'\($0)'" }.joined(separator: ", ")
      return note("the best \(strength) is at the end of those tried") { $0.choice.isAtEnd }
        + note("too few patients of a class to hold some out: \(strength) is \(row.method.usualStrength)") {
          $0.choice.judge == .none
        } + note("nothing to learn of \(names)") { !$0.unlearnable.isEmpty }
        + note("the minimum was not reached") { !$0.isConverged }
        + note("features that are the same in all pictures stay out") { $0.droppedFeatures > 0 }
        // Why one has no interval stays with it.
        + row.metrics.filter { $0.mean == nil }.compactMap { metric in
          metric.note.map { "\(row.share), \(row.method): \(metric.title): \($0)" }
        }
    }
  }
}

extension LabelShare.Size {
  /// Name for people: `10 %`, `4-shot`.
  public var name: String {
    switch self {
    case .fraction(let share):
      let percent = 100 * share
      let rounded = (percent * 1e6).rounded() / 1e6
      return rounded == rounded.rounded() ? "\(Int(rounded)) %" : "\(rounded) %"
    case .shots(let count): return "\(count)-shot"
    }
  }
}
