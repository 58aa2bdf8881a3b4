import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

enum CleftKeys { static let one = RandomKey(seed: 1) }

@Suite struct BadFileTests {
  private func temporary(_ name: String, _ data: Data) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-\(name)")
      .path
    try data.write(to: URL(fileURLWithPath: path))
    return path
  }

  @Test(arguments: ["gray8.jpg", "gray8_tall.png", "mono2_8bit.dcm"])
  func truncationIsAnErrorThatNamesTheFile(_ name: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/images/\(name)"))
    let path = try temporary(name, data.prefix(data.count * 2 / 3))
    let error = #expect(throws: ImagingError.self) { try ImageDecoder.decode(path) }
    #expect(error?.problem.location == path)
    #expect(error?.exitStatus == .badData)
  }

  @Test func absentAndForeignFiles() throws {
    #expect(throws: ImagingError.self) { try ImageDecoder.decode("/no/such/file.png") }
    let text = try temporary("x.png", Data("not a picture".utf8))
    #expect(throws: ImagingError.self) { try ImageDecoder.decode(text) }
    let empty = try temporary("y.jpg", Data())
    #expect(throws: ImagingError.self) { try ImageDecoder.decode(empty) }
  }

  /// Flipped bytes may give another picture or an error, never a crash.
  @Test(arguments: ["gray8.jpg", "gray8_small.png", "mono2_8bit_rle.dcm", "mono2_jpeg_baseline.dcm"])
  func mutatedFilesNeverCrash(_ name: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/images/\(name)"))
    var draw = CleftKeys.one.split(name: name).generator
    for _ in 0..<40 {
      var bytes = data
      for _ in 0..<4 {
        bytes[Int(draw.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: draw.next())
      }
      let path = try temporary(name, bytes)
      _ = try? ImageDecoder.decode(path)
      try FileManager.default.removeItem(atPath: path)
    }
  }
}
