import CleftFormats
import CleftNN

/// The files that a model's fixed values come from, while a run goes on.
///
/// Values in memory are views of a private mapping: they outlive a file that is removed or replaced under its name, but
/// follow one that is overwritten in place.
public struct BaseFiles {
  /// What has become of a file since it was opened.
  enum Fate: Equatable {
    /// The same bytes lie under its name; with the stamp that they have now.
    case same(FileStamp)
    /// Another file, or none, has its name: what was read is safe in memory, and nowhere else.
    case replaced
    /// Its bytes were changed in place, and those in memory with them.
    case overwritten
  }

  private let files: [TensorOrigin.File]

  /// Lists the files of a model as it is now: those of parameters that are frozen and of buffers that nothing has
  /// replaced.
  public init(_ model: any Module) { self.init(model.cells()) }

  init(_ cells: [NamedCell]) {
    var known: Set<TensorOrigin.File> = []
    files = cells.compactMap(\.cell.file).filter { known.insert($0).inserted }
  }

  /// Fails if a file was overwritten in place; one question to the system for each file, unless a stamp has changed.
  ///
  /// A file that has another stamp but its old bytes is unchanged, as far as its fingerprint was ever computed.
  ///
  /// - Throws: `TrainingError.badData` naming the file.
  public func requireUnchanged() throws(TrainingError) {
    for file in files where Self.fate(file) == .overwritten { throw Self.overwritten(file) }
  }

  /// Fails if a file that fixed values of the model come from was overwritten in place.
  ///
  /// - Throws: `TrainingError.badData` naming the file.
  public static func requireUnchanged(_ model: any Module) throws(TrainingError) {
    try BaseFiles(model).requireUnchanged()
  }

  /// Reads the files for their fingerprints where these are not known, so that changes of a stamp alone are harmless
  /// from now on.
  func readFingerprints() throws(FormatError) {
    for file in files where FileStamp(of: file.path) == file.stamp { _ = try Self.version(file.path) }
  }

  /// Begins to read the files for their fingerprints; small ones are read at once, large ones behind the back of what
  /// follows.
  func prepareFingerprints() throws(FormatError) {
    for file in files where FileStamp(of: file.path) == file.stamp {
      try Fingerprints.prepare(file.path, file.stamp)
    }
  }

  /// What has become of the files.
  var fates: [TensorOrigin.File: Fate] {
    Dictionary(uniqueKeysWithValues: files.map { ($0, Self.fate($0)) })
  }

  /// The error of a file whose bytes in memory cannot be trusted any more.
  ///
  /// Of one whose fingerprint nobody knows, only its times may be others.
  static func overwritten(_ file: TensorOrigin.File) -> TrainingError {
    let mayBeTheSame =
      FileStamp(of: file.path)?.byteCount == file.stamp.byteCount
      && Fingerprints.known(file.path, file.stamp) == nil
    let found =
      mayBeTheSame
      ? "overwritten in place while it was in use, or its times changed before it had been read once, so that "
        + "nobody can tell whether values in memory changed with it"
      : "overwritten in place while it was in use, so that values in memory changed with it"
    return .badData(
      Problem(
        file.path, found: found, expected: "the file of \(file.stamp.byteCount) bytes that was read",
        hint:
          mayBeTheSame
          ? "Nothing was saved since; if its bytes are the old ones, resume from the last checkpoint or start anew."
          : "Nothing was saved since; put the old file back and resume from the last checkpoint."))
  }

  /// Stamp and fingerprint that a file has at one moment; nil if there is none.
  static func version(_ path: String) throws(FormatError) -> (stamp: FileStamp, fingerprint: String)? {
    var attempts = 3
    while let stamp = FileStamp(of: path) {
      do { return (stamp, try Fingerprints.of(path, stamp)) } catch {
        attempts -= 1
        // Its times may be set while it is read.
        if attempts == 0 || FileStamp(of: path) == stamp { throw error }
      }
    }
    return nil
  }

  private static func fate(_ file: TensorOrigin.File) -> Fate {
    guard let now = FileStamp(of: file.path) else { return .replaced }
    if now == file.stamp { return .same(now) }
    if now.byteCount == file.stamp.byteCount, let fingerprint = Fingerprints.known(file.path, file.stamp),
      let version = try? version(file.path), version.fingerprint == fingerprint
    {
      return .same(version.stamp)
    }
    return now.isSameFile(as: file.stamp) ? .overwritten : .replaced
  }
}
