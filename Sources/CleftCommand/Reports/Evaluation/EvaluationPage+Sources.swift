import CleftData
import CleftTraining
import Foundation

/// What the numbers rest on: words, rows, files, options, machine.
extension EvaluationPage {
  var prompts: String {
    let sets = report.scores.map { scores in
      if scores.texts.isEmpty {
        return "<h3>\(scores.prompts.escaped)</h3><p>A trained classifier: no prompts.</p>"
      }
      let rows = scores.texts.enumerated().map { index, texts in
        let name = index < report.classNames.count ? report.classNames[index] : "\(index)"
        let denial = scores.negatives.flatMap { index < $0.count ? $0[index] : nil }
        return [name.escaped, Self.quoted(texts)]
          + (scores.negatives == nil ? [] : [Self.quoted(denial ?? [])])
      }
      let columns: [StackTable.Column] =
        [.init(title: "Class", kind: .text), .init(title: "Prompts", kind: .text)]
        + (scores.negatives == nil ? [] : [.init(title: "Against it", kind: .text)])
      return "<h3>\(scores.prompts.escaped)</h3>"
        + StackTable(
          caption: scores.texts.contains { $0.count > 1 }
            ? "A class’s prompts are averaged" : "One prompt a class", columns: columns, rows: rows
        ).html()
    }
    return explanation("The texts as they were encoded; other words give other numbers.")
      + sets.joined(separator: "\n")
  }

  private static func quoted(_ texts: [String]) -> String {
    if texts.isEmpty { return "–" }
    return "<ul class=\"quotes\">\(texts.map { "<li><q>\($0.escaped)</q></li>" }.joined())</ul>"
  }

  /// Rows that are written out; more are counted.
  private static let rowLimit = 100

  var skippedRows: String {
    if report.skipped.isEmpty { return explanation("None: every row of the table was scored.") }
    let rows = report.skipped.prefix(Self.rowLimit).map {
      [$0.origin.escaped, $0.imagePath.isEmpty ? "–" : $0.imagePath.escaped, $0.reason.escaped]
    }
    let count = report.skipped.count
    let text =
      "\(MetricText.count(count, "row")) could not be used and \(count == 1 ? "is" : "are") not among the pictures."
    return explanation(text)
      + StackTable(
        caption: count > Self.rowLimit ? "The first \(Self.rowLimit); metrics.json has all" : "All of them",
        columns: [
          .init(title: "Row", kind: .text), .init(title: "Picture", kind: .text),
          .init(title: "Reason", kind: .text),
        ], rows: Array(rows)
      ).html()
  }

  var provenance: String {
    var parts: [String] = []
    for fact in report.provenance where !parts.contains(fact.part) { parts.append(fact.part) }
    let lists = parts.map { part in
      let facts = report.provenance.filter { $0.part == part }
      let items = facts.map { "<div><dt>\($0.name.escaped)</dt><dd>\($0.value.escaped)</dd></div>" }
      return """
        <h3>\(MetricText.sentence(part).escaped)</h3>
        <dl class="facts\(facts.count > 12 ? " many" : "")">\(items.joined(separator: "\n"))</dl>
        """
    }
    return parts.isEmpty
      ? "" : explanation("All it takes to get the same numbers again.") + lists.joined(separator: "\n")
  }
}
