import CleftFormats
import CleftImaging
import Foundation
import Glibc
import Synchronization

/// One run of `PreparedPictures.prepare`: look at what is there, plan, write, list.
struct PreparationJob {
  private let place: PreparedFolder
  private let dataFolder: String
  private let dicom: DicomRendering
  private let workerCount: Int
  private let naming: PathNaming
  /// Held until the run ends.
  private let lock: OpenFile
  /// Rows that are whole, by key.
  private var rows: [String: PreparedRow] = [:]
  private var todo: [Work] = []
  /// The pictures asked for, each once, and the stamps of those that are there.
  private(set) var sources: [(path: String, stamp: FileStamp?)] = []

  /// A picture to prepare and where it goes.
  private struct Work {
    var path: String
    var stamp: FileStamp
    var record: Int
  }

  /// Pictures that have to be decoded.
  var workCount: Int { todo.count }

  init(
    _ folder: String, dataFolder: String, dicom: DicomRendering, workerCount: Int
  ) throws(FormatError) {
    place = PreparedFolder(path: folder)
    self.dataFolder = PathNaming.absolute(dataFolder)
    self.dicom = dicom
    self.workerCount = workerCount
    naming = PathNaming(dataFolder: dataFolder)
    try FileSystem.makeFolder(folder)
    lock = try OpenFile(place.lock, flags: O_RDWR | O_CREAT)
    try lock.lock()
    try checkFolder()
    try loadRows()
  }

  /// Makes sure that the folder is ours, or claims an empty one.
  private func checkFolder() throws(FormatError) {
    if let manifest = try place.readManifest() {
      if manifest.dataFolder != dataFolder, FileSystem.isFolder(manifest.dataFolder) {
        throw .malformed(
          Problem(
            place.manifest, found: "pictures of \(manifest.dataFolder)", expected: "of \(dataFolder)",
            hint: "Choose another --out, or delete this folder."))
      }
    } else if let foreign = [place.pictures, place.index].first(where: FileSystem.exists) {
      throw .malformed(
        Problem(
          foreign, found: "a file that 'cleft prepare' did not write", expected: "an empty or new folder",
          hint: "Choose another --out."))
    }
    try writeManifest(pictures: 0, isComplete: false)
    _ = try OpenFile(place.pictures, flags: O_RDWR | O_CREAT)
  }

  private func writeManifest(pictures: Int, isComplete: Bool) throws(FormatError) {
    try place.writeManifest(
      PreparedFolder.Manifest(
        format: PreparedFolder.format, decoder: PreparedPictures.decoderVersion, side: ImagePipeline.fitSide,
        dataFolder: dataFolder, pictures: pictures, isComplete: isComplete))
  }

  /// Takes over what earlier runs have listed, after looking at every record.
  private mutating func loadRows() throws(FormatError) {
    let index = try PreparedIndex(place.index, recordCount: place.recordCount)
    rows = index.rows
    let listed = rows.values.filter { $0.record != nil }
    if !listed.isEmpty {
      let file = try OpenFile(place.pictures, flags: O_RDONLY)
      let isWhole = WorkerPool.map(listed.count, workerCount: workerCount) {
        PreparedPictures.image(of: listed[$0], file) != nil
      }
      for (row, isWhole) in zip(listed, isWhole) where !isWhole { rows[row.key] = nil }
    }
  }

  /// Finds what has to be decoded, and a free record for each of it.
  mutating func plan(_ paths: [String]) throws(FormatError) {
    var seen: Set<String> = []
    let distinct = paths.filter { seen.insert($0).inserted }
    let stamps = WorkerPool.map(distinct.count, workerCount: workerCount) { FileStamp(of: distinct[$0]) }
    sources = zip(distinct, stamps).map { ($0, $1) }
    var names: Set<String> = []
    for (path, stamp) in sources {
      let name = naming.name(of: path)
      guard let stamp, names.insert(name).inserted else { continue }
      if keys(of: name).contains(where: { rows[$0]?.stamp == stamp && rows[$0]?.record != nil }) { continue }
      dropRows(of: name, unless: stamp)
      todo.append(Work(path: path, stamp: stamp, record: 0))
    }
    let used = Set(rows.values.compactMap(\.record))
    var next = 0
    for item in todo.indices {
      while used.contains(next) { next += 1 }
      todo[item].record = next
      next += 1
    }
    // Only rows that stay may be in the index from here on: the records of all others are written over.
    try PreparedIndex.write(rows.values, to: place.index)
    try requireSpace(records: next)
  }

  /// Keys of the rows that count for a picture.
  private func keys(of name: String) -> [String] { [name, PreparedRow.key(name, dicom)] }

  /// Forgets a file as it was, in every rendering, and earlier attempts to read it.
  private mutating func dropRows(of name: String, unless stamp: FileStamp) {
    for key in [name] + DicomRendering.allCases.map({ PreparedRow.key(name, $0) }) {
      if rows[key]?.stamp != stamp || rows[key]?.record == nil { rows[key] = nil }
    }
  }

  private func requireSpace(records: Int) throws(FormatError) {
    let needed = (records - place.recordCount) * PreparedFolder.recordBytes + todo.count * 300
    guard needed > 0, let free = FileSystem.freeBytes(place.path), free < needed + (1 << 20) else { return }
    throw .system(
      Problem(
        place.path, found: "\(free >> 20) MiB free",
        expected: "\((needed >> 20) + 2) MiB for \(todo.count) pictures",
        hint: "Free space or choose another --out."))
  }

  /// Decodes and writes; every picture is listed as soon as its record is there.
  func write(_ progress: (_ done: Int) -> Void) throws(FormatError) -> [PreparedRow] {
    let pictures = try OpenFile(place.pictures, flags: O_RDWR | O_CREAT)
    let index = try OpenFile(place.index, flags: O_WRONLY | O_APPEND)
    let (work, dicom, naming) = (todo, dicom, naming)
    let failure = Mutex<FormatError?>(nil)
    let results = WorkerPool.map(work.count, workerCount: workerCount, progress: progress) {
      item -> Result<PreparedRow, FormatError> in
      if let failed = failure.withLock({ $0 }) { return .failure(failed) }
      let result = Result { () throws(FormatError) in
        try Self.prepare(work[item], naming.name(of: work[item].path), dicom, pictures)
      }
      return failure.withLock { failed in
        if failed == nil, AppendedTable.fits(work[item].path) {
          do throws(FormatError) {
            try index.write(Array(result.get().line.utf8))
          } catch {
            failed = error
          }
        }
        return failed.map { .failure($0) } ?? result
      }
    }
    if let failed = failure.withLock({ $0 }) { throw failed }
    try pictures.synchronize()
    return try results.map { result throws(FormatError) in try result.get() }
  }

  private static func prepare(
    _ work: Work, _ name: String, _ dicom: DicomRendering, _ pictures: OpenFile
  ) throws(FormatError) -> PreparedRow {
    let image: GrayImage
    let kind: PictureKind
    do {
      (image, kind) = try ImageDecoder.read(work.path, dicom: dicom)
    } catch {
      return PreparedRow(name: name, stamp: work.stamp, problem: oneLine(error.problem.found))
    }
    var row = PreparedRow(
      name: name, stamp: work.stamp, kind: kind, rendering: kind == .dicom ? dicom : nil,
      problem: PictureStore.constantReason(image) ?? "")
    row.record = work.record
    let fitted = ImagePipeline.fitted(image).pixels
    row.checksum = fitted.withUnsafeBytes { Checksum.of($0) }
    try pictures.write(fitted, at: work.record * PreparedFolder.recordBytes)
    return row
  }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  /// Lists everything in order and says what there is.
  mutating func finish(_ prepared: [PreparedRow]) throws(FormatError) -> PrepareReport {
    for (work, row) in zip(todo, prepared) {
      if AppendedTable.fits(work.path) { rows[row.key] = row }
    }
    try PreparedIndex.write(rows.values, to: place.index)
    try writeManifest(pictures: rows.values.count { $0.record != nil }, isComplete: true)
    FileSystem.synchronizeFolder(place.path)
    let problems = sources.compactMap { path, stamp in
      problem(path, stamp).map { PictureProblem(path: path, reason: $0) }
    }
    return PrepareReport(
      total: sources.count, written: prepared.count { $0.record != nil },
      kept: sources.count { $0.stamp != nil } - todo.count, problems: problems,
      bytes: place.recordCount * PreparedFolder.recordBytes, seconds: 0)
  }

  private func problem(_ path: String, _ stamp: FileStamp?) -> String? {
    if stamp == nil { return "no such file" }
    if !AppendedTable.fits(path) { return "a line break in its path; it is decoded whenever it is used" }
    let name = naming.name(of: path)
    let row = keys(of: name).compactMap { rows[$0] }.first { $0.stamp == stamp }
    return row.flatMap { $0.problem.isEmpty ? nil : $0.problem }
  }
}
