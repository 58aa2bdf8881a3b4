import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Fixtures").path

@Suite struct GoldenTests {
  static let files = FileSystem.list(fixtures + "/images").filter { !$0.hasPrefix("expected") }

  /// Compares with OpenCV's, Pillow's and pydicom's pixels, in stages that exist for the file.
  @Test(arguments: files)
  func equalsThePublishedPipeline(_ file: String) throws {
    let expected = try SafeTensorsFile(fixtures + "/images/expected.safetensors")
    let image = try ImageDecoder.decode("\(fixtures)/images/\(file)", dicom: .maximum)
    let fitted = SquareFit.apply(image)
    let cut = OtsuCut.apply(fitted)
    let wide = BilinearResize.apply(cut, width: 256, height: 256)
    let stages = [
      "decoded8": image, "padded256": fitted,
      "crop224_of_256": wide.cropped(rows: 16..<240, columns: 16..<240),
      "crop224_of_224": ImagePipeline(sizePixels: 224).evaluation(image),
    ]
    var compared = 0
    for (stage, found) in stages {
      let stem = String(file.prefix { $0 != "." })
      guard let key = [file, stem].map({ "\($0).\(stage)" }).first(where: { expected.entries[$0] != nil })
      else { continue }
      let levels = try expected.integers(key)
      try #require(levels.count == found.pixels.count, "\(key)")
      // The JPEG inside a DICOM file decodes differently by one level from decoder to decoder.
      let tolerance = file.contains("jpeg") || file.hasSuffix(".jpg") ? 1 : 0
      let worst = zip(levels, found.pixels).map { abs($0 - Int($1)) }.max() ?? 0
      #expect(worst <= tolerance, "\(key): off by \(worst)")
      compared += 1
    }
    #expect(compared >= 1)
  }

  @Test func everyGoldenIsThere() { #expect(Self.files.count == 17) }
}

@Suite struct TransformTests {
  private let ramp = GrayImage(width: 6, height: 6, pixels: (0..<36).map { UInt8(7 * $0) })

  @Test func areaResizeVectors() {
    // The squares go through the pipeline's fit, which is the only caller.
    #expect(SquareFit.apply(ramp, side: 3).pixels == [25, 39, 53, 109, 123, 137, 193, 207, 221])
    #expect(SquareFit.apply(ramp, side: 4).pixels.prefix(4) == [16, 26, 37, 47])
    let corner = ramp.cropped(rows: 0..<3, columns: 0..<3)
    #expect(SquareFit.apply(corner, side: 5).pixels.prefix(5) == [0, 2, 7, 12, 14])
  }

  @Test(arguments: [(320, 390, 210, 256), (2544, 3056, 213, 256), (49, 49, 255, 255), (224, 224, 256, 256)])
  func someSquaresLoseAColumnAsPublished(_ height: Int, _ width: Int, _ fittedHeight: Int, _ fittedWidth: Int)
  {
    let fitted = SquareFit.apply(GrayImage(width: width, height: height, level: 255))
    let rows = (0..<256).filter { fitted[128, $0] > 0 }.count
    let columns = (0..<256).filter { fitted[$0, 128] > 0 }.count
    // The longer side always fills the square; ties count as height.
    #expect((rows, columns) == (fittedHeight == 255 ? 256 : fittedHeight, fittedWidth))
  }

  @Test func squaresThatLoseAColumn() {
    func side(_ count: Int) -> Int { SquareFit.fittedSize(width: count, height: count, side: 256).width }
    let listed = [49, 98, 103, 107, 161, 187, 196, 197, 206, 214, 237, 498, 501, 506]
    #expect(listed.allSatisfy { side($0) == 255 })
    #expect((1...237).filter { side($0) == 255 } == listed.filter { $0 <= 237 })
    #expect([224, 390, 512, 518, 1024].allSatisfy { side($0) == 256 })
    #expect((1...5000).filter { side($0) == 255 }.count == 540)
    for count in listed {
      let fitted = SquareFit.apply(GrayImage(width: count, height: count, level: 255))
      // The lost column comes back as padding on the right.
      #expect((fitted[0, 9], fitted[254, 9], fitted[255, 9], fitted[9, 255]) == (255, 255, 0, 255))
    }
  }

  @Test func oddPaddingIsLargerBelow() {
    let fitted = SquareFit.apply(GrayImage(width: 100, height: 82, level: 255))
    #expect((fitted[9, 22], fitted[9, 23], fitted[9, 231], fitted[9, 232]) == (0, 255, 255, 0))
  }

  @Test func areaResizeCopiesAndAveragesBlocks() {
    #expect(SquareFit.apply(ramp, side: 6) == ramp)
    // One half goes up in blocks of 2 x 2 and to even in larger ones.
    let two = GrayImage(width: 2, height: 2, pixels: [1, 1, 0, 0])
    #expect(SquareFit.apply(two, side: 1).pixels == [1])
    let four = GrayImage(width: 4, height: 4, pixels: (0..<16).map { $0 < 8 ? 1 : 0 })
    #expect(SquareFit.apply(four, side: 1).pixels == [0])
  }

  @Test func bilinearVector() {
    #expect(BilinearResize.apply(ramp, width: 4, height: 4).pixels.prefix(4) == [19, 28, 39, 48])
    #expect(BilinearResize.apply(ramp, width: 6, height: 6) == ramp)
  }

  @Test func blurKernelVector() {
    let kernel = Photometric.blurKernel(sigma: 1)
    let expected: [Float] = [0.004433, 0.054006, 0.242036, 0.399050, 0.242036, 0.054006, 0.004433]
    #expect(kernel.count == 7)
    for (a, b) in zip(kernel, expected) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func photometricVectors() {
    let image = GrayImage(width: 5, height: 1, pixels: [0, 10, 100, 200, 255])
    #expect(Photometric.brightness(image, factor: 0.8).pixels == [0, 8, 80, 160, 204])
    #expect(Photometric.contrast(image, factor: 0.8).pixels == [22, 30, 102, 182, 226])
    #expect(Photometric.contrast(image, factor: 1.2).pixels == [0, 0, 97, 217, 255])
    let flat = GrayImage(width: 9, height: 9, level: 77)
    #expect(Photometric.blur(flat, sigma: 1) == flat)
  }

  @Test func affineMatrixVector() {
    let matrix = Affine.inverseMatrix(angle: 10, translation: (3, -2), scale: 0.9, center: (112, 112))
    let expected = [1.0942308, 0.1929424, -35.0602124, -0.1929424, 1.0942308, 13.8229862]
    for (a, b) in zip(matrix, expected) { #expect(abs(a - b) < 1e-6) }
    #expect(Affine.apply(ramp, [1, 0, 0, 0, 1, 0]) == ramp)
    // One pixel right, two down: what comes in is black.
    let shift = Affine.inverseMatrix(angle: 0, translation: (1, 2), scale: 1, center: (3, 3))
    let moved = Affine.apply(ramp, shift)
    for y in 0..<6 {
      for x in 0..<6 { #expect(moved[x, y] == (x >= 1 && y >= 2 ? ramp[x - 1, y - 2] : 0)) }
    }
    // A source wholly outside leaves nothing.
    #expect(Affine.apply(ramp, [1, 0, 60, 0, 1, 0]) == GrayImage(width: 6, height: 6))
  }

  @Test func otsuEdgeCases() {
    #expect(OtsuCut.apply(GrayImage(width: 4, height: 4)).width == 4)
    #expect(OtsuCut.threshold(GrayImage(width: 4, height: 4, level: 9)) == 0)
    // A black picture has an empty mask, a flat gray one a full mask: both stay whole.
    for level: UInt8 in [0, 9, 255] {
      let flat = GrayImage(width: 5, height: 3, level: level)
      #expect(OtsuCut.apply(flat) == flat)
    }
    var spots = GrayImage(width: 9, height: 7)
    (spots[2, 1], spots[6, 4]) = (200, 180)
    let (rows, columns) = OtsuCut.box(spots)
    #expect(rows == 1..<5 && columns == 2..<7)
    #expect(OtsuCut.apply(spots) == spots.cropped(rows: rows, columns: columns))
  }

  @Test func partsAndMirrorsOfPictures() {
    #expect(ramp.cropped(rows: 4..<6, columns: 2..<4).pixels == [182, 189, 224, 231])
    #expect(ramp.cropped(rows: 3..<3, columns: 2..<4).pixels.isEmpty)
    #expect(ramp.mirrored.pixels.prefix(6) == [35, 28, 21, 14, 7, 0] && ramp.mirrored.mirrored == ramp)
    var flat = GrayImage(width: 100, height: 90, level: 7)
    #expect(flat.isConstant && GrayImage(width: 0, height: 0).isConstant)
    flat[99, 89] = 8
    #expect(!flat.isConstant)
  }

  @Test func trainingDrawsDependOnTheKeyAlone() {
    let pipeline = ImagePipeline(sizePixels: 56)
    let image = GrayImage(
      width: 90, height: 70, pixels: (0..<6300).map { UInt8(truncatingIfNeeded: $0 * 13) })
    let key = CleftKeys.one
    #expect(pipeline.training(image, key: key) == pipeline.training(image, key: key))
    #expect(pipeline.training(image, key: key) != pipeline.training(image, key: key.split("other")))
  }
}
