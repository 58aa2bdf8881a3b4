import ArgumentParser
import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// `cleft preprocess`: what the model sees of picture files, and how fast.
struct PreprocessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "preprocess", abstract: "Write exactly what the model would see of some pictures.",
    discussion: """
      The safetensors file holds `images`, float32 [N, 3, S, S] in -1 ... 1, in the order given. Without --out the \
      pictures are made and let go, to measure.
      """)

  /// Which transform.
  enum Transform: String, ExpressibleByArgument, CaseIterable { case eval, train }

  @Argument(help: "PNG, JPEG or DICOM files.") var files: [String] = []
  @Option(help: "File with one path a line, more files.") var list: String?
  @Option(help: "Safetensors file to write.") var out: String?
  @Option(help: "eval, or train for one draw of the training transform.") var split: Transform = .eval
  @Option(help: "Seed of the training transform.") var seed: UInt64 = 42
  @Option(help: "Side of the result in pixels.") var image_size = 224
  @Option(help: "Folder for the same pictures as PNG, to look at.") var png: String?
  @Option(help: "Folder that 'cleft prepare' wrote, to read fitted pictures from.") var prepared: String?
  @Option(help: "Threads; default: the processors this process may use.") var threads: Int?
  @Option(help: "fixed, or reference: DICOM values times 255 / maximum, as published.")
  var compat: Compatibility = .fixed

  mutating func validate() throws {
    if image_size < 1 || image_size > 4096 {
      throw ValidationError("--image_size is \(image_size); expected 1 ... 4096.")
    }
    if files.isEmpty && list == nil { throw ValidationError("Name some files, or a --list of them.") }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); expected at least 1.") }
  }

  func run() throws {
    if let threads { Runtime.configure(threads: threads) }
    let files = try self.files + (list.map(PathList.read) ?? [])
    let store = PictureStore(
      pipeline: ImagePipeline(sizePixels: image_size), dicom: compat.dicomRendering,
      memoryBytes: 0, prepared: try prepared.map { try PreparedPictures.open($0, dataFolder: nil) })
    let start = ContinuousClock.now
    let images = try make(files, store)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if let out {
      try SafeTensorsWriter.write(
        [("images", ImagePipeline.tensor(images))], metadata: ["files": jsonText(files)], to: out)
    }
    if let png { try writePictures(images, files, to: png) }
    let rate = String(format: "%.3f s, %.1f images/s", seconds, Double(files.count) / seconds)
    print("\(files.count) pictures, \(rate)\(out.map { ", in \($0)" } ?? "")")
  }

  /// What the model sees of each file; when nobody wants the pictures each is let go as soon as its tensor is made.
  private func make(_ files: [String], _ store: PictureStore) throws -> [GrayImage] {
    let key = RandomKey(seed: seed).split("augmentation")
    let isKept = out != nil || png != nil
    return try Runtime.map(files.count) { index -> GrayImage? in
      let sample = Sample(imagePath: files[index], caption: nil, labels: [], origin: "")
      let image =
        split == .eval
        ? try store.evaluation(sample)
        : store.pipeline.augmented(try store.resized(sample), key: key.split("sample", 0, index))
      if isKept { return image }
      _ = ImagePipeline.tensor([image])
      return nil
    }.compactMap { $0 }
  }

  private func writePictures(_ images: [GrayImage], _ files: [String], to folder: String) throws {
    try FileSystem.makeFolder(folder)
    for (index, image) in images.enumerated() {
      let name = (files[index] as NSString).lastPathComponent
      try FileSystem.write(ImageEncoder.png(image), to: "\(folder)/\(index)_\(name).png")
    }
  }
}

/// A file with one path a line.
enum PathList {
  /// - Throws: `FormatError` if the file is not there or names nothing.
  static func read(_ path: String) throws(FormatError) -> [String] {
    let lines = String(decoding: try FileSystem.read(path), as: UTF8.self).split(whereSeparator: \.isNewline)
    guard !lines.isEmpty else {
      throw .malformed(Problem(path, found: "an empty list", expected: "one path a line"))
    }
    return lines.map(String.init)
  }
}
