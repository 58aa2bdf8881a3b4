import ArgumentParser
import CleftFormats
import CleftImaging
import CleftTensor
import Foundation

/// `cleft preprocess`: what the model sees of picture files.
struct PreprocessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "preprocess", abstract: "Write exactly what the model would see of some pictures.",
    discussion: "The safetensors file holds `images`, float32 [N, 3, S, S] in -1 ... 1, in the order given.")

  /// Which transform.
  enum Transform: String, ExpressibleByArgument, CaseIterable { case eval, train }

  @Argument(help: "PNG, JPEG or DICOM files.") var files: [String]
  @Option(help: "Safetensors file to write.") var out: String
  @Option(help: "eval, or train for one draw of the training transform.") var split: Transform = .eval
  @Option(help: "Seed of the training transform.") var seed: UInt64 = 42
  @Option(help: "Side of the result in pixels.") var image_size = 224
  @Option(help: "Folder for the same pictures as PNG, to look at.") var png: String?

  mutating func validate() throws {
    if image_size < 1 || image_size > 4096 {
      throw ValidationError("--image_size is \(image_size); expected 1 ... 4096.")
    }
  }

  func run() throws {
    let pipeline = ImagePipeline(sizePixels: image_size)
    let key = RandomKey(seed: seed).split("augmentation")
    let images = try Runtime.map(files.count) { index in
      let image = try ImageDecoder.decode(files[index])
      return split == .eval
        ? pipeline.evaluation(image) : pipeline.training(image, key: key.split("sample", 0, index))
    }
    try SafeTensorsWriter.write(
      [("images", ImagePipeline.tensor(images))], metadata: ["files": jsonText(files)], to: out)
    if let png {
      try FileSystem.makeFolder(png)
      for (index, image) in images.enumerated() {
        let name = (files[index] as NSString).lastPathComponent
        try FileSystem.write(ImageEncoder.png(image), to: "\(png)/\(index)_\(name).png")
      }
    }
    print("\(images.count) pictures in \(out)")
  }
}
