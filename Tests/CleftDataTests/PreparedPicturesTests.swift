import CleftData
import CleftFormats
import CleftImaging
import Foundation
import Glibc
import Testing

@Suite struct PreparedPicturesTests {
  private let folder: PictureFolder

  init() throws { folder = try PictureFolder() }

  private var bin: String { "\(folder.out)/pictures.bin" }
  private var index: String { "\(folder.out)/index.csv" }

  /// The line of the index about a picture, without its break.
  private func line(_ path: String) throws -> String {
    let name = try #require(path.split(separator: "/").last)
    let text = try String(contentsOfFile: index, encoding: .utf8)
    return try #require(text.split(separator: "\n").first { $0.contains(name) }).description
  }

  @Test func preparedEqualsDecoded() throws {
    let paths = try folder.pictures(7) + [folder.dicom("a.dcm")]
    let report = try folder.prepare(paths + paths.prefix(2))
    #expect((report.total, report.written, report.kept, report.problems.count) == (8, 8, 0, 0))
    #expect(report.bytes == 8 * 65_536)
    let seen = try folder.compare(paths)
    #expect(seen.isEqual)
    #expect(seen.summary.preparedReads == 8)
    #expect(seen.summary.decodings == 0)
    #expect(seen.summary.warnings.isEmpty)
    let check = try PreparedPictures.open(folder.out, dataFolder: nil)
      .verify(paths: paths, dicom: .display, workerCount: 2) { _, _ in }
    #expect((check.equal, check.differing.count, check.stale, check.absent) == (8, 0, 0, 0))
  }

  @Test func filesDoNotDependOnThreads() throws {
    let paths = try folder.pictures(9)
    try folder.prepare(paths, workerCount: 1)
    let first = try [bin, index].map { try Checksum.ofFile($0) }
    try FileManager.default.removeItem(atPath: folder.out)
    try folder.prepare(paths, workerCount: 4)
    #expect(try [bin, index].map { try Checksum.ofFile($0) } == first)
  }

  @Test func aSecondRunKeepsWhatIsThere() throws {
    let paths = try folder.pictures(5)
    try folder.prepare(Array(paths.prefix(3)))
    let report = try folder.prepare(paths)
    #expect((report.written, report.kept) == (2, 3))
    // Pictures of an earlier run stay, whoever asks for what now.
    #expect(try folder.prepare([paths[4]]).kept == 1)
    #expect(try folder.compare(paths).summary.preparedReads == 5)
  }

  @Test func aChangedSourceIsDecodedAndPreparedAgain() throws {
    let paths = try folder.pictures(4)
    try folder.prepare(paths)
    try folder.write("p1.png", ImageEncoder.png(PictureFolder.image(99, width: 91)))
    let seen = try folder.compare(paths)
    #expect(seen.isEqual)
    #expect((seen.summary.stale, seen.summary.decodings, seen.summary.preparedReads) == (1, 1, 3))
    #expect(seen.summary.warnings.first?.contains("cleft prepare") == true)
    let check = try PreparedPictures.open(folder.out, dataFolder: folder.data)
      .verify(paths: paths, dicom: .display, workerCount: 1) { _, _ in }
    #expect((check.equal, check.stale) == (3, 1))
    let report = try folder.prepare(paths)
    #expect((report.written, report.kept) == (1, 3))
    #expect(report.bytes == 4 * 65_536)
    #expect(try folder.compare(paths).summary.preparedReads == 4)
  }

  @Test func aTouchedSourceOfEqualLengthIsStaleToo() throws {
    let paths = try folder.pictures(2)
    try folder.prepare(paths)
    let times = [timespec(tv_sec: 1_000_000_000, tv_nsec: 5), timespec(tv_sec: 1_000_000_000, tv_nsec: 5)]
    #expect(utimensat(AT_FDCWD, paths[1], times, 0) == 0)
    #expect(try folder.compare(paths).summary.stale == 1)
  }

  /// Nanoseconds since 1970 fit into 64 bits until 2262.
  @Test func sourcesOfAFarFutureAreAsGoodAsOthers() throws {
    let paths = try folder.pictures(2)
    func touch(_ seconds: Int) {
      let times = [timespec(tv_sec: seconds, tv_nsec: 7), timespec(tv_sec: seconds, tv_nsec: 7)]
      #expect(utimensat(AT_FDCWD, paths[1], times, 0) == 0)
    }
    touch(9_300_000_000)
    try folder.prepare(paths)
    #expect(try folder.compare(paths).summary.preparedReads == 2)
    touch(9_300_000_001)
    #expect(try folder.compare(paths).summary.stale == 1)
  }

  @Test func leftoversOfAKilledRunAreRemoved() throws {
    let paths = try folder.pictures(1)
    try folder.prepare(paths)
    let files = FileSystem.list(folder.out)
    try FileSystem.write(Data([1]), to: FileSystem.partialPath(of: index))
    #expect(FileSystem.list(folder.out).count == files.count + 1)
    try folder.prepare(paths)
    #expect(FileSystem.list(folder.out) == files)
  }

  /// A kill leaves an index that ends anywhere, and records behind its end.
  @Test func anIndexCutAnywhereIsContinued() throws {
    let paths = try folder.pictures(5)
    try folder.prepare(paths)
    let whole = try Data(contentsOf: URL(fileURLWithPath: index))
    let lines = whole.split(separator: 10, omittingEmptySubsequences: false).dropLast()
    for length in Set([0, 5, 70, 75, 150, 151, 200, 300, whole.count - 1]) {
      try whole.prefix(length).write(to: URL(fileURLWithPath: index))
      let listed = max(0, whole.prefix(length).count { $0 == 10 } - 1)
      #expect(try folder.compare(paths).isEqual)
      #expect(try folder.compare(paths).summary.preparedReads == listed)
      let report = try folder.prepare(paths)
      #expect((report.written, report.kept) == (5 - listed, listed), "cut at \(length)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: index)) == whole)
    }
    #expect(lines.count == 6)
  }

  /// A power cut leaves blocks of zeros; an editor, anything.
  @Test func damagedLinesAreLeftOut() throws {
    let paths = try folder.pictures(3)
    try folder.prepare(paths)
    let whole = try Data(contentsOf: URL(fileURLWithPath: index))
    let lines = [
      "a,b", "\"open", "x.png,1,2,png,,99,,0123456789abcdef", "x.png,1,2,gif,,0,,0123456789abcdef",
    ]
    let tail = Data(repeating: 0, count: 700) + Data(("\n" + lines.joined(separator: "\n") + "\n").utf8)
    try (whole + tail).write(to: URL(fileURLWithPath: index))
    #expect(try PreparedPictures.open(folder.out, dataFolder: nil).unusableRows == 5)
    #expect(try folder.compare(paths).summary.preparedReads == 3)
    #expect(try folder.prepare(paths).kept == 3)
    #expect(try Data(contentsOf: URL(fileURLWithPath: index)) == whole)
  }

  @Test func recordsCutAnywhereAreContinued() throws {
    let paths = try folder.pictures(4)
    try folder.prepare(paths)
    for length in [0, 1, 65_535, 65_536, 100_000, 4 * 65_536 - 1] {
      #expect(truncate(bin, off_t(length)) == 0)
      let seen = try folder.compare(paths)
      #expect(seen.isEqual)
      #expect(seen.summary.preparedReads == length / 65_536)
      let report = try folder.prepare(paths)
      #expect((report.written, report.kept) == (4 - length / 65_536, length / 65_536), "cut at \(length)")
      #expect(try folder.compare(paths).summary.preparedReads == 4)
    }
  }

  @Test func aDamagedRecordIsDecodedAndMended() throws {
    let paths = try folder.pictures(3)
    try folder.prepare(paths)
    let handle = try #require(FileHandle(forUpdatingAtPath: bin))
    try handle.seek(toOffset: 65_536 + 30_000)
    try handle.write(contentsOf: Data([1, 2, 3, 4, 5]))
    try handle.close()
    let seen = try folder.compare(paths)
    #expect(seen.isEqual)
    #expect(seen.summary.damaged == 1)
    let check = try PreparedPictures.open(folder.out, dataFolder: folder.data)
      .verify(paths: paths, dicom: .display, workerCount: 1) { _, _ in }
    #expect(check.differing.map(\.imagePath) == [paths[1]])
    #expect(try folder.prepare(paths).written == 1)
    #expect(try folder.compare(paths).summary.preparedReads == 3)
  }

  @Test func dicomRecordsHoldForTheirRenderingOnly() throws {
    let paths = try [folder.dicom("a.dcm")] + folder.pictures(2)
    try folder.prepare(paths, dicom: .maximum)
    let other = try folder.compare(paths, dicom: .display)
    #expect(other.isEqual)
    #expect((other.summary.absent, other.summary.preparedReads) == (1, 2))
    let report = try folder.prepare(paths, dicom: .display)
    #expect((report.written, report.kept) == (1, 2))
    for rendering in DicomRendering.allCases {
      let seen = try folder.compare(paths, dicom: rendering)
      #expect(seen.isEqual)
      #expect(seen.summary.preparedReads == 3)
    }
  }

  @Test func badPicturesAreListedAndTheRestIsPrepared() throws {
    var paths = try folder.pictures(3)
    paths.insert(try folder.write("broken.png", Data("no picture".utf8)), at: 1)
    paths.append("\(folder.data)/gone.jpg")
    paths.append(
      try folder.write("blank.png", ImageEncoder.png(GrayImage(width: 40, height: 30, level: 7))))
    for _ in 0..<2 {
      let report = try folder.prepare(paths)
      #expect(report.problems.map(\.imagePath) == [paths[1], paths[4], paths[5]])
      #expect(report.problems.dropFirst().map(\.reason) == ["no such file", "constant: every pixel is 7"])
      #expect(report.written + report.kept + report.problems.count == report.total)
      #expect(try line(paths[1]).contains("unknown kind of file"))
    }
    #expect(try folder.prepare(paths).kept == 3)
  }

  @Test func aFolderOfSomethingElseIsRefused() throws {
    let paths = try folder.pictures(1)
    try FileSystem.makeFolder(folder.out)
    let notes = "\(folder.out)/notes.txt"
    try FileSystem.write(Data("mine".utf8), to: notes)
    let full = #expect(throws: FormatError.self) { try folder.prepare(paths) }
    #expect(full?.problem.location == notes)
    try FileManager.default.removeItem(atPath: notes)
    #expect(try folder.prepare(paths).written == 1)
    try FileSystem.write(Data("{\"format\": 1}".utf8), to: "\(folder.out)/prepared.json")
    #expect(throws: FormatError.self) { try folder.prepare(paths) }
    #expect(throws: FormatError.self) { try PreparedPictures.open(folder.out, dataFolder: nil) }
    try FileManager.default.removeItem(atPath: "\(folder.out)/prepared.json")
    let foreign = #expect(throws: FormatError.self) { try folder.prepare(paths) }
    #expect(foreign?.exitStatus == .badData)
    #expect(foreign?.problem.location == index || foreign?.problem.location == bin)
    let none = #expect(throws: FormatError.self) { try PreparedPictures.open(folder.data, dataFolder: nil) }
    #expect(none?.exitStatus == .missingInput)
  }

  @Test func anIndexOfSomethingElseIsRefused() throws {
    let paths = try folder.pictures(1)
    try folder.prepare(paths)
    try FileSystem.write(Data("a,b\n1,2\n".utf8), to: index)
    #expect(throws: FormatError.self) { try folder.prepare(paths) }
    #expect(throws: FormatError.self) { try PreparedPictures.open(folder.out, dataFolder: nil) }
  }

  @Test func picturesOfAnotherDataFolderAreNotMixedIn() throws {
    let paths = try folder.pictures(2)
    try folder.prepare(paths)
    let other = try PictureFolder()
    let error = #expect(throws: FormatError.self) {
      try PreparedPictures.prepare(
        paths: try other.pictures(1), dataFolder: other.data, into: folder.out, dicom: .display,
        workerCount: 1)
    }
    #expect(error?.problem.found.contains(folder.data) == true)
  }

  @Test func aMovedDataFolderKeepsItsPictures() throws {
    let paths = try folder.pictures(3)
    try folder.prepare(paths)
    let moved = "\(folder.path)/moved"
    try FileManager.default.moveItem(atPath: folder.data, toPath: moved)
    let prepared = try PreparedPictures.open(folder.out, dataFolder: moved + "/../moved/")
    let store = PictureStore(
      pipeline: ImagePipeline(sizePixels: 56), memoryBytes: 0, prepared: prepared)
    for sample in folder.samples(paths.map { $0.replacing("/data/", with: "/moved/") }) {
      _ = try store.evaluation(sample)
    }
    #expect(store.summary.preparedReads == 3)
  }

  @Test func twoProcessesDoNotPrepareOneFolder() throws {
    let paths = try folder.pictures(1)
    try folder.prepare(paths)
    let other = open("\(folder.out)/lock", O_RDWR)
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
    let error = #expect(throws: FormatError.self) { try folder.prepare(paths) }
    #expect(error?.problem.found.contains("another process") == true)
    close(other)
    #expect(try folder.prepare(paths).kept == 1)
  }
}
