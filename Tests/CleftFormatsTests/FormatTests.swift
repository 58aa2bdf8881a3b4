import CleftFormats
import CleftTensor
import Foundation
import Testing

private func temporary(_ name: String, _ data: Data) throws -> String {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-\(name)")
    .path
  try data.write(to: URL(fileURLWithPath: path))
  return path
}

@Suite struct SafeTensorsTests {
  private func file(_ header: String, _ bytes: Data = Data()) throws -> String {
    var length = UInt64(header.utf8.count).littleEndian
    return try temporary("x.safetensors", Data(bytes: &length, count: 8) + Data(header.utf8) + bytes)
  }

  @Test func writingAndReading() throws {
    let path = try temporary("x", Data())
    try SafeTensorsWriter.write(
      [("b", Tensor([2, 2], [1, 2, 3, 4])), ("a", Tensor([], [7])), ("empty", Tensor([0, 3]))],
      metadata: ["k": "v"], to: path)
    let read = try SafeTensorsFile(path)
    #expect(read.metadata == ["k": "v"])
    #expect(try read.tensor("b").array == [1, 2, 3, 4])
    #expect(try read.tensor("a").item == 7)
    #expect(try read.tensor("empty").count == 0)
  }

  @Test func halfPrecisionTypesAreWidened() throws {
    let bits: [UInt16] = [0x3F80, 0xC000, Float16(1.5).bitPattern, Float16(-2).bitPattern]
    let path = try file(
      #"{"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"h":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}"#,
      bits.withUnsafeBytes { Data($0) })
    let read = try SafeTensorsFile(path)
    #expect(try read.tensor("b").array == [1, -2])
    #expect(try read.tensor("h").array == [1.5, -2])
  }

  static let bad = [
    "{", "[]", #"{"a":1}"#, #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}"#,
    #"{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
  ]

  @Test(arguments: bad)
  func damagedHeadersAreErrorsThatNameTheFile(_ header: String) throws {
    let path = try file(header, Data(count: 8))
    let error = #expect(throws: FormatError.self) { try SafeTensorsFile(path) }
    #expect(error?.exitStatus == .badData)
    #expect(error?.description.contains(path) == true)
  }

  @Test func truncatedAndOversizedFiles() throws {
    for count in [1, 7, 8] {
      let path = try temporary("t", Data(repeating: 0xFF, count: count))
      #expect(throws: FormatError.self) { try SafeTensorsFile(path) }
    }
    #expect(throws: FormatError.self) { try SafeTensorsFile("/no/such/file") }
  }

  @Test func anUnknownKeyNamesItsNeighbors() throws {
    let path = try file(#"{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, Data(count: 4))
    let error = #expect(throws: FormatError.self) { try SafeTensorsFile(path).tensor("wieght") }
    #expect(error?.description.contains("Nearest: weight") == true)
  }

  /// Random damage gives an error or other numbers, never a crash.
  @Test func mutatedFilesNeverCrash() throws {
    let header = Data(
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#
        .utf8)
    var length = UInt64(header.count).littleEndian
    let data = Data(bytes: &length, count: 8) + header + Data(count: 16)
    var draw = RandomKey(seed: 5).generator
    for _ in 0..<300 {
      var bytes = data
      for _ in 0..<3 {
        bytes[Int(draw.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: draw.next())
      }
      let path = try temporary("m", bytes)
      if let file = try? SafeTensorsFile(path) {
        for key in file.entries.keys {
          _ = try? file.tensor(key)
          _ = try? file.integers(key)
        }
      }
      try FileManager.default.removeItem(atPath: path)
    }
  }
}

@Suite struct CSVTests {
  private func table(_ text: String) throws -> CSVTable { try CSVTable(temporary("t.csv", Data(text.utf8))) }

  @Test func quotesLinesAndMarks() throws {
    let table = try table("\u{FEFF}a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n,2\n3,\n")
    #expect(table.columns == ["a", "b"])
    #expect(table.rows == [["1", "x, \"y\"\nz"], ["", "2"], ["3", ""]])
    #expect(table.lines == [2, 4, 5])
    #expect(try table.column("b") == 1)
  }

  @Test func anEmptyLastFieldNeedsNoLineEnd() throws {
    #expect(try table("a,b\n1,").rows == [["1", ""]])
  }

  @Test func whatIsWrongIsNamedWithItsLine() throws {
    for (text, place) in [("a,b\n1\n", ":2"), ("a\n\"x\n", ":2"), ("a\n\"x\"y\n", ":2")] {
      let error = #expect(throws: FormatError.self) { try table(text) }
      #expect(error?.problem.location.hasSuffix(place) == true, "\(text)")
    }
    #expect(throws: FormatError.self) { try table("") }
  }

  @Test func writtenFieldsReadBack() throws {
    let rows = [["a,b", "\"q\"", "line\nline"], ["", "plain", " "]]
    #expect(try table(csvText(columns: ["x", "y", "z"], rows: rows)).rows == rows)
  }
}

@Suite struct FileSystemTests {
  @Test func aFailedWriteLeavesTheOldFileAndNothingElse() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileSystem.makeFolder(folder)
    let path = folder + "/a"
    try FileSystem.write(Data("old".utf8), to: path)
    struct Stop: Error {}
    #expect(throws: FormatError.self) { try FileSystem.write(to: path) { _ in throw Stop() } }
    #expect(String(decoding: try FileSystem.read(path), as: UTF8.self) == "old")
    #expect(FileSystem.list(folder) == ["a"])
    #expect(throws: FormatError.self) { try FileSystem.write(Data(), to: folder + "/none/b") }
  }

  @Test func metricsLinesOfLaterStepsGo() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    let writer = try JSONLinesWriter(path)
    for step in 1...4 { try writer.append(["step": step]) }
    let again = try JSONLinesWriter(path) { !$0.contains("3") && !$0.contains("4") }
    try again.append(["step": 9])
    let lines = String(decoding: try FileSystem.read(path), as: UTF8.self).split(separator: "\n")
    #expect(lines == ["{\"step\":1}", "{\"step\":2}", "{\"step\":9}"])
  }

  @Test func checksumsSeeEveryByte() {
    let bytes = (0..<100).map { UInt8($0) }
    let whole = bytes.withUnsafeBytes { Checksum.of($0) }
    for index in bytes.indices {
      var other = bytes
      other[index] ^= 1
      #expect(other.withUnsafeBytes { Checksum.of($0) } != whole)
    }
  }

  @Test func nearMisses() {
    #expect(nearestNames(to: "lrning", among: ["learning", "seed", "lr"]).first == "learning")
  }
}

@Suite struct TableTextTests {
  private func table(_ data: Data, setsRaggedAside: Bool = false) throws -> CSVTable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).csv").path
    try data.write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try CSVTable(path, setsRaggedAside: setsRaggedAside)
  }

  @Test func bytesThatAreNotTextAreNamedByLine() throws {
    let latin = Data("a,b\n1,2\n3,d".utf8) + Data([0xE9]) + Data("f\n".utf8)
    #expect(throws: FormatError.self) { try table(latin) }
    do { _ = try table(latin) } catch {
      #expect("\(error)".contains(":3: bytes that are not UTF-8"))
    }
    let wide = Data([0xFF, 0xFE]) + Data("a,b\n".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
    #expect(throws: FormatError.self) { try table(wide) }
    #expect(throws: FormatError.self) { try table(Data("a,b\r1,2\r".utf8)) }
    #expect(try table(Data("a,b\r\n1,2\r\n".utf8)).rows == [["1", "2"]])
  }

  @Test func raggedRowsAreAnErrorOrSetAside() throws {
    let ragged = Data("a,b\n1,2\n3\n4,5\n6,7,8\n".utf8)
    #expect(throws: FormatError.self) { try table(ragged) }
    let kept = try table(ragged, setsRaggedAside: true)
    #expect(kept.rows == [["1", "2"], ["4", "5"]] && kept.lines == [2, 4])
    #expect(kept.raggedRows.map(\.line) == [3, 5] && kept.raggedRows.map(\.fieldCount) == [1, 3])
  }

  @Test func aColumnNamedTwiceIsAnError() throws {
    let twice = try table(Data("a,b,a\n1,2,3\n".utf8))
    #expect(try twice.column("b") == 1)
    #expect(throws: FormatError.self) { try twice.column("a") }
  }
}
