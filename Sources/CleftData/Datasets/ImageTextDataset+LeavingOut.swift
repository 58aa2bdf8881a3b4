import CleftFormats

extension ImageTextDataset {
  /// Leaves out rows that have nothing to train with, and counts them.
  public mutating func leaveOutRowsWithoutCaption() {
    let kept = samples.filter { !($0.caption ?? "").isEmpty }
    if kept.count < samples.count { leftOut["no caption", default: 0] += samples.count - kept.count }
    samples = kept
  }

  /// Leaves out rows that belong to no class, and counts them.
  public mutating func leaveOutRowsWithoutClass() {
    let kept = samples.filter { !$0.labels.isEmpty }
    if kept.count < samples.count { leftOut["no class", default: 0] += samples.count - kept.count }
    samples = kept
  }

  /// Leaves out rows that belong to several classes, and counts them.
  public mutating func leaveOutRowsWithSeveralClasses() {
    let kept = samples.filter { $0.labels.count < 2 }
    if kept.count < samples.count { leftOut["several classes", default: 0] += samples.count - kept.count }
    samples = kept
  }

  /// Leaves out rows whose picture or patient another dataset has too, and counts them.
  ///
  /// - Parameter title: what the other dataset is, for the count.
  public mutating func leaveOutRows(sharedWith other: ImageTextDataset, title: String) {
    let pictures = Set(other.samples.map(\.imagePath))
    let patients = Set(other.samples.compactMap(\.patient))
    let kept = samples.filter { sample in
      !pictures.contains(sample.imagePath) && !(sample.patient.map(patients.contains) ?? false)
    }
    if kept.count < samples.count {
      leftOut["with a picture or patient of \(title)", default: 0] += samples.count - kept.count
    }
    samples = kept
  }

  /// Leaves out rows whose picture is not there, and lists them.
  public mutating func leaveOutMissingPictures() {
    var kept: [Sample] = []
    for sample in samples {
      if FileSystem.exists(sample.imagePath) {
        kept.append(sample)
      } else {
        badRows.append(
          BadRow(origin: sample.origin, imagePath: sample.imagePath, reason: "no such file"))
        leftOut["missing picture", default: 0] += 1
      }
    }
    samples = kept
  }
}
