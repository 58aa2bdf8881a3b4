/// Thresholds of each class, chosen on validation samples.
struct ThresholdChoices {
  /// A threshold, how it was chosen, and what the rule made largest.
  struct Choice: Sendable {
    var rule: ThresholdRule
    var threshold, value: Double
  }

  /// One of each rule, or none where none can be chosen.
  let ofClass: [[Choice]]
  /// For which classes there are none.
  let warnings: [String]

  /// Chooses; without validation samples there are none.
  init(_ validation: PredictionTable?, classNames: [String]) {
    guard let validation else {
      (ofClass, warnings) = (classNames.map { _ in [] }, [])
      return
    }
    ofClass = ScoredTable(validation).ranked.map { ranked in
      ThresholdRule.allCases.compactMap { rule in
        rule.best(ranked).map { Choice(rule: rule, threshold: $0.threshold, value: $0.value) }
      }
    }
    let missing = zip(classNames, ofClass).filter { $0.1.isEmpty }.map { "'\($0.0)'" }
    warnings =
      missing.isEmpty
      ? []
      : [
        "no thresholds for \(missing.joined(separator: ", ")): "
          + "the validation samples are of one kind only, or a score is no number"
      ]
  }
}
