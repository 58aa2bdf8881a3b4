import CleftFormats
import CleftImaging
import Foundation
import Testing

@Suite struct DicomTests {
  static let files = FileSystem.list(DecodingFixtures.folder).filter { $0.hasSuffix(".dcm") }
  private static let inexact = ["baseline8.dcm", "extended12.dcm"]

  @Test func everyFixtureIsThere() { #expect(Self.files.count == 134) }

  /// Against pydicom; see the fixtures' README for the tolerances.
  @Test(arguments: files) func equalsPydicom(_ name: String) throws {
    let stored = try DecodingFixtures.expected("stored")
    let expected = stored.entries["\(name).maximum"] == nil ? try DecodingFixtures.expected("shown") : stored
    for rendering in DicomRendering.allCases {
      let (image, kind) = try ImageDecoder.read("\(DecodingFixtures.folder)/\(name)", dicom: rendering)
      #expect(kind == .dicom)
      let worst = try DecodingFixtures.worst(image, expected, "\(name).\(rendering)")
      let isExact = rendering == .maximum && !Self.inexact.contains(name)
      #expect(worst <= (isExact ? 0 : 1), "\(rendering)")
    }
  }

  @Test(arguments: [
    ("vector12", [0, 0, 0, 0, 0, 62, 187, 255]), ("vectorhalf", [0, 2, 2, 4, 4, 255]),
    ("vectorsigned", [255, 85, 0, 255]), ("vectorzero", [0, 0, 0, 0]),
  ])
  func publishedRounding(_ name: String, _ levels: [UInt8]) throws {
    let path = "\(DecodingFixtures.folder)/\(name).dcm"
    #expect(try ImageDecoder.decode(path, dicom: .maximum).pixels == levels)
  }

  /// Without window, LUT or rescaling both renderings of unsigned cells are the same picture.
  @Test(arguments: [
    "mono1_16bit", "mono1_8bit", "mono2_16bit_implicit", "mono2_8bit", "mono2_8bit_rle",
    "mono2_jpeg_baseline",
  ])
  func displayWithoutWindowIsThePublishedPicture(_ name: String) throws {
    let path = "\(fixtures)/images/\(name).dcm"
    #expect(
      try ImageDecoder.decode(path, dicom: .display) == ImageDecoder.decode(path, dicom: .maximum))
  }

  /// The same cells under every exact syntax.
  @Test(arguments: ["8", "8s", "10", "12", "12s", "16", "16s"])
  func exactSyntaxesAgree(_ end: String) throws {
    let plain = try ImageDecoder.decode("\(DecodingFixtures.folder)/plain\(end).dcm")
    for kind in ["implicit", "big", "deflated", "rle", "j2k", "lossless14", "sv1", "jpegls"] {
      #expect(try ImageDecoder.decode("\(DecodingFixtures.folder)/\(kind)\(end).dcm") == plain, "\(kind)")
    }
  }

  @Test(arguments: ImageEncoder.DicomTransferSyntax.allCases)
  func writtenFilesAreReadBack(_ syntax: ImageEncoder.DicomTransferSyntax) throws {
    let (width, height) = (61, 47)
    let values = (0..<width * height).map { UInt16($0 % width * 4 + $0 / width % 4) }
    let image = try written(values, width, height, syntax: syntax)
    let top = Double(values.max() ?? 0)
    let worst = zip(values, image.pixels).map { abs(Double($0) * 255 / top - Double($1)) }.max() ?? 0
    #expect(worst <= (syntax == .jpegBaseline ? 12 : 0.5))
  }

  @Test func writtenWindowAndRescalingAreUsed() throws {
    let values = (0..<256).map { UInt16($0) }
    let image = try written(values, 16, 16, window: (300, 101), rescale: (2, 100))
    // 2 v + 100 against center 299.5, half width 50.
    let expected = values.map { value -> UInt8 in
      let fraction = (Double(value) * 2 + 100 - 299.5) / 100 + 0.5
      return UInt8((min(max(fraction, 0), 1) * 255).rounded(.toNearestOrEven))
    }
    #expect(image.pixels == expected)
  }

  @Test func windowsThatMeanNothingAreRefused() {
    let error = #expect(throws: ImagingError.self) {
      try written([1, 2, 3, 4], 2, 2, window: (10, 0))
    }
    #expect(error?.problem.found.contains("WindowWidth") == true)
  }

  private func written(
    _ values: [UInt16], _ width: Int, _ height: Int,
    syntax: ImageEncoder.DicomTransferSyntax = .explicitLittleEndian,
    window: (center: Double, width: Double)? = nil, rescale: (slope: Double, intercept: Double)? = nil
  ) throws -> GrayImage {
    try TemporaryFile.with(Data(), "film.dcm") { path in
      let fields = ImageEncoder.DicomFields(
        patientID: "P1", instanceUID: "1.2.3.3", studyUID: "1.2.3.1", seriesUID: "1.2.3.2", sex: "F",
        age: "045Y", view: "PA", isMonochrome1: false, bitsStored: 8, window: window, rescale: rescale,
        transferSyntax: syntax)
      try ImageEncoder.writeDicom(values, width: width, height: height, fields, to: path)
      return try ImageDecoder.decode(path)
    }
  }
}
