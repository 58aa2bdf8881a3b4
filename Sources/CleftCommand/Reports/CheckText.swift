import CleftData
import Foundation

/// A dataset check as lines of text.
struct CheckText {
  let check: DatasetCheck
  /// Problems of one kind that are written out; more are counted.
  var lineLimit = 100

  func text() -> String {
    (check.splits.map(split) + [shared(), problems(), verdict()]).filter { !$0.isEmpty }
      .map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
  }

  private func split(_ split: SplitCheck) -> [String] {
    var lines = ["\(split.title): \(split.sampleCount) usable rows of \(split.table)"]
    func line(_ name: String, _ value: String) { lines.append("  \(name.padded(to: 11))\(value)") }
    for note in split.notes { line("note", note) }
    if !split.leftOut.isEmpty {
      line("left out", split.leftOut.sorted { $0.key < $1.key }.map { "\($1) \($0)" }.joined(separator: ", "))
    }
    if split.badRowCount > 0 { line("bad rows", "\(split.badRowCount)") }
    line("patients", patients(split))
    line("pictures", pictures(split.pictures))
    lines += labels(split.labels, of: split.sampleCount)
    lines += captions(split.captions)
    return lines
  }

  private func patients(_ split: SplitCheck) -> String {
    let unknown = split.unknownPatientCount
    return unknown == 0
      ? "\(split.patientCount)" : "\(split.patientCount); \(unknown) rows do not say who is on them"
  }

  private func pictures(_ pictures: PictureStatistics) -> String {
    let kinds = pictures.kinds.sorted { $0.key < $1.key }.map { "\($1) \($0)" }.joined(separator: ", ")
    var text = "\(pictures.fileCount) files, \(pictures.decodedCount) decoded"
    if let width = pictures.width, let height = pictures.height {
      text += ": \(kinds); width \(sizes(width)), height \(sizes(height)) (least, median, most)"
    }
    return text
  }

  private func sizes(_ spread: Spread) -> String {
    "\(spread.minimum) / \(spread.median) / \(spread.maximum)"
  }

  private func labels(_ labels: LabelStatistics, of rowCount: Int) -> [String] {
    if labels.classNames.isEmpty { return ["  \("labels".padded(to: 11))none in this dataset"] }
    let width = labels.classNames.map(\.count).max() ?? 0
    let cell = max(2, labels.counts.map { String($0).count }.max() ?? 0) + 1
    let head = labels.classNames.indices.map { "\($0)".padded(to: -cell) }.joined()
    var lines = [
      "  labels, and how often they come together:", "    \(" ".padded(to: width + 11 + cell))\(head)",
    ]
    for (index, name) in labels.classNames.enumerated() {
      let share = rowCount == 0 ? 0 : 100 * Double(labels.counts[index]) / Double(rowCount)
      let together = labels.together[index].map { "\($0)".padded(to: -cell) }.joined()
      lines.append(
        "    \("\(index)".padded(to: -2)) \(name.padded(to: width))\("\(labels.counts[index])".padded(to: -cell))"
          + String(format: "%6.1f %%", share) + together)
    }
    lines.append("    without any of them: \(labels.unlabeledCount)")
    return lines
  }

  private func captions(_ captions: CaptionStatistics) -> [String] {
    guard let tokens = captions.tokens else { return ["  \("captions".padded(to: 11))none in this dataset"] }
    var lines = [
      "  \("captions".padded(to: 11))\(captions.count), \(captions.distinctCount) distinct;"
        + " \(captions.absentCount) rows without",
      "  \("tokens".padded(to: 11))\(tokens.minimum) / \(tokens.median) / \(tokens.percentile95) /"
        + " \(tokens.maximum) (least, median, 95 %, most) by \(check.tokenizer)",
      "  \("columns".padded(to: 11))\(captions.columnCount); \(captions.cutCount) captions are longer and cut",
    ]
    let most = captions.histogram.map(\.count).max() ?? 1
    for bin in captions.histogram {
      let range = bin.from == bin.through ? "\(bin.from)" : "\(bin.from)-\(bin.through)"
      let bar = String(repeating: "#", count: (40 * bin.count + most - 1) / most)
      lines.append("    \(range.padded(to: -9)) \("\(bin.count)".padded(to: -8)) \(bar)")
    }
    lines.append("  most frequent captions:")
    lines += captions.mostFrequent.map {
      "    \("\($0.count)".padded(to: -8)) \($0.text.oneLine(limit: 160))"
    }
    return lines
  }

  private func shared() -> [String] {
    var lines = check.notes.map { "note: \($0)" }
    guard !check.sharedPatients.isEmpty else { return lines }
    lines.append("\(check.sharedPatients.count) patients in more than one split, with their rows:")
    lines += check.sharedPatients.prefix(10).map { patient in
      let rows = patient.rows.sorted { $0.key < $1.key }.map { "\($1) in \($0)" }.joined(separator: ", ")
      return "  \(patient.patient): \(rows)"
    }
    return lines
  }

  private func problems() -> [String] {
    let kinds = Dictionary(grouping: check.problems, by: \.kind)
    let cut = check.splits.filter { $0.captions.cutCount > 0 }.map {
      "warning: captions longer than \($0.captions.columnCount) columns, \($0.title): \($0.captions.cutCount)"
    }
    return cut
      + ProblemKind.allCases.flatMap { kind -> [String] in
        guard let found = kinds[kind] else { return [] }
        var lines = ["\(kind.isError ? "error" : "warning"): \(kind.title): \(found.count)"]
        lines += found.prefix(lineLimit).map {
          "  \($0.origin): \($0.path.isEmpty ? "" : "\($0.path): ")\($0.reason)".oneLine(limit: 4096)
        }
        if found.count > lineLimit {
          lines.append("  ... and \(found.count - lineLimit) more; --list FILE writes all of them")
        }
        return lines
      }
  }

  private func verdict() -> [String] {
    let fitness = check.isSound ? "fit to train on" : "not fit to train on"
    return ["\(fitness); problems: \(check.errorCount), warnings: \(check.warningCount)"]
  }
}

extension String {
  /// Filled with spaces to a width: behind the text, or before it if the width is negative.
  func padded(to width: Int) -> String {
    let filler = String(repeating: " ", count: max(0, abs(width) - count))
    return width < 0 ? filler + self : self + filler
  }

  /// Without line ends, and cut to a length with three dots for what is left out.
  func oneLine(limit: Int) -> String {
    let line = split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count <= limit ? line : line.prefix(limit - 3) + "..."
  }
}
