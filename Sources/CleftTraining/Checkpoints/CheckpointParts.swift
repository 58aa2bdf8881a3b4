import CleftFormats
import CleftNN
import CleftTensor

/// A model's cells, divided into those a checkpoint stores and those it refers to.
struct CheckpointParts {
  /// Tensors of one base file: the model's key and the file's.
  struct Base {
    /// The file as it was opened.
    let file: TensorOrigin.File
    var tensors: [String: String]
  }

  private(set) var stored: [NamedCell] = []
  private(set) var base: [Base] = []
  /// Base files that are not any more what was read, with the number of tensors stored for that reason.
  private(set) var changed: [(path: String, count: Int)] = []
  /// Files that fixed values come from, stored or not.
  private let files: BaseFiles
  /// A file whose values in memory are not what was read.
  private let overwritten: TensorOrigin.File?

  /// Divides cells.
  ///
  /// - Parameter lost: paths of base files whose tensors are stored in any case.
  init(_ cells: [NamedCell], storesBase: Bool, storing lost: Set<String> = []) {
    files = BaseFiles(cells)
    let fates = files.fates
    overwritten = fates.filter { $0.value == .overwritten }.map(\.key).min { $0.path < $1.path }
    var places: [String: Int] = [:]
    var changes: [String: Int] = [:]
    for named in cells {
      guard !storesBase, let origin = named.cell.origin else {
        stored.append(named)
        continue
      }
      guard !lost.contains(origin.path), case .same = fates[origin.file] else {
        if fates[origin.file] != .overwritten { changes[origin.path, default: 0] += 1 }
        stored.append(named)
        continue
      }
      let place = places[origin.path] ?? base.count
      if place == base.count { base.append(Base(file: origin.file, tensors: [:])) }
      places[origin.path] = place
      base[place].tensors[named.path] = origin.key
    }
    changed = changes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Bytes of the stored tensors and of the list of the others.
  var byteCount: Int {
    let list = base.reduce(0) { total, file in
      total + 256 + file.tensors.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 16 }
    }
    return SafeTensorsWriter.byteCount(stored.map { ($0.path, $0.cell.shape) }) + list
  }

  /// What a user should know, one line each.
  var notes: [String] {
    changed.map { path, count in
      "\(path) is not any more the file that was read: the \(count) tensors read from it are stored in the checkpoints."
    }
  }

  /// Fails if values in memory are not what was read.
  ///
  /// - Throws: `TrainingError.badData` naming the file that was overwritten in place.
  func requireSound() throws(TrainingError) {
    if let overwritten { throw BaseFiles.overwritten(overwritten) }
  }

  /// Begins with what `references` takes time for.
  ///
  /// - Throws: `TrainingError.badData` naming a file that was overwritten in place, or `FormatError` naming a small one that
  ///   cannot be read.
  func prepareReferences() throws {
    try requireSound()
    try files.prepareFingerprints()
  }

  /// What goes into `base.json`.
  ///
  /// Files whose fingerprint is not known yet are read for it; those of stored tensors too, since by it a changed stamp
  /// is told from changed bytes.
  ///
  /// - Throws: `TrainingError.badData` naming a file that was overwritten in place, or `FormatError` naming one that
  ///   cannot be read or changes meanwhile.
  func references() throws -> BaseReferences {
    try requireSound()
    try files.readFingerprints()
    return BaseReferences(files: try base.map(reference))
  }

  private func reference(_ base: Base) throws(FormatError) -> BaseReferences.File {
    let path = base.file.path
    guard let (stamp, fingerprint) = try BaseFiles.version(path),
      fingerprint == Fingerprints.known(path, base.file.stamp)
    else {
      throw .malformed(
        Problem(path, found: "a file that changed while it was read", hint: "Leave it alone."))
    }
    return BaseReferences.File(
      path: path, byteCount: stamp.byteCount, modifiedNanoseconds: stamp.modifiedNanoseconds,
      changedNanoseconds: stamp.changedNanoseconds, inode: stamp.inode, fingerprint: fingerprint,
      tensors: base.tensors)
  }

  /// Paths of the files referred to that are not any more what was read.
  ///
  /// - Throws: `TrainingError.badData` naming one that was overwritten in place.
  func lost() throws(TrainingError) -> Set<String> {
    let fates = files.fates
    for (file, fate) in fates.sorted(by: { $0.key.path < $1.key.path }) where fate == .overwritten {
      throw BaseFiles.overwritten(file)
    }
    return Set(base.map(\.file).filter { fates[$0] == .replaced }.map(\.path))
  }
}
