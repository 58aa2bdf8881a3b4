import CleftFormats
import CleftImaging
import Foundation
import Testing

/// `check-data` finds exactly what is wrong in a thousand pictures, and says what is in them.
@Suite struct CheckDataTests {
  /// A row of the `--list` file.
  private struct Listed: Hashable {
    let split, origin, path, kind: String
  }

  /// What is wrong with some of the pictures, and as what it is listed.
  private static let faults = [
    "missing": "missing", "empty": "unreadable", "text": "unreadable", "cut.jpg": "damaged",
    "cut.png": "damaged", "huge": "unreadable", "cmyk": "unreadable", "constant": "constant",
    "folder": "unreadable", "cut.dcm": "damaged",
  ]

  /// A CMYK JPEG of 8 x 8 pixels.
  private static let cmyk = Data(base64Encoded: CMYKPicture.base64) ?? Data()

  private func picture(_ number: Int) -> GrayImage {
    var state = UInt64(number + 1)
    return GrayImage(
      width: 48, height: 40,
      pixels: (0..<48 * 40).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 56)
      })
  }

  private func write(_ image: GrayImage, as kind: String, to path: String) throws {
    switch kind {
    case "jpg": try FileSystem.write(ImageEncoder.jpeg(image, quality: 90), to: path, isDurable: false)
    case "png": try FileSystem.write(ImageEncoder.png(image), to: path, isDurable: false)
    default:
      try ImageEncoder.writeDicom(
        image.pixels.map { UInt16($0) << 4 | 1 }, width: image.width, height: image.height,
        ImageEncoder.DicomFields(
          patientID: "p", instanceUID: "1.2.3.4", studyUID: "1.2.3", seriesUID: "1.2.5", sex: "F",
          age: "045Y", view: "PA", isMonochrome1: false, bitsStored: 12), to: path)
    }
  }

  /// A PNG that says of itself that it has 60,000 x 60,000 pixels.
  private func hugePNG() throws -> Data {
    var data = try ImageEncoder.png(picture(0))
    for place in [16, 20] { data.replaceSubrange(place..<place + 4, with: [0, 0, 0xEA, 0x60]) }
    var checksum = CRC32()
    checksum.update(data.subdata(in: 12..<29))
    data.replaceSubrange(
      29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum.value >> (24 - 8 * $0)) })
    return data
  }

  private func breakPicture(_ fault: String, _ path: String) throws {
    let files = FileManager.default
    switch fault {
    case "missing": try files.removeItem(atPath: path)
    case "empty": try FileSystem.write(Data(), to: path)
    case "text": try FileSystem.write(Data("no picture\n".utf8), to: path)
    case "huge": try FileSystem.write(hugePNG(), to: path)
    case "cmyk": try FileSystem.write(Self.cmyk, to: path)
    case "constant":
      try FileSystem.write(ImageEncoder.png(GrayImage(width: 9, height: 9, level: 7)), to: path)
    case "folder":
      try files.removeItem(atPath: path)
      try FileSystem.makeFolder(path)
    default:
      let data = try FileSystem.read(path)
      try FileSystem.write(Data(data.prefix(data.count * 2 / 3)), to: path)
    }
  }

  /// What a fault can happen to.
  private func kind(for fault: String?, _ number: Int) -> String {
    guard let fault else { return ["jpg", "png", "dcm"][number % 3] }
    return fault.hasPrefix("cut.") ? String(fault.dropFirst(4)) : fault == "text" ? "jpg" : "png"
  }

  /// Writes `count` pictures with a table; every fault comes up three times.
  private func manifest(_ folder: String, count: Int) throws -> (table: String, wrong: Set<Listed>) {
    let table = "\(folder)/own.csv"
    var lines = ["image,report,opacity,effusion,who"]
    var wrong: Set<Listed> = []
    let names = Self.faults.keys.sorted()
    let step = count / (3 * names.count)
    for number in 0..<count {
      let place = number / step
      let fault = number % step == 5 && place < 3 * names.count ? names[place % names.count] : nil
      let name = "\(number).\(kind(for: fault, number))"
      try write(picture(number), as: kind(for: fault, number), to: "\(folder)/\(name)")
      if let fault {
        try breakPicture(fault, "\(folder)/\(name)")
        wrong.insert(
          Listed(
            split: "train", origin: "\(table):\(number + 2)", path: "\(folder)/\(name)",
            kind: Self.faults[fault] ?? ""))
      }
      lines.append(
        "\(name),report \(number % 7),\(number % 2),\(number % 3 == 0 ? 1 : 0),patient \(number / 2)")
    }
    try lines.joined(separator: "\n").write(toFile: table, atomically: true, encoding: .utf8)
    return (table, wrong)
  }

  private func arguments(_ table: String, _ option: String = "--train_csv") -> [String] {
    [
      "check-data", "--dataset", "manifest", option, table, "--text_column", "report", "--label_columns",
      "opacity,effusion", "--patient_column", "who",
    ]
  }

  private func listed(_ path: String) throws -> [Listed] {
    let table = try CSVTable(path)
    #expect(table.columns == ["split", "origin", "path", "kind", "reason"])
    #expect(table.rows.allSatisfy { !$0[4].isEmpty })
    return table.rows.map { Listed(split: $0[0], origin: $0[1], path: $0[2], kind: $0[3]) }
  }

  @Test func exactlyTheBrokenPicturesAreListed() throws {
    let folder = try Tool.scratch()
    let (table, wrong) = try manifest(folder, count: 1000)
    try #require(wrong.count == 30)
    var lists: [Data] = []
    for workers in ["1", "2"] {
      let list = "\(folder)/list.csv"
      let result = try Tool.run(arguments(table) + ["--list", list, "--num_workers", workers])
      #expect(result.status == 65)
      #expect(result.errors.split(separator: "\n").filter { $0.hasPrefix("cleft: error: ") }.count == 1)
      let found = try listed(list)
      #expect(Set(found) == wrong && found.count == 30)
      for row in wrong { #expect(result.output.contains("\(row.origin): \(row.path)")) }
      lists.append(try Data(contentsOf: URL(fileURLWithPath: list)))
    }
    #expect(lists[0] == lists[1], "the number of processes changes nothing")
  }

  @Test func soundDataIsDescribedOnAPageAndAsJSON() throws {
    let folder = try Tool.scratch()
    var lines = ["image,report,opacity,effusion,who"]
    for number in 0..<12 {
      try write(
        picture(number), as: kind(for: nil, number), to: "\(folder)/\(number).\(kind(for: nil, number))")
      lines.append(
        "\(number).\(kind(for: nil, number)),<b>report</b> \(number % 2),\(number % 2),,p\(number)")
    }
    // A copy under another name, and a row that repeats a file: warnings only.
    try FileManager.default.copyItem(atPath: "\(folder)/1.png", toPath: "\(folder)/copy.png")
    lines += ["copy.png,report,0,1,p1", "2.dcm,report,1,1,p2"]
    let table = "\(folder)/own.csv"
    try lines.joined(separator: "\n").write(toFile: table, atomically: true, encoding: .utf8)
    let page = "\(folder)/check.html"
    let result = try Tool.run(
      arguments(table) + ["--json", "--report", page, "--list", "\(folder)/list.csv", "--examples", "2"])
    try #require(result.status == 0, "\(result.errors)")
    let parsed = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    let object = try #require(parsed as? [String: Any])
    #expect(object["isSound"] as? Bool == true)
    #expect(object["problemCounts"] as? [String: Int] == ["duplicate": 1, "repeated": 1])
    let split = try #require((object["splits"] as? [[String: Any]])?.first)
    let labels = try #require(split["labels"] as? [String: Any])
    #expect(labels["together"] as? [[Int]] == [[7, 1], [1, 2]])
    #expect((split["captions"] as? [String: Any])?["distinctCount"] as? Int == 3)
    #expect(try listed("\(folder)/list.csv").map(\.kind) == ["duplicate", "repeated"])
    let html = try String(contentsOfFile: page, encoding: .utf8)
    #expect(html.components(separatedBy: "data:image/png;base64,").count - 1 == 6, "two a class, two of none")
    #expect(html.contains("prefers-color-scheme: dark") && html.contains("<svg"))
    for outside in ["://", "<script", "<link", "<b>report"] {
      #expect(!html.contains(outside), "\(outside)")
    }
  }

  @Test func patientsInTwoSplitsAreAnError() throws {
    let folder = try Tool.scratch()
    for number in 0..<4 { try write(picture(number), as: "png", to: "\(folder)/\(number).png") }
    let head = "image,report,opacity,effusion,who\n"
    try (head + "0.png,a,1,0,ann\n1.png,b,0,1,bob\n").write(
      toFile: "\(folder)/train.csv", atomically: true, encoding: .utf8)
    try (head + "2.png,a,1,0,cem\n3.png,b,0,1,ann\n").write(
      toFile: "\(folder)/test.csv", atomically: true, encoding: .utf8)
    let result = try Tool.run(
      arguments("\(folder)/train.csv") + ["--test_csv", "\(folder)/test.csv", "--list", "\(folder)/list.csv"])
    #expect(result.status == 65)
    #expect(result.output.contains("ann: 1 in test, 1 in train"))
    #expect(
      try listed("\(folder)/list.csv") == [
        Listed(split: "test", origin: "\(folder)/test.csv:3", path: "\(folder)/3.png", kind: "patient")
      ])
    #expect(try Tool.run(arguments("\(folder)/test.csv")).status == 0)
  }

  @Test func nothingToCheckIsMissingInput() throws {
    let result = try Tool.run(["check-data", "--data_dir", "/no/such/place"])
    #expect(result.status == 66 && result.errors.contains("/no/such/place"))
    #expect(try Tool.run(["check-data", "--timeout", "0"]).status == 64)
  }
}

/// A JPEG of 8 x 8 pixels in cyan, magenta, yellow and black.
private enum CMYKPicture {
  static let base64 = """
    /9j/7gAOQWRvYmUAZAAAAAAA/9sAQwBQNzxGPDJQRkFGWlVQX3jIgnhubnj1r7mRyP//////////////////////////////////\
    /////////////////8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAEAAv/EACEQAAIBAgYDAAAAAAAA\
    AAAAAAECETFRACFBcdHwM7Hh/9oADgRDAE0AWQBLAAA/ANMqqvjyBjb3xOuGYSAgNmFD3bA6g5sxKjU2MdpigEXkSQBX5anH/9k=
    """
}
