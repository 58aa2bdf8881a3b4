import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Testing

@Suite struct DicomTraitsTests {
  /// A file of 6 × 5 pixels; empty texts are empty elements.
  private func file(
    sex: String = "F", age: String = "045Y", view: String = "PA",
    syntax: ImageEncoder.DicomTransferSyntax = .explicitLittleEndian
  ) throws -> Data {
    try TemporaryFile.with(Data(), "film.dcm") { path in
      let fields = ImageEncoder.DicomFields(
        patientID: "P1", instanceUID: "1.2.3.3", studyUID: "1.2.3.1", seriesUID: "1.2.3.2", sex: sex,
        age: age, view: view, isMonochrome1: false, bitsStored: 8, transferSyntax: syntax)
      let values = (0..<30).map { UInt16($0) }
      try ImageEncoder.writeDicom(values, width: 6, height: 5, fields, to: path)
      return try Data(contentsOf: URL(fileURLWithPath: path))
    }
  }

  private func traits(_ data: Data, _ name: String = "film.dcm") throws -> DicomTraits? {
    try TemporaryFile.with(data, name) { DicomTraits($0) }
  }

  /// Where an element starts, in a file of explicit little endian.
  private func place(_ data: Data, _ group: UInt8, _ element: UInt8, _ kind: String) throws -> Int {
    try #require(data.range(of: Data([group, 0, element, group == 0x18 ? 0x51 : 0] + kind.utf8)))
      .lowerBound
  }

  @Test(arguments: ImageEncoder.DicomTransferSyntax.allCases)
  func headersAreRead(_ syntax: ImageEncoder.DicomTransferSyntax) throws {
    let read = try #require(try traits(try file(syntax: syntax)))
    #expect(read.sex == "F" && read.ageYears == 45 && read.view == "PA")
  }

  @Test func whatIsMissingOrOddIsUnknown() throws {
    let empty = try #require(try traits(try file(sex: "", age: "", view: "")))
    #expect(empty.sex == nil && empty.ageYears == nil && empty.view == nil)
    let odd = try #require(try traits(try file(sex: "O", age: "old", view: " LL ")))
    #expect(odd.sex == "O" && odd.ageYears == nil && odd.view == "LL")
    let long = try #require(try traits(try file(view: String(repeating: "PA", count: 300))))
    #expect(long.view == nil && long.sex == "F")
    // No such elements at all, in every syntax there is a fixture of.
    for name in ["plain8", "implicit8", "big8", "deflated8", "j2k8"] {
      let bare = try #require(DicomTraits("\(DecodingFixtures.folder)/\(name).dcm"), "\(name)")
      #expect(bare.sex == nil && bare.ageYears == nil && bare.view == nil)
    }
  }

  /// Nothing behind the header matters: neither pixels that are cut nor what the file claims of them.
  @Test func pixelsAreNotLookedAt() throws {
    let data = try file()
    let rows = try place(data, 0x28, 0x10, "US")
    #expect(try traits(data[..<rows])?.view == "PA")
    #expect(DicomTraits("\(DecodingFixtures.folder)/bad/bomb.dcm") != nil)
    #expect(DicomTraits("\(DecodingFixtures.folder)/bad/norows.dcm") != nil)
    let view = try place(data, 0x18, 0x01, "CS")
    #expect(try traits(data[..<(view - 2)]) == nil, "a header that ends early")
  }

  /// A header longer than what is read at first.
  @Test func longHeadersAreReadToTheirEnd() throws {
    let data = try file()
    let patient = try place(data, 0x10, 0x10, "PN")
    let count: UInt32 = 200_000
    var element = Data([0x09, 0, 0x10, 0x10, 0x4F, 0x42, 0, 0])
    element += withUnsafeBytes(of: count.littleEndian) { Data($0) } + Data(count: Int(count))
    let read = try traits(data[..<patient] + element + data[patient...])
    #expect(read?.sex == "F" && read?.ageYears == 45 && read?.view == "PA")
  }

  @Test func whatIsNoDicomHasNone() throws {
    #expect(DicomTraits("/no/such/file.dcm") == nil && DicomTraits("/dev/null") == nil)
    #expect(DicomTraits(DecodingFixtures.folder) == nil)
    for text in ["", "x", "not a picture", String(repeating: "not a picture ", count: 9000)] {
      let read = try traits(Data(text.utf8), "text.dcm")
      #expect(read?.sex == nil && read?.ageYears == nil && read?.view == nil)
    }
    #expect(try traits(Data()) == nil)
  }

  @Test(
    arguments: [
      ("045Y", 45), ("45", 45), (" 45.5 ", 45.5), ("006M", 0.5), ("104W", 104 * 7 / 365.25),
      ("010D", 10 / 365.25),
      ("000D", 0), ("90y", 90), ("150", 150), ("151", nil), ("-1", nil), ("", nil), ("Y", nil), ("nan", nil),
      ("inf", nil), ("45 years", nil), ("0x", nil), ("1801M", nil),
    ] as [(String, Double?)])
  func agesInYears(_ text: String, _ years: Double?) {
    let found = DicomTraits.years(text)
    #expect((found == nil) == (years == nil))
    if let found, let years { #expect(abs(found - years) < 1e-12) }
  }

  /// Changed bytes give other traits or none, never a crash.
  @Test(.tags(.fuzz), arguments: ["plain8.dcm", "implicit8.dcm", "deflated12.dcm", "voi12.dcm"])
  func mutatedHeadersNeverCrash(_ name: String) throws {
    let plain = try Data(contentsOf: URL(fileURLWithPath: "\(DecodingFixtures.folder)/\(name)"))
    let data = name == "plain8.dcm" ? try file() : plain
    var draw = CleftKeys.one.split(name: "traits \(name)").generator
    for _ in 0..<150 {
      var bytes = data
      for _ in 0...draw.next() % 4 {
        bytes[Int(draw.next() % UInt64(min(bytes.count, 900)))] = UInt8(truncatingIfNeeded: draw.next())
      }
      let read = try traits(bytes)
      #expect((read?.view ?? "").utf8.count < 200)
    }
  }
}
