import CleftFormats
import CleftImaging
import Foundation
import Glibc
import Synchronization

/// Pictures that `cleft prepare` has decoded and fitted, 64 KiB each, bit-equal to decoding them again.
///
/// A record is used only if its source is as long and as old as it was, its rendering is the one that is wanted, and
/// its fingerprint holds; everything else is left to the decoder. One record is read at a time.
public final class PreparedPictures: Sendable {
  /// Raised whenever decoding or fitting gives other bits than before.
  public static let decoderVersion = 1

  /// The folder's name below the data folder when none is given.
  public static let defaultName = "prepared256"

  /// Where they lie.
  public let folder: String
  /// Pictures that can be read.
  public let count: Int
  /// Lines of the index that cannot be used: torn, or naming a record that is not there.
  public let unusableRows: Int
  /// Whether the last `cleft prepare` came to its end.
  public let isComplete: Bool

  let naming: PathNaming
  private let file: OpenFile
  private let places: [String: Int]
  private let rows: [PreparedRow]
  /// What was found about each row's source, once.
  private let sources: Mutex<[SourceState]>

  private enum SourceState: UInt8 {
    case unknown, unchanged, changed
  }

  /// What there is for a picture.
  enum Lookup {
    /// The fitted picture, and why it should not be used if so.
    case found(GrayImage, problem: String)
    /// Its file has changed since.
    case stale
    /// The record's fingerprint does not hold.
    case damaged
    /// Not prepared, or not in this rendering.
    case absent
  }

  /// Opens a folder for reading.
  ///
  /// - Parameter dataFolder: where the pictures lie now; nil for where they lay when they were prepared.
  /// - Throws: `FormatError` if there is none or this program cannot use it.
  public static func open(_ folder: String, dataFolder: String?) throws(FormatError) -> PreparedPictures {
    let place = PreparedFolder(path: folder)
    guard let manifest = try place.readManifest() else {
      throw .missing(
        Problem(folder, found: "no prepared pictures", hint: "Make them with: cleft prepare --out \(folder)"))
    }
    let file = try OpenFile(place.pictures, flags: O_RDONLY)
    let index = try PreparedIndex(place.index, recordCount: place.recordCount)
    return PreparedPictures(place, manifest, file, index, dataFolder ?? manifest.dataFolder)
  }

  private init(
    _ place: PreparedFolder, _ manifest: PreparedFolder.Manifest, _ file: OpenFile, _ index: PreparedIndex,
    _ dataFolder: String
  ) {
    folder = place.path
    self.file = file
    naming = PathNaming(dataFolder: dataFolder)
    rows = index.rows.values.filter { $0.record != nil }
    places = Dictionary(uniqueKeysWithValues: rows.indices.map { [rows] in (rows[$0].key, $0) })
    count = rows.count
    unusableRows = index.defects
    isComplete = manifest.isComplete
    sources = Mutex([SourceState](repeating: .unknown, count: rows.count))
  }

  /// The fitted picture of a file.
  func lookup(_ path: String, dicom: DicomRendering) -> Lookup {
    let found = row(path, dicom: dicom)
    guard let row = found.row else { return found.isStale ? .stale : .absent }
    guard let image = Self.image(of: row, file) else { return .damaged }
    return .found(image, problem: row.problem)
  }

  /// The row that is valid for a file as it is now.
  ///
  /// - Parameter stamp: the file's stamp where the caller has it already.
  func row(
    _ path: String, dicom: DicomRendering, stamp: FileStamp? = nil
  ) -> (row: PreparedRow?, isStale: Bool) {
    let name = naming.name(of: path)
    var isStale = false
    for place in [places[name], places[PreparedRow.key(name, dicom)]].compactMap({ $0 }) {
      if isUnchanged(place, path, stamp) { return (rows[place], false) }
      isStale = true
    }
    return (nil, isStale)
  }

  /// Whether a row's file is as it was; looked at once, or whenever the caller has a stamp.
  private func isUnchanged(_ place: Int, _ path: String, _ stamp: FileStamp?) -> Bool {
    if stamp == nil {
      let known = sources.withLock { $0[place] }
      if known != .unknown { return known == .unchanged }
    }
    let isUnchanged = (stamp ?? FileStamp(of: path)) == rows[place].stamp
    sources.withLock { $0[place] = isUnchanged ? .unchanged : .changed }
    return isUnchanged
  }

  /// Reads a row's record; nil if it is not what was written.
  static func image(of row: PreparedRow, _ file: OpenFile) -> GrayImage? {
    guard let record = row.record else { return nil }
    var isWhole = false
    let pixels = [UInt8](unsafeUninitializedCapacity: PreparedFolder.recordBytes) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      isWhole =
        file.read(into: bytes, at: record * PreparedFolder.recordBytes)
        && Checksum.of(UnsafeRawBufferPointer(bytes)) == row.checksum
      count = isWhole ? buffer.count : 0
    }
    let side = ImagePipeline.fitSide
    return isWhole ? GrayImage(width: side, height: side, pixels: pixels) : nil
  }
}
