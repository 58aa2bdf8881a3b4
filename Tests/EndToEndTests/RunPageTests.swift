import Foundation
import FoundationXML
import Testing

/// The page of `cleft runs --html` is whole in itself and holds every run.
@Suite struct RunPageTests {
  /// Reads a page as XML, which is stricter than HTML.
  private final class PageReader: NSObject, XMLParserDelegate {
    var lines: [(style: String, points: [String])] = []
    var text = ""
    var figureCount = 0

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      if name == "figure" { figureCount += 1 }
      guard name == "polyline" else { return }
      lines.append(
        (attributes["class"] ?? "", (attributes["points"] ?? "").split(separator: " ").map(String.init)))
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
  }

  private func page(_ folders: RunFolders, _ arguments: [String] = []) throws -> (
    html: String, read: PageReader
  ) {
    let path = "\(folders.logs)/\(UUID().uuidString).html"
    let result = try Tool.run(["runs", "--log_dir", folders.logs, "--html", path] + arguments)
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("written: \(path)"))
    let html = try String(contentsOfFile: path, encoding: .utf8)
    let reader = PageReader()
    let parser = XMLParser(data: Data(html.utf8))
    parser.delegate = reader
    let isWellFormed = parser.parse()
    try #require(isWellFormed, "\(parser.parserError.debugDescription) line \(parser.lineNumber)")
    return (html, reader)
  }

  @Test func itIsWellFormedAndHoldsEveryRun() throws {
    let folders = try RunFolders.three()
    let (html, read) = try page(folders)
    for name in [
      "2026_01_02_03_04_05_lora", "2026_01_03_03_04_05_ia3", "2026_01_04_03_04_05_<b>\"bold\" & 'more'",
    ] {
      #expect(read.text.contains(name), "\(name)")
    }
    #expect(read.text.contains("2.0000*") && read.text.contains("stopped (resumable)"))
    #expect(read.text.contains("grad_ckpt") && !read.text.contains("learning_rate"))
    for outside in ["://", "<script", "<link", "<b>\"", "<i>none", folders.logs] {
      #expect(!html.contains(outside), "\(outside)")
    }
    #expect(html.contains("prefers-color-scheme: dark") && html.contains("@media print"))
    // Loss, validation loss, its accuracy, rate, speed, memory: all runs but the one without a validation.
    #expect(read.figureCount == 6)
    #expect(read.lines.count == 6 * 3 - 2)
    #expect(Set(read.lines.map(\.style)) == ["c0", "c1", "c2"])
    let again = try page(folders)
    #expect(again.html == html, "the page depends on the runs alone")
  }

  @Test func aFileThatIsThereStays() throws {
    let folders = try RunFolders.three()
    let path = folders.logs + "/page.html"
    try "mine".write(toFile: path, atomically: true, encoding: .utf8)
    let refused = try Tool.run(["runs", folders.logs, "--html", path])
    #expect(refused.status == 74 && refused.errors.contains("--overwrite"))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
    #expect(try Tool.run(["runs", folders.logs, "--html", path, "--overwrite"]).status == 0)
    #expect(try String(contentsOfFile: path, encoding: .utf8).contains("3 runs compared"))
  }

  @Test func curvesAreDrawnOverEpochsOrHoursWhereTheyAreKnown() throws {
    let folders = try RunFolders.three()
    let epochs = try page(folders, ["--x", "epoch", "--metrics", "val_loss"])
    #expect(epochs.read.text.contains("epochs"))
    #expect(epochs.read.text.contains("Not drawn: #3") && epochs.read.text.contains("no whole epoch"))
    // Fifty steps an epoch: the first validation lies in the middle of two epochs, the second at their end.
    let first = try #require(
      epochs.read.lines.first?.points.map { $0.split(separator: ",").compactMap { Double($0) } })
    try #require(first.count == 2)
    let end = first[1][0]
    let other = try page(folders, ["--x", "step", "--metrics", "val_loss"])
    #expect(
      other.read.lines[0].points == epochs.read.lines[0].points, "only the numbers below the axis differ")
    #expect(end > first[0][0])
    let hours = try page(folders, ["--x", "hours"])
    #expect(hours.read.text.contains("hours of training") && !hours.read.text.contains("Not drawn"))
  }

  @Test func longCurvesAreThinnedWithoutLosingPeaks() throws {
    let folders = try RunFolders()
    let lines = (1...6000).map { step in
      "{\"step\":\(step),\"val_loss\":\(step == 3333 ? 50 : 1 + Double(step % 7) / 10),\"train_loss\":\(step % 5)}"
    }
    try folders.make("long", lines: lines)
    let (_, read) = try page(folders, ["--metrics", "val_loss,train_loss"])
    #expect(read.figureCount == 2)
    let points = try #require(read.lines.first?.points)
    #expect(points.count <= 800 && points.count > 400)
    #expect(points.filter { $0.hasSuffix(",8") }.count == 1, "the peak is the top of the scale")
    // The training loss is drawn twice: its values faintly, their means on top.
    #expect(read.lines.dropFirst().map(\.style) == ["faint c0", "c0"])
    #expect(read.lines.allSatisfy { $0.points.count <= 800 })
  }

  @Test func ratesFarApartAreDrawnInPowersOfTen() throws {
    let folders = try RunFolders()
    for (name, rate) in [("a", 1e-3), ("b", 2e-6)] {
      try folders.make(
        name,
        lines: (1...10).map { RunFolders.training($0 * 10, epoch: 0, loss: 1, rate: rate * Double($0) / 10) })
    }
    let (_, read) = try page(folders)
    #expect(read.text.contains("Learning rate of the first parameter group; powers of ten"))
    for tick in ["1e-3", "1e-7"] { #expect(read.text.contains(tick), "\(tick)") }
  }
}
