import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

/// Fixtures of `make.py` in `Fixtures/decoding`.
enum DecodingFixtures {
  static let folder = fixtures + "/decoding"

  static func expected(_ kind: String) throws -> SafeTensorsFile {
    try SafeTensorsFile("\(folder)/expected_\(kind).safetensors")
  }

  /// Largest difference between a picture and expected levels.
  static func worst(_ image: GrayImage, _ file: SafeTensorsFile, _ key: String) throws -> Int {
    let entry = try #require(file.entries[key], "\(key)")
    #expect(entry.shape == [image.height, image.width], "\(key)")
    let levels = try file.integers(key)
    try #require(levels.count == image.pixels.count, "\(key)")
    return zip(levels, image.pixels).map { abs($0 - Int($1)) }.max() ?? 0
  }
}

@Suite struct DecodingTests {
  static let files = FileSystem.list(DecodingFixtures.folder).filter {
    $0.hasSuffix(".png") || $0.hasSuffix(".jpg")
  }

  @Test func everyFixtureIsThere() { #expect(Self.files.count == 57) }

  /// PNG bit for bit; JPEG within the level by which inverse transforms differ.
  @Test(arguments: files) func equalsOpenCV(_ name: String) throws {
    let (image, kind) = try ImageDecoder.read("\(DecodingFixtures.folder)/\(name)")
    #expect(kind == (name.hasSuffix(".png") ? .png : .jpeg))
    let worst = try DecodingFixtures.worst(image, DecodingFixtures.expected("pictures"), name)
    #expect(worst <= (kind == .png ? 0 : 1))
  }

  @Test func quarterTurnsExchangeTheSides() throws {
    let upright = try ImageDecoder.decode("\(DecodingFixtures.folder)/exif1.jpg")
    let turned = try ImageDecoder.decode("\(DecodingFixtures.folder)/exif6.jpg")
    #expect((turned.width, turned.height) == (upright.height, upright.width))
    // Turned right: the first stored row becomes the last column.
    #expect((0..<upright.width).allSatisfy { turned[turned.width - 1, $0] == upright[$0, 0] })
  }

  /// A tag that points anywhere or nowhere leaves the picture as stored.
  @Test func oddExifDataIsHarmless() throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(DecodingFixtures.folder)/exif6.jpg"))
    let stored = try ImageDecoder.decode("\(DecodingFixtures.folder)/exif1.jpg")
    let sizes = [[stored.width, stored.height], [stored.height, stored.width]]
    let start = try #require(data.range(of: Data("Exif".utf8))).upperBound + 2
    for offset in 0..<26 {
      for byte: UInt8 in [0, 0x7F, 0xFF] {
        var bytes = data
        bytes[start + offset] = byte
        let image = try TemporaryFile.with(bytes, "exif.jpg") { try ImageDecoder.decode($0) }
        #expect(sizes.contains([image.width, image.height]))
      }
    }
  }

  @Test func constantPictures() {
    #expect(GrayImage(width: 300, height: 200, level: 7).isConstant)
    #expect(GrayImage(width: 1, height: 1).isConstant)
    for index in [0, 1, 4095, 4096, 59_999] {
      var image = GrayImage(width: 300, height: 200, level: 7)
      image.pixels[index] = 8
      #expect(!image.isConstant)
    }
  }

  /// Real files of one gray level are far smaller than their pixels; the bound on the size must let them pass.
  @Test func smallFilesOfOneLevelAreRead() throws {
    let black = GrayImage(width: 3000, height: 2500)
    let png = try ImageEncoder.png(black)
    let jpeg = try ImageEncoder.jpeg(black, quality: 50)
    #expect(png.count < 20_000 && jpeg.count < 150_000)
    #expect(try TemporaryFile.with(png, "black.png") { try ImageDecoder.decode($0) } == black)
    #expect(try TemporaryFile.with(jpeg, "black.jpg") { try ImageDecoder.decode($0) } == black)
  }
}

/// A file for the time of a closure.
enum TemporaryFile {
  static func with<Result>(_ data: Data, _ name: String, _ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-\(name)")
      .path
    try data.write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
  }
}
