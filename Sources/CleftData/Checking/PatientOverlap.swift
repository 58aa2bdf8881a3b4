/// Who or what is in more than one split: a model would be scored on people or pictures it has seen.
package struct PatientOverlap {
  /// People, by name.
  package let shared: [SharedPatient]
  /// Paths of the pictures, sorted, without those that are known to be of these people.
  package let sharedPictures: [String]
  /// One for each person and each split but the first, at the person's first row there.
  ///
  /// Pictures are not among them: `PictureCopies` finds those.
  package let problems: [DataProblem]

  /// Looks through the splits.
  package init(_ parts: [CheckedPart]) {
    let people = Self.places(parts) { $0.patient }
    let names = people.keys.sorted()
    shared = names.map { name in
      SharedPatient(
        patient: name,
        rows: Dictionary(uniqueKeysWithValues: (people[name] ?? []).map { ($0.split.rawValue, $0.rows) }))
    }
    problems = names.flatMap { name -> [DataProblem] in
      let places = people[name] ?? []
      guard let first = places.first else { return [] }
      return places.dropFirst().map {
        DataProblem(
          split: $0.split, origin: $0.first.origin, path: $0.first.imagePath, kind: .patient,
          reason: "patient \(name) is also in \(first.split.rawValue) (\(first.first.origin))")
      }
    }
    let known = Set(names)
    let pictures = Self.places(parts) { $0.imagePath }
    sharedPictures =
      pictures.filter { _, places in
        places.contains { place in !(place.first.patient.map(known.contains) ?? false) }
      }.keys.sorted()
  }

  /// What a run says of them; nil without any.
  package var warning: String? {
    let counts = [(shared.count, "patient"), (sharedPictures.count, "picture")].filter { $0.0 > 0 }
    guard let first = shared.first?.patient ?? sharedPictures.first else { return nil }
    let total = shared.count + sharedPictures.count
    let text = counts.map { "\($0) \($1)\($0 == 1 ? "" : "s")" }.joined(separator: " and ")
    return
      "\(text) \(total == 1 ? "is" : "are") in more than one split (\(first)\(total > 1 ? ", …" : "")): scores on "
      + "them are not those of new people; 'cleft check-data' lists them."
  }

  /// The rows of one split with the same name.
  private struct Place {
    let split: Split
    let first: Sample
    var rows = 1
  }

  /// Where each name is that is in more than one split.
  private static func places(
    _ parts: [CheckedPart], _ name: (Sample) -> String?
  ) -> [String: [Place]] {
    var places: [String: [Place]] = [:]
    for part in parts {
      for sample in part.dataset.samples {
        guard let name = name(sample) else { continue }
        if let index = places[name]?.firstIndex(where: { $0.split == part.split }) {
          places[name]?[index].rows += 1
        } else {
          places[name, default: []].append(Place(split: part.split, first: sample))
        }
      }
    }
    return places.filter { $0.value.count > 1 }
  }
}
