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
  /// The pictures asked for, each once.
  private(set) var sources: [Source] = []

  /// A picture that was asked for.
  struct Source {
    var path: String
    /// Its file as it is now; nil if there is none, for which there is a reason.
    var stamp: FileStamp?
    var reason: String?
  }

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
    // Nobody else writes here now, so these are of runs that were killed.
    for name in FileSystem.list(folder) where name.hasSuffix(".partial") { unlink("\(folder)/\(name)") }
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
    } else if let foreign = FileSystem.list(place.path).first(where: { "\(place.path)/\($0)" != place.lock })
    {
      throw .malformed(
        Problem(
          "\(place.path)/\(foreign)", found: "a file that 'cleft prepare' did not write",
          expected: "an empty or new folder",
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
    let dicom = dicom
    sources = try WorkerPool.map(distinct.count, workerCount: workerCount) {
      item throws(FormatError) -> Source in
      if let stamp = FileStamp(of: distinct[item]) { return Source(path: distinct[item], stamp: stamp) }
      // The decoder says what is wrong; a file that has come meanwhile is left to the next run.
      let reason = try Self.read(distinct[item], dicom).reason
      return Source(path: distinct[item], reason: reason ?? "no such file")
    }
    var names: Set<String> = []
    for source in sources {
      let (path, name) = (source.path, naming.name(of: source.path))
      guard let stamp = source.stamp, names.insert(name).inserted else { continue }
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
    let isTorn = Mutex(false)
    let rows = try WorkerPool.map(work.count, workerCount: workerCount, progress: progress) {
      item throws(FormatError) -> PreparedRow in
      let row = try Self.prepare(work[item], naming.name(of: work[item].path), dicom, pictures)
      try isTorn.withLock { isTorn throws(FormatError) in
        // Nothing goes behind a line of which the disk took a part only; that line's error ends the run.
        if isTorn || !AppendedTable.fits(work[item].path) { return }
        isTorn = true
        try index.write(Array(row.line.utf8))
        isTorn = false
      }
      return row
    }
    try pictures.synchronize()
    return rows
  }

  private static func prepare(
    _ work: Work, _ name: String, _ dicom: DicomRendering, _ pictures: OpenFile
  ) throws(FormatError) -> PreparedRow {
    let (picture, reason) = try read(work.path, dicom)
    guard let (image, kind) = picture else {
      return PreparedRow(name: name, stamp: work.stamp, problem: reason ?? "")
    }
    var row = PreparedRow(
      name: name, stamp: work.stamp, kind: kind, rendering: kind == .dicom ? dicom : nil,
      problem: PictureProblem(image)?.reason ?? "")
    row.record = work.record
    let fitted = ImagePipeline.fitted(image).pixels
    row.checksum = fitted.withUnsafeBytes { Checksum.of($0) }
    try pictures.write(fitted, at: work.record * PreparedFolder.recordBytes)
    return row
  }

  /// A picture, or why it cannot be read.
  ///
  /// - Throws: `FormatError.system` if the disk or the memory failed: the picture may be good.
  private static func read(
    _ path: String, _ dicom: DicomRendering
  ) throws(FormatError) -> (picture: (image: GrayImage, kind: PictureKind)?, reason: String?) {
    do {
      return (try ImageDecoder.read(path, dicom: dicom), nil)
    } catch .system(let problem) {
      throw .system(problem)
    } catch {
      return (nil, PictureFinding.reason(error.problem))
    }
  }

  /// Lists everything in order and says what there is.
  mutating func finish(_ prepared: [PreparedRow]) throws(FormatError) -> PrepareReport {
    for (work, row) in zip(todo, prepared) {
      if AppendedTable.fits(work.path) { rows[row.key] = row }
    }
    try PreparedIndex.write(rows.values, to: place.index)
    try writeManifest(pictures: rows.values.count { $0.record != nil }, isComplete: true)
    FileSystem.synchronizeFolder(place.path)
    let problems = sources.compactMap { source in
      reason(source).map { BadRow(origin: "", imagePath: source.path, reason: $0) }
    }
    let written = zip(todo, prepared).count { work, row in
      row.record != nil && row.problem.isEmpty && AppendedTable.fits(work.path)
    }
    return PrepareReport(
      total: sources.count, written: written, kept: sources.count - problems.count - written,
      problems: problems,
      bytes: place.recordCount * PreparedFolder.recordBytes, seconds: 0)
  }

  /// Why a picture cannot be used; nil if it can be.
  private func reason(_ source: Source) -> String? {
    if source.stamp == nil { return source.reason }
    if !AppendedTable.fits(source.path) {
      return "a line break in its path; it is decoded whenever it is used"
    }
    let name = naming.name(of: source.path)
    let row = keys(of: name).compactMap { rows[$0] }.first { $0.stamp == source.stamp }
    return row.flatMap { $0.problem.isEmpty ? nil : $0.problem }
  }
}
