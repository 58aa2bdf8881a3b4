import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import Foundation

/// A folder of small pictures for one test, removed when nobody holds it any more.
final class PictureFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileSystem.makeFolder("\(path)/data")
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Where the pictures lie.
  var data: String { "\(path)/data" }

  /// Where prepared pictures go.
  var out: String { "\(path)/prepared" }

  /// A picture unlike those of other seeds, not square.
  static func image(_ seed: Int, width: Int = 70, height: Int = 50) -> GrayImage {
    var draw = RandomKey(seed: UInt64(seed)).generator
    var image = GrayImage(width: width, height: height)
    for i in image.pixels.indices { image.pixels[i] = UInt8(truncatingIfNeeded: draw.next()) }
    return image
  }

  /// Writes pictures, every third one a JPEG, the others PNG, and returns their paths.
  func pictures(_ count: Int) throws -> [String] {
    try (0..<count).map { index in
      index % 3 == 0
        ? try write("picture \(index), a.jpg", ImageEncoder.jpeg(Self.image(index), quality: 90))
        : try write("p\(index).png", ImageEncoder.png(Self.image(index, width: 90 + index)))
    }
  }

  /// Writes a DICOM file of which the two renderings differ.
  func dicom(_ name: String) throws -> String {
    let values = (0..<64 * 48).map { UInt16($0 % 900 + 100) }
    let uid = "1.2.826.0.1.3680043.8.498.7"
    let fields = ImageEncoder.DicomFields(
      patientID: "p", instanceUID: uid + ".3", studyUID: uid + ".1", seriesUID: uid + ".2", sex: "F",
      age: "045Y", view: "PA", isMonochrome1: false, bitsStored: 12)
    try ImageEncoder.writeDicom(values, width: 64, height: 48, fields, to: "\(data)/\(name)")
    return "\(data)/\(name)"
  }

  /// Writes any file and returns its path.
  @discardableResult
  func write(_ name: String, _ bytes: Data) throws -> String {
    try FileSystem.write(bytes, to: "\(data)/\(name)", isDurable: false)
    return "\(data)/\(name)"
  }

  /// Prepares pictures of this folder.
  @discardableResult
  func prepare(
    _ paths: [String], dicom: DicomRendering = .display, workerCount: Int = 2
  ) throws -> PrepareReport {
    try PreparedPictures.prepare(
      paths: paths, dataFolder: data, into: out, dicom: dicom, workerCount: workerCount)
  }

  /// What a store over the prepared pictures makes of them, compared with decoding; returns the store's counts.
  func compare(_ paths: [String], dicom: DicomRendering = .display) throws -> (
    isEqual: Bool, summary: PictureStore.Summary
  ) {
    let pipeline = ImagePipeline(sizePixels: 56)
    let plain = PictureStore(pipeline: pipeline, dicom: dicom, memoryBytes: 0)
    let store = PictureStore(
      pipeline: pipeline, dicom: dicom, memoryBytes: 0,
      prepared: try PreparedPictures.open(out, dataFolder: data))
    let isEqual = try samples(paths).allSatisfy { try plain.evaluation($0) == store.evaluation($0) }
    return (isEqual, store.summary)
  }

  /// Samples of pictures, one a line of a table.
  func samples(_ paths: [String]) -> [Sample] {
    paths.enumerated().map {
      Sample(imagePath: $1, caption: "c", labels: [], origin: "table.csv:\($0 + 2)")
    }
  }

  /// A dataset of pictures.
  func dataset(_ paths: [String]) -> ImageTextDataset {
    ImageTextDataset(
      name: "Test", table: "table.csv", samples: samples(paths), classNames: [], promptSets: [])
  }
}
