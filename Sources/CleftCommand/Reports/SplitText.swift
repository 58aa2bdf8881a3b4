import CleftData

/// What was made of a dataset's tables, as lines of text.
enum SplitText {
  static func text(_ report: SplitReport) -> String {
    let files = report.files.map { file in
      let counts = file.counts.map { "\($0.className) \($0.count)" }.joined(separator: ", ")
      return """
        \(file.path): \(file.rowCount) rows
          rule       \(file.rule)
          classes    \(counts.isEmpty ? "none" : counts)
          SHA-256    \(file.idListSHA256) of the rows' names
        """
    }
    return (files + report.notes.map { "note: \($0)" }).joined(separator: "\n")
  }
}
