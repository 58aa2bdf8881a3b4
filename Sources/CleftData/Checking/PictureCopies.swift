/// Pictures that come up more than once: the same file in several rows, or the same picture in several files.
struct PictureCopies {
  /// One for each row that repeats a file, one for each file that repeats a picture.
  let problems: [DataProblem]

  init(_ parts: [CheckedPart], findings: [String: PictureFinding]) {
    typealias Place = (split: Split, sample: Sample)
    var byPath: [String: Place] = [:]
    var byPicture: [String: Place] = [:]
    var problems: [DataProblem] = []
    for part in parts {
      for sample in part.dataset.samples {
        func note(_ kind: ProblemKind, _ what: String, of first: Place) {
          let split = first.split == part.split ? "" : ", in \(first.split.rawValue)"
          problems.append(
            DataProblem(
              split: part.split, origin: sample.origin, path: sample.imagePath, kind: kind,
              reason: "\(what) as \(first.sample.origin)\(split)"))
        }
        if let first = byPath[sample.imagePath] {
          note(.repeated, "the same file", of: first)
          continue
        }
        byPath[sample.imagePath] = (part.split, sample)
        // Blank pictures are alike without being copies of one another.
        guard let facts = findings[sample.imagePath]?.facts, facts.constantLevel == nil else { continue }
        let picture = "\(facts.checksum) \(facts.width) \(facts.height)"
        if let first = byPicture[picture] {
          note(.duplicate, "the same picture (\(first.sample.imagePath))", of: first)
        } else {
          byPicture[picture] = (part.split, sample)
        }
      }
    }
    self.problems = problems
  }
}
