import CleftData
import Foundation

/// A dataset check as one page of HTML that needs nothing but itself.
struct CheckPage {
  let check: DatasetCheck
  /// Name of the split that the examples are from.
  let exampleSource: String
  let examples: [ExampleGroup]
  /// Problems of one kind that are written out; more are counted.
  var rowLimit = 200

  func html() -> String {
    let title = "Data check: \(check.splits.map(\.title).joined(separator: ", "))"
    return HTMLPage(
      title: title, style: CheckPageStyle.css, header: verdict,
      sections: check.splits.map(section) + [shared, problems, pictures]
    ).html()
  }

  private var verdict: String {
    let (errors, warnings) = (check.errorCount, check.warningCount)
    let text = errors == 0 ? "Fit to train on" : "\(errors) problem\(errors == 1 ? "" : "s") to settle first"
    let notes = check.notes.map { "<p>\($0.escaped)</p>" }.joined()
    return """
      <p class="verdict \(errors == 0 ? "good" : "bad")"><strong>\(text)</strong>, \
      \(warnings) warning\(warnings == 1 ? "" : "s").</p>\(notes)
      """
  }

  private func section(_ split: SplitCheck) -> String {
    var facts = [("Table", split.table), ("Usable rows", "\(split.sampleCount)")]
    facts += split.leftOut.sorted { $0.key < $1.key }.map { ("Left out: \($0)", "\($1)") }
    if split.badRowCount > 0 { facts.append(("Bad rows", "\(split.badRowCount)")) }
    facts.append(("Patients", "\(split.patientCount)"))
    if split.unknownPatientCount > 0 {
      facts.append(("Rows of unknown patients", "\(split.unknownPatientCount)"))
    }
    facts += pictureFacts(split.pictures) + captionFacts(split.captions)
    facts += split.notes.map { ("Note", $0) }
    let rows = facts.map { "<tr><th scope=\"row\">\($0.escaped)</th><td>\($1.escaped)</td></tr>" }.joined()
    return """
      <section>
      <h2>\(split.title.escaped)</h2>
      <div class="columns">
      <table class="facts"><tbody>\(rows)</tbody></table>
      \(labels(split))
      \(lengths(split.captions))
      </div>
      \(CheckCharts.together(split.labels))
      \(frequent(split.captions))
      </section>
      """
  }

  private func pictureFacts(_ pictures: PictureStatistics) -> [(String, String)] {
    var facts = [("Picture files", "\(pictures.fileCount)"), ("Decoded", "\(pictures.decodedCount)")]
    facts += pictures.kinds.sorted { $0.key < $1.key }.map { ("Decoded \($0)", "\($1)") }
    for (name, spread) in [("Width", pictures.width), ("Height", pictures.height)] {
      guard let spread else { continue }
      facts.append(
        ("\(name): least, median, most", "\(spread.minimum), \(spread.median), \(spread.maximum) pixels"))
    }
    return facts
  }

  private func captionFacts(_ captions: CaptionStatistics) -> [(String, String)] {
    guard let tokens = captions.tokens else { return [("Captions", "none")] }
    let lengths = [tokens.minimum, tokens.median, tokens.percentile95, tokens.maximum].map(String.init)
    return [
      ("Captions", "\(captions.count), \(captions.distinctCount) distinct"),
      ("Rows without caption", "\(captions.absentCount)"),
      ("Tokens: least, median, 95 %, most", lengths.joined(separator: ", ")),
      ("Tokens by", check.tokenizer),
      ("Longer than \(captions.columnCount) columns", "\(captions.cutCount)"),
    ]
  }

  private func labels(_ split: SplitCheck) -> String {
    if split.labels.classNames.isEmpty { return "" }
    let bars =
      zip(split.labels.classNames, split.labels.counts).map { CheckCharts.Bar(name: $0, count: $1) }
      + [CheckCharts.Bar(name: "no class", count: split.labels.unlabeledCount)]
    return CheckCharts.bars("Rows with each class", bars, total: split.sampleCount)
  }

  private func lengths(_ captions: CaptionStatistics) -> String {
    if captions.histogram.isEmpty { return "" }
    let bars = captions.histogram.map { bin in
      CheckCharts.Bar(
        name: bin.from == bin.through ? "\(bin.from)" : "\(bin.from)–\(bin.through)", count: bin.count,
        isMarked: bin.through > captions.columnCount)
    }
    return CheckCharts.bars("Captions by number of tokens", bars, total: captions.count)
  }

  private func frequent(_ captions: CaptionStatistics) -> String {
    if captions.mostFrequent.isEmpty { return "" }
    let rows = captions.mostFrequent.map {
      "<tr><td class=\"n\">\($0.count)</td><td class=\"n\">\($0.tokenCount)</td><td>\($0.text.escaped)</td></tr>"
    }.joined()
    return HTMLPage.table("Most frequent captions", head: ["Rows", "Tokens", "Caption"], body: rows)
  }

  private var shared: String {
    if check.sharedPatients.isEmpty { return "" }
    let rows = check.sharedPatients.prefix(10).map { patient in
      let places = patient.rows.sorted { $0.key < $1.key }.map { "\($0): \($1)" }.joined(separator: ", ")
      return "<tr><td>\(patient.patient.escaped)</td><td>\(places.escaped)</td></tr>"
    }.joined()
    let count = check.sharedPatients.count
    return "<section><h2>Patients in two splits</h2>"
      + HTMLPage.table(
        count > 10 ? "The first 10 of \(count)" : "\(count) in all", head: ["Patient", "Rows"], body: rows)
      + "</section>"
  }

  private var problems: String {
    let kinds = Dictionary(grouping: check.problems, by: \.kind)
    let parts = ProblemKind.allCases.compactMap { kind -> String? in
      guard let found = kinds[kind] else { return nil }
      let rows = found.prefix(rowLimit).map {
        "<tr><td>\($0.split.rawValue)</td><td>\($0.origin.escaped)</td><td>\($0.path.escaped)</td>"
          + "<td>\($0.reason.escaped)</td></tr>"
      }.joined()
      let head = "\(kind.title.prefix(1).uppercased())\(kind.title.dropFirst())"
      let rest = found.count > rowLimit ? ", the first \(rowLimit) listed" : ""
      return """
        <details\(kind.isError ? " open" : "")><summary><span class="\(kind.isError ? "bad" : "warning")">\
        \(kind.isError ? "Error" : "Warning")</span> \(head): \(found.count)\(rest)</summary>
        \(HTMLPage.table(head, head: ["Split", "Row", "Picture", "Reason"], body: rows))</details>
        """
    }
    if parts.isEmpty { return "<section><h2>Problems</h2><p>None.</p></section>" }
    return "<section><h2>Problems</h2>\(parts.joined(separator: "\n"))</section>"
  }

  private var pictures: String {
    if examples.isEmpty { return "" }
    let groups = examples.map { group in
      let figures = group.examples.map {
        """
        <figure><img src="\($0.source)" width="224" height="224" alt="\(group.title.escaped)">\
        <figcaption>\($0.caption.escaped)<small>\($0.origin.escaped)</small></figcaption></figure>
        """
      }.joined()
      return "<div><h3>\(group.title.escaped)</h3><div class=\"pictures\">\(figures)</div></div>"
    }.joined(separator: "\n")
    return """
      <section><h2>Pictures as the model sees them: \(exampleSource.escaped)</h2>
      <div class="groups">\(groups)</div></section>
      """
  }
}
