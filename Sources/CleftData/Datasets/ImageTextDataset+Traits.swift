import CleftFormats
import CleftImaging

extension ImageTextDataset {
  /// Reads who is on the pictures out of DICOM headers, for those of which the tables say nothing at all.
  ///
  /// What cannot be read stays unknown; `notes` then says of how many pictures. Pictures of other kinds are not opened.
  /// - Parameter progress: called on the caller's thread, with the files done and those there are to do.
  public mutating func fillTraits(
    workerCount: Int, progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
  ) {
    let bare = samples.indices.filter { index in
      let (path, traits) = (samples[index].imagePath, samples[index].traits)
      return traits.sex == nil && traits.ageYears == nil && traits.view == nil
        && path.lowercased().hasSuffix(".dcm")
    }
    let paths = bare.map { samples[$0].imagePath }
    let found = WorkerPool.map(
      paths.count, workerCount: workerCount, progress: { progress($0, paths.count) },
      { DicomTraits(paths[$0]) })
    for (index, traits) in zip(bare, found) {
      guard let traits else { continue }
      samples[index].traits.sex = traits.sex.map(SampleTraits.sex)
      samples[index].traits.ageYears = traits.ageYears
      samples[index].traits.view = traits.view
    }
    let unreadable = found.count { $0 == nil }
    if unreadable > 0 {
      notes.append("\(unreadable) DICOM headers cannot be read: sex, age and view are unknown there")
    }
  }
}
