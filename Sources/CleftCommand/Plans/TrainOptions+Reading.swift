import Foundation

extension TrainOptions {
  /// Options that say how pictures and texts are read and what is asked, besides those of the data.
  private static let reading: Set<String> = ["compat", "quirk", "precision", "img_cls_ft", "multi_label"]

  /// Which data the run is about and how it is read, as a file for `--config` that holds in any folder.
  ///
  /// A checkpoint carries it, so that evaluating one needs nothing else.
  var readingYAML: String {
    var fixed = self
    fixed.data.fixPlaces()
    let own = Set(resolvedOptions([fixed.data]).map(\.name)).union(Self.reading)
    return fixed.resolved.filter { own.contains($0.name) }.map { "\($0.name): \($0.value)\n" }.joined()
  }
}

extension DataOptions {
  /// Makes every file and folder independent of the working folder and of the environment.
  mutating func fixPlaces() {
    func fix(_ path: inout String?) {
      guard let given = path, !given.isEmpty else { return }
      let expanded = (given as NSString).expandingTildeInPath
      path = URL(fileURLWithPath: expanded).standardizedFileURL.path
    }
    self.data_dir = folder
    for place: WritableKeyPath<DataOptions, String?> in [
      \.data_dir, \.train_csv, \.valid_csv, \.test_csv, \.captions.captions, \.manifest.image_dir,
      \.pictures.prepared, \.mammograms.embed_findings_csv, \.mammograms.embed_clinical_csv,
      \.mammograms.embed_legend_csv, \.mammograms.embed_density_pickle,
    ] {
      fix(&self[keyPath: place])
    }
  }
}
