/// Who is in more than one split: a model would be scored on people it has seen.
package struct PatientOverlap {
  /// By name.
  package let shared: [SharedPatient]
  /// One for each person and each split but the first, at the person's first row there.
  package let problems: [DataProblem]

  /// Looks through the splits.
  package init(_ parts: [CheckedPart]) {
    var firstRows: [String: [(split: Split, sample: Sample)]] = [:]
    var rows: [String: [Split: Int]] = [:]
    for part in parts {
      for sample in part.dataset.samples {
        guard let patient = sample.patient else { continue }
        if rows[patient]?[part.split] == nil { firstRows[patient, default: []].append((part.split, sample)) }
        rows[patient, default: [:]][part.split, default: 0] += 1
      }
    }
    let names = rows.filter { $0.value.count > 1 }.keys.sorted()
    shared = names.map { name in
      SharedPatient(
        patient: name,
        rows: Dictionary(uniqueKeysWithValues: (rows[name] ?? [:]).map { ($0.key.rawValue, $0.value) }))
    }
    problems = names.flatMap { name -> [DataProblem] in
      let places = firstRows[name] ?? []
      guard let first = places.first else { return [] }
      return places.dropFirst().map {
        DataProblem(
          split: $0.split, origin: $0.sample.origin, path: $0.sample.imagePath, kind: .patient,
          reason: "patient \(name) is also in \(first.split.rawValue) (\(first.sample.origin))")
      }
    }
  }
}
