import CleftFormats
import CleftImaging
import Foundation

/// Picture files against what OpenCV, Pillow and pydicom made of them, level by level.
///
/// Folder: the files, and `expected.safetensors` with `<file>.decoded8`, `.padded256`, `.crop224_of_256` and
/// `.crop224_of_224`. Equal, except that JPEG decoders differ by one level.
struct ImageParity {
  let rows: [ParityRow]

  init(_ folder: String) throws {
    let expected = try SafeTensorsFile(folder + "/expected.safetensors")
    rows = try FileSystem.list(folder).filter { Self.isPicture($0) }.flatMap { file in
      let stages = Self.stages(try ImageDecoder.decode("\(folder)/\(file)", dicom: .maximum))
      return try stages.compactMap { stage, image -> ParityRow? in
        let stem = String(file.prefix { $0 != "." })
        let keys = [file, stem].map { "\($0).\(stage)" }
        guard let key = keys.first(where: { expected.entries[$0] != nil }) else { return nil }
        let allowed = file.contains("jpeg") || file.hasSuffix(".jpg") ? 1.5 / 255 : 0
        return ParityRow(
          key, expected: try expected.integers(key).map { Double($0) / 255 },
          found: image.pixels.map { Double($0) / 255 }, scale: 1, tolerance: allowed)
      }
    }
  }

  @Sendable static func isPicture(_ name: String) -> Bool {
    ["png", "jpg", "jpeg", "dcm"].contains((name as NSString).pathExtension)
  }

  private static func stages(_ image: GrayImage) -> [(String, GrayImage)] {
    let fitted = SquareFit.apply(image)
    let wide = BilinearResize.apply(OtsuCut.apply(fitted), width: 256, height: 256)
    return [
      ("decoded8", image), ("padded256", fitted),
      ("crop224_of_256", wide.cropped(rows: 16..<240, columns: 16..<240)),
      ("crop224_of_224", ImagePipeline(sizePixels: 224).evaluation(image)),
    ]
  }
}
