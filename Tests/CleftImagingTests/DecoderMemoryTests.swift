import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

/// How much memory this process has, in bytes; of use only where nothing else runs in it.
enum ProcessMemory {
  /// Now, and at most since `forget()`.
  static func read() -> (now: Int, peak: Int) {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    func value(_ key: String) -> Int {
      let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
      return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first).flatMap { Int($0) } ?? 0
    }
    return (value("VmRSS:") << 10, value("VmHWM:") << 10)
  }

  /// Before the first file: what earlier files leave behind counts.
  private static let start = read().now

  /// Forgets the peak so far; where that is not allowed the peak stays too high, never too low.
  static func forget() {
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return }
    try? file.write(contentsOf: Data("5".utf8))
  }

  /// Decodes a file and checks what that took: its bytes twice, some bytes a pixel, and a little.
  static func expectBounded(_ data: Data, _ name: String) throws -> Result<GrayImage, ImagingError> {
    try TemporaryFile.with(data, name) { path in
      let before = start
      forget()
      let result = Result { () throws(ImagingError) in try ImageDecoder.decode(path) }
      let peak = read().peak
      let taken = peak - before
      let pixels = (try? result.get()).map { $0.pixels.count } ?? 0
      #expect(before > 0 && peak > 0, "no figures")
      #expect(taken < 2 * data.count + 16 * pixels + 32 << 20, "\(name) took \(taken) bytes")
      return result
    }
  }
}

/// Each test measures in a process of its own.
@Suite struct DecoderMemoryTests {
  @Test func tilesAndComponentsThatTheStreamCannotHold() async {
    await #expect(processExitsWith: .success) {
      for (name, bomb, reason) in [
        ("tiles", try Bombs.codestream(side: 255, tile: 1), "65025 tiles"),
        ("components", try Bombs.codestream(side: 255, tile: 1, components: 15_999), "15999 components"),
        ("planes", try Bombs.codestream(side: 33, tile: 33, components: 15_999), "15999 components"),
        ("precincts", try Bombs.codestream(side: 7000, tile: 7000, precinct: 0x11), "packets"),
        ("layers", try Bombs.codestream(side: 7000, tile: 7000, layers: 65_535, precinct: 0x77), "packets"),
      ] {
        let result = try ProcessMemory.expectBounded(bomb, "\(name).dcm")
        let error = #expect(throws: ImagingError.self, "\(name)") { try result.get() }
        #expect(error?.problem.found.contains(reason) == true, "\(name): \(error?.problem.found ?? "")")
      }
    }
  }

  @Test func deflatedElements() async {
    await #expect(processExitsWith: .success) {
      let element: [UInt8] = [0x09, 0, 0x10, 0x10]
      let plain = try ImageDecoder.decode("\(DecodingFixtures.folder)/plain12.dcm")
      for (name, bomb, reason) in [
        ("endless", try Bombs.deflated(tag: element, type: "OB", zeros: 560_000_000), "inflated to more"),
        (
          "window", try Bombs.deflated(tag: [0x28, 0, 0x56, 0x10], type: "UT", zeros: 100_000_000),
          "of 100000"
        ),
        (
          "pixels",
          try Bombs.deflated(
            tag: [0xE0, 0x7F, 0x10, 0], type: "OW", zeros: 100_000_000, inPlaceOfPixels: true),
          "PixelData of 100000"
        ),
        ("crowded", try Bombs.crowded(1_000_000), "100000 elements"),
      ] {
        let result = try ProcessMemory.expectBounded(bomb, "\(name).dcm")
        let error = #expect(throws: ImagingError.self, "\(name)") { try result.get() }
        #expect(error?.problem.found.contains(reason) == true, "\(name): \(error?.problem.found ?? "")")
      }
      // Nobody asks for a private element: its zeros are inflated and forgotten.
      let kept = try ProcessMemory.expectBounded(
        Bombs.deflated(tag: element, type: "OB", zeros: 100_000_000), "private.dcm")
      #expect(try kept.get() == plain)
    }
  }

  @Test(arguments: ["zTXt", "iTXt", "iCCP"]) func textsAndProfiles(_ chunk: String) async {
    await #expect(processExitsWith: .success) { [chunk] in
      let plain = try ImageDecoder.decode("\(DecodingFixtures.folder)/gray8.png")
      let result = try ProcessMemory.expectBounded(Bombs.png(chunk: chunk, count: 20), "\(chunk).png")
      #expect(try result.get() == plain)
    }
  }

  /// As `mutatedFilesNeverCrash`, with the memory looked at.
  @Test(.tags(.fuzz)) func mutatedFiles() async {
    await #expect(processExitsWith: .success) {
      for name in BadFileTests.kinds {
        let data = try Bombs.fixture(name)
        var draw = CleftKeys.one.split("memory", 0).split(name: name).generator
        for round in 0..<20 {
          var bytes = data
          let reach = UInt64(round % 2 == 0 ? min(bytes.count, 1_000) : bytes.count)
          for _ in 0...draw.next() % 4 {
            bytes[Int(draw.next() % reach)] = UInt8(truncatingIfNeeded: draw.next())
          }
          _ = try ProcessMemory.expectBounded(bytes, name)
        }
      }
    }
  }
}
