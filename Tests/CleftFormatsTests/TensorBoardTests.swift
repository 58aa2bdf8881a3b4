import CleftFormats
import Foundation
import Glibc
import Testing

/// TensorBoard's event files, against those of the Python writer.
@Suite struct TensorBoardTests {
  private struct Expected: Decodable {
    struct Histogram: Decodable {
      let name: String
      let values: [Float]
      let min, max, count, sum, squares: Double
      let limits, counts: [Double]
    }
    struct Curve: Decodable {
      let name: String
      let scores: [Float]
      let isPositive: [Bool]
      let values: [Float]
    }
    let histograms: [Histogram]
    let curves: [Curve]
  }

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures/tensorboard").path

  private func expected() throws -> Expected {
    try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/expected.json")))
  }

  @Test func checksumsAreCastagnolis() {
    func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
      var checksum = CRC32(.castagnoli)
      checksum.update(Data(bytes))
      return checksum.value
    }
    // RFC 3720, appendix B.4.
    #expect(checksum(repeatElement(0, count: 32)) == 0x8A91_36AA)
    #expect(checksum(repeatElement(0xFF, count: 32)) == 0x62A8_AB43)
    #expect(checksum(0..<32) == 0x46DD_794E)
    #expect(checksum((0..<32).reversed()) == 0x113F_DB5C)
    #expect(checksum("123456789".utf8) == 0xE306_9283)
    #expect(checksum([]) == 0)
    var inParts = CRC32(.castagnoli)
    for part in [0..<5, 5..<6, 6..<32] { inParts.update(Data(part.map(UInt8.init))) }
    #expect(inParts.value == 0x46DD_794E)
    var zip = CRC32()
    zip.update(Data("123456789".utf8))
    #expect(zip.value == 0xCBF4_3926)
  }

  @Test func fieldsAreThoseOfTheEncodingGuide() {
    func hex(_ fill: (inout ProtobufWriter) -> Void) -> String {
      ProtobufWriter.message(fill).map { String(format: "%02x", $0) }.joined(separator: " ")
    }
    #expect(hex { $0.integer(1, 150) } == "08 96 01")
    #expect(hex { $0.integer(1, -2) } == "08 fe ff ff ff ff ff ff ff ff 01")
    #expect(hex { $0.integer(16, 127) } == "80 01 7f")
    #expect(hex { $0.text(2, "testing") } == "12 07 74 65 73 74 69 6e 67")
    #expect(hex { $0.double(1, 1) } == "09 00 00 00 00 00 00 f0 3f")
    #expect(hex { $0.double(1, -0.0) } == "09 00 00 00 00 00 00 00 80")
    #expect(hex { $0.floats(4, [1, -2]) } == "22 08 00 00 80 3f 00 00 00 c0")
    // What has its default value is left out, but for a field of a oneof.
    #expect(
      hex {
        $0.integer(1, 0)
        $0.double(2, 0)
        $0.float(3, 0)
        $0.text(4, "")
        $0.doubles(5, [])
      } == "")
    #expect(hex { $0.float(2, 0, always: true) } == "15 00 00 00 00")
    #expect(hex { $0.message(3, Data()) } == "1a 00")
  }

  /// Whole records, byte for byte.
  @Test func eventsAreThoseOfThePythonWriter() throws {
    let histogram = try #require(HistogramSummary([0.5, -0.25, 0.5, 2, 0]))
    let curve = try #require(
      PrecisionRecallSummary(scores: [0.9, 0.2, 0.4, 1], isPositive: [true, false, true, false]))
    let image = TensorBoardEvent.Value.image(png: Data([0x89] + "PNG".utf8), width: 3, height: 2)
    let events: [(step: Int, content: TensorBoardEvent.Content)] = [
      (0, .version), (8, .start),
      (300, .values([(tag: "train/loss", value: .scalar(1.5)), (tag: "val/zero", value: .scalar(0))])),
      (300, .values([(tag: "parameters/a", value: .histogram(histogram))])),
      (300, .values([(tag: "images/first", value: image)])),
      (300, .values([(tag: "val/Edema", value: .curve(curve))])),
    ]
    var rest = try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/events.bin"))
    for (step, content) in events {
      let event = TensorBoardEvent(time: 1_700_000_000.25, step: step, content)
      let record = EventFileWriter.record(event.message)
      #expect(record == rest.prefix(record.count), "\(content)")
      rest = rest.dropFirst(record.count)
    }
    #expect(rest.isEmpty)
  }

  @Test func histogramsAreThoseOfThePythonWriter() throws {
    let all = try expected().histograms
    #expect(all.count == 8)
    for one in all {
      let found = try #require(HistogramSummary(one.values))
      #expect(found.limits == one.limits && found.counts == one.counts, "\(one.name)")
      #expect(found.min == one.min && found.max == one.max && found.count == one.count, "\(one.name)")
      #expect(
        abs(found.sum - one.sum) <= 1e-12 * one.values.reduce(0) { $0 + Double(abs($1)) }, "\(one.name)")
      #expect(abs(found.squares - one.squares) <= 1e-12 * one.squares, "\(one.name)")
    }
  }

  /// The Python writer leaves out what lies beyond its last bucket.
  @Test func everyFiniteValueIsInABucket() throws {
    let found = try #require(HistogramSummary([1e30, -3e38, 1, .nan, .infinity, -.infinity]))
    #expect(found.count == 3 && found.counts.reduce(0, +) == 3)
    #expect(found.counts.count == found.limits.count)
    #expect(found.limits.first == -.greatestFiniteMagnitude && found.limits.last == .greatestFiniteMagnitude)
    #expect(HistogramSummary([.nan, .infinity]) == nil)
    #expect(HistogramSummary([]) == nil)
  }

  @Test func curvesAreThoseOfThePythonWriter() throws {
    let all = try expected().curves
    #expect(all.count == 4)
    for one in all {
      let found = try #require(PrecisionRecallSummary(scores: one.scores, isPositive: one.isPositive))
      #expect(found.values == one.values, "\(one.name)")
      #expect(found.note.isEmpty)
    }
  }

  @Test func scoresThatAreNoProbabilitiesAreStretched() throws {
    let (shares, labels): ([Float], [Bool]) = ([0, 0.25, 0.5, 1], [false, true, false, true])
    let plain = try #require(PrecisionRecallSummary(scores: shares, isPositive: labels))
    let cosines = try #require(PrecisionRecallSummary(scores: shares.map { 8 * $0 - 4 }, isPositive: labels))
    #expect(cosines.values == plain.values)
    #expect(cosines.note == "Thresholds from 0 to 1 stand for scores from -4.0 to 4.0.")
    #expect(PrecisionRecallSummary(scores: [], isPositive: []) == nil)
    #expect(PrecisionRecallSummary(scores: [.nan, 1], isPositive: [true, false]) == nil)
    let equal = try #require(PrecisionRecallSummary(scores: [7, 7], isPositive: [true, false]))
    #expect(equal.values.allSatisfy(\.isFinite) && equal.values.count == 6 * 127)
  }
}
