import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Glibc
import Testing

enum CleftKeys { static let one = RandomKey(seed: 1) }

extension Tag {
  @Tag static var fuzz: Self
}

@Suite struct BadFileTests {
  /// One of every kind: codec, depth, transfer syntax, table.
  static let kinds = [
    "gray8.png", "rgb16_i.png", "palette4_t.png", "gray8_exif6.png", "gray.jpg", "color420_p.jpg",
    "exif6.jpg",
    "plain12.dcm", "implicit8.dcm", "big16.dcm", "deflated12.dcm", "rle12.dcm", "j2k12.dcm", "j2klossy8.dcm",
    "lossless1416.dcm", "sv112.dcm", "jpegls12.dcm", "nearlossless12.dcm", "extended12.dcm", "baseline8.dcm",
    "voi12.dcm", "voiimplicit12.dcm", "modality8.dcm", "sigmoid12s.dcm",
  ]

  private func fixture(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(DecodingFixtures.folder)/\(name)"))
  }

  /// Checks that a file is refused with its path as location and gives back what was found.
  private func refusal(_ path: String) -> String {
    let error = #expect(throws: ImagingError.self, "\(path)") { try ImageDecoder.decode(path) }
    #expect(error?.problem.location == path)
    #expect(error?.description.contains("\n") == false)
    return error?.problem.found ?? ""
  }

  @Test(arguments: kinds) func truncationIsAnErrorThatNamesTheFile(_ name: String) throws {
    let data = try fixture(name)
    let cuts = (0..<20).map { data.count * $0 / 20 } + [data.count - 3, data.count - 40]
    for count in cuts {
      try TemporaryFile.with(data.prefix(count), name) { _ = refusal($0) }
    }
  }

  /// What `make.py` made unreadable, and what the message says about it.
  @Test(arguments: [
    ("bomb.png", "can hold at most"), ("bomb.jpg", "can hold at most"), ("bomb.dcm", "can hold at most"),
    ("bombrle.dcm", "can hold at most"), ("bombj2k.dcm", "can hold at most"), ("limit.dcm", "the limit is"),
    ("zero.png", "PNG"), ("zero.jpg", "JPEG"), ("norows.dcm", "35 x 0 pixels"), ("cmyk.jpg", "CMYK"),
    ("bits12.jpg", "12"), ("arithmetic.jpg", "arithmetic"), ("lossless.jpg", "0xc3"),
    ("frames.dcm", "3 frames"),
    ("rgb.dcm", "'RGB' with 3"), ("palette.dcm", "PALETTE COLOR"), ("cells32.dcm", "BitsAllocated 32"),
    ("highbit.dcm", "HighBit 3"), ("width.dcm", "WindowWidth 0"), ("function.dcm", "CUBIC"),
    ("table.dcm", "9 entries"), ("j2k12_cut.dcm", "JPEG 2000"), ("j2k12_ended.dcm", "JPEG 2000"),
    ("jpegls12_cut.dcm", "ends early"), ("jpegls12_ended.dcm", "nvalid"), ("sv112_cut.dcm", "ends early"),
    ("sv112_ended.dcm", "premature end"), ("extended12_cut.dcm", "ends early"),
    ("extended12_ended.dcm", "premature end"), ("baseline8_cut.dcm", "ends early"),
    ("baseline8_ended.dcm", "premature end"),
  ])
  func refusedWithAReason(_ name: String, _ reason: String) {
    let found = refusal("\(DecodingFixtures.folder)/bad/\(name)")
    #expect(found.contains(reason), "\(name): \(found)")
  }

  @Test func everyBadFileIsTested() {
    #expect(FileSystem.list(DecodingFixtures.folder + "/bad").count == 31)
    for name in Self.kinds { #expect(FileSystem.exists("\(DecodingFixtures.folder)/\(name)"), "\(name)") }
  }

  @Test func absentAndForeignFiles() throws {
    let error = #expect(throws: ImagingError.self) { try ImageDecoder.decode("/no/such/file.png") }
    #expect(error?.exitStatus == .missingInput)
    #expect(refusal(DecodingFixtures.folder).contains("folder"))
    #expect(refusal("/dev/null").contains("not a regular file"))
    for (name, data) in [
      ("text.png", Data("not a picture".utf8)), ("text.dcm", Data("not a picture".utf8)),
      ("none.jpg", Data()),
      ("zeros.dcm", Data(count: 500)), ("magic.png", Data([0x89, 0x50, 0x4E, 0x47])),
      ("magic.jpg", Data([0xFF, 0xD8])), ("magic.dcm", Data(count: 128) + Data("DICM".utf8)),
    ] {
      try TemporaryFile.with(data, name) { _ = refusal($0) }
    }
  }

  /// What begins as a picture is damaged; what does not, or is of another kind, is unreadable.
  @Test func damagedIsNotUnreadable() throws {
    func isDamaged(_ path: String) -> Bool? {
      do {
        _ = try ImageDecoder.decode(path)
      } catch {
        #expect(error.exitStatus == .badData)
        if case .damaged = error { return true }
        if case .unreadable = error { return false }
      }
      return nil
    }
    for name in ["gray8.png", "gray.jpg", "plain12.dcm", "deflated12.dcm", "j2k12.dcm", "baseline8.dcm"] {
      let data = try fixture(name)
      try TemporaryFile.with(data.prefix(data.count / 2), name) { #expect(isDamaged($0) == true, "\(name)") }
    }
    for name in ["cmyk.jpg", "bomb.png", "bomb.dcm", "frames.dcm", "arithmetic.jpg"] {
      #expect(isDamaged("\(DecodingFixtures.folder)/bad/\(name)") == false, "\(name)")
    }
    try TemporaryFile.with(Data("text".utf8), "text.png") { #expect(isDamaged($0) == false) }
    #expect(isDamaged(DecodingFixtures.folder) == false)
    try TemporaryFile.with(Data(), "loop.png") { path in
      unlink(path)
      try #require(symlink(path, path) == 0)
      #expect(isDamaged(path) == false)
    }
  }

  /// No file is to blame if the system has no more descriptors or memory.
  @Test(arguments: ["descriptors", "memory"]) func aFailingSystemIsNotABadFile(_ resource: String) async {
    await #expect(processExitsWith: .success) { [resource] in
      let png = try ImageEncoder.png(GrayImage(width: 20_000, height: 10_000))
      try TemporaryFile.with(png, "black.png") { path in
        let isMemory = resource == "memory"
        // Little more than there is now; or none.
        let sizes = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        let bytes = rlim_t(sizes.first.flatMap { Int($0) } ?? 0) * 4096 + 64 << 20
        let kind = __rlimit_resource_t(isMemory ? RLIMIT_AS.rawValue : RLIMIT_NOFILE.rawValue)
        var usual = rlimit()
        try #require(getrlimit(kind, &usual) == 0)
        var limit = rlimit(rlim_cur: isMemory ? bytes : 0, rlim_max: usual.rlim_max)
        try #require(setrlimit(kind, &limit) == 0)
        let result = Result { () throws(ImagingError) in try ImageDecoder.decode(path) }
        setrlimit(kind, &usual)
        guard case .failure(.system(let problem)) = result else {
          Issue.record("\(result.map(\.width))")
          return
        }
        #expect(problem.location == path)
        #expect(ImagingError.system(problem).exitStatus == .inputOutput)
      }
    }
  }

  /// The library's parser calls itself for each level; a hostile file must not run it out of stack.
  @Test func nestingIsBounded() throws {
    let data = try fixture("plain8.dcm")
    let rows = try #require(data.range(of: Data([0x28, 0, 0x02, 0, 0x55, 0x53])))
    let level = Data(
      [0x08, 0, 0x40, 0x11, 0x53, 0x51, 0, 0] + [0xFF, 0xFF, 0xFF, 0xFF] + [0xFE, 0xFF, 0, 0xE0]
        + [0xFF, 0xFF, 0xFF, 0xFF])
    var bytes = Data(data[..<rows.lowerBound])
    for _ in 0..<100_000 { bytes += level }
    let found = try TemporaryFile.with(bytes, "nested.dcm") { refusal($0) }
    #expect(found.contains("too deep"))
  }

  /// A length field of four gigabytes in a file of a few hundred bytes.
  @Test func lengthsAreNotBelieved() throws {
    let data = try fixture("plain8.dcm")
    let rows = try #require(data.range(of: Data([0x28, 0, 0x02, 0, 0x55, 0x53])))
    let element = Data([0x09, 0, 0x40, 0x11, 0x4F, 0x42, 0, 0, 0xF0, 0xFF, 0xFF, 0xFF, 1, 2])
    try TemporaryFile.with(data[..<rows.lowerBound] + element, "long.dcm") { _ = refusal($0) }
  }

  /// Changed bytes may give another picture or an error of ours, never a crash.
  @Test(.tags(.fuzz), arguments: kinds) func mutatedFilesNeverCrash(_ name: String) throws {
    let data = try fixture(name)
    var draw = CleftKeys.one.split(name: name).generator
    for round in 0..<60 {
      var bytes = data
      // Every other round in the header, where sizes and lengths are.
      let reach = UInt64(round % 2 == 0 ? min(bytes.count, 1_000) : bytes.count)
      for _ in 0...draw.next() % 4 {
        bytes[Int(draw.next() % reach)] = UInt8(truncatingIfNeeded: draw.next())
      }
      try TemporaryFile.with(bytes, name) { path in
        do {
          let image = try ImageDecoder.decode(path, dicom: round % 3 == 0 ? .maximum : .display)
          #expect(image.pixels.count == image.width * image.height)
        } catch let error as ImagingError {
          #expect(error.problem.location == path)
        }
      }
    }
  }
}
