import CleftData
import CleftImaging
import Foundation

/// A few pictures of a class, as the model sees them.
struct ExampleGroup {
  /// One picture.
  struct Example {
    /// A PNG as the address of an `img`.
    let source: String
    let caption: String
    let origin: String
  }

  /// The class; for rows without classes what they are.
  let title: String
  let examples: [Example]
}

/// Chooses pictures and makes what the model sees of them.
struct CheckExamples {
  let dataset: ImageTextDataset
  /// Only whole pictures are chosen.
  let findings: [String: PictureFinding]
  let dicom: DicomRendering
  /// Pictures of a class.
  let count: Int
  private let pipeline = ImagePipeline(sizePixels: 224)

  init(
    _ dataset: ImageTextDataset, findings: [String: PictureFinding], dicom: DicomRendering, count: Int
  ) {
    self.dataset = dataset
    self.findings = findings
    self.dicom = dicom
    self.count = count
  }

  /// The first whole pictures of each class in table order, and of rows without any.
  func groups() throws -> [ExampleGroup] {
    let whole = dataset.samples.filter { sample in
      guard let facts = findings[sample.imagePath]?.facts else { return false }
      return facts.constantLevel == nil
    }
    var groups = try dataset.classNames.enumerated().map { label, name in
      try group(name, whole.lazy.filter { $0.labels.contains(label) }.prefix(count))
    }
    groups.append(try group("no class", whole.lazy.filter(\.labels.isEmpty).prefix(count)))
    return groups.filter { !$0.examples.isEmpty }
  }

  private func group(_ title: String, _ samples: some Sequence<Sample>) throws -> ExampleGroup {
    ExampleGroup(
      title: title,
      examples: try samples.compactMap { sample in
        // One that has gone since it was looked at is not worth losing the page for.
        guard let image = try? ImageDecoder.decode(sample.imagePath, dicom: dicom) else { return nil }
        let seen = pipeline.evaluation(image)
        return ExampleGroup.Example(
          source: "data:image/png;base64,\(try ImageEncoder.png(seen).base64EncodedString())",
          caption: sample.caption ?? "", origin: sample.origin)
      })
  }
}
