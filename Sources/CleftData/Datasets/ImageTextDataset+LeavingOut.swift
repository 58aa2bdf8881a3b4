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
