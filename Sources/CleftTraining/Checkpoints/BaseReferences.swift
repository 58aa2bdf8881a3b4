import CleftFormats
import CleftNN
import CleftTensor
import Foundation

/// Tensors of a checkpoint that lie in files which were there before, as `base.json` names them.
public struct BaseReferences: Codable, Sendable, Equatable {
  /// One base file.
  public struct File: Codable, Sendable, Equatable {
    /// Where it lay.
    public var path: String
    /// Its size.
    public var byteCount: Int
    /// Time of its last change, nanoseconds since 1970.
    public var modifiedNanoseconds: Int
    /// Time of the last change of it or of what the system notes about it, nanoseconds since 1970; nil if not recorded.
    public var changedNanoseconds: Int?
    /// Its number on its disk; nil if not recorded.
    public var inode: UInt?
    /// Fingerprint of its bytes.
    public var fingerprint: String
    /// The file's key for each of the model's.
    public var tensors: [String: String]

    private enum CodingKeys: String, CodingKey {
      case path, inode, fingerprint, tensors
      case byteCount = "bytes"
      case modifiedNanoseconds = "modified_ns"
      case changedNanoseconds = "changed_ns"
    }

    /// Whether a stamp has everything that is recorded of the file's.
    fileprivate func isStamped(_ stamp: FileStamp) -> Bool {
      byteCount == stamp.byteCount && modifiedNanoseconds == stamp.modifiedNanoseconds
        && (inode ?? stamp.inode) == stamp.inode
        && (changedNanoseconds ?? stamp.changedNanoseconds) == stamp.changedNanoseconds
    }
  }

  /// The files; none for a checkpoint that stands on its own.
  public var files: [File] = []

  /// Reads `base.json` of a checkpoint folder; a folder without one refers to nothing.
  ///
  /// - Throws: `TrainingError.badData` if it is something else.
  public static func read(_ folder: String) throws -> BaseReferences {
    let path = folder + "/base.json"
    guard FileSystem.exists(path) else { return BaseReferences() }
    do { return try JSONDecoder().decode(BaseReferences.self, from: try FileSystem.read(path)) } catch {
      throw TrainingError.badData(
        Problem(path, found: "not a list of base files", hint: "Use another checkpoint."))
    }
  }

  /// Finds a file where it lay, or else by its name in one of some folders.
  ///
  /// Where it lay, a file of the same stamp is taken as it is; of all others the fingerprint decides.
  ///
  /// - Parameter checkpoint: the folder whose tensors are meant, for messages.
  /// - Throws: `TrainingError.missing` if there is none, `.badData` if another file has its place.
  static func locate(_ file: File, for checkpoint: String, in folders: [String]) throws -> (
    path: String, stamp: FileStamp
  ) {
    // A file of the same name elsewhere may be anything; only what lies where it lay has taken its place.
    var other: String?
    for path in [file.path] + folders.flatMap({ candidates(file.path, in: $0) }) {
      guard let stamp = FileStamp(of: path) else { continue }
      if stamp.byteCount != file.byteCount {
        if path == file.path { other = "another file, of \(stamp.byteCount) bytes" }
        continue
      }
      if path != file.path {
        if (try? Fingerprints.of(path, stamp)) == file.fingerprint { return (path, stamp) }
        continue
      }
      if file.isStamped(stamp) { return (path, stamp) }
      let fingerprint = try Fingerprints.of(path, stamp)
      if fingerprint == file.fingerprint { return (path, stamp) }
      other = "another file, with fingerprint \(fingerprint)"
    }
    let expected =
      "the base file with \(file.tensors.count) tensors of \(checkpoint): \(file.byteCount) bytes, "
      + "fingerprint \(file.fingerprint)"
    if let other {
      throw TrainingError.badData(
        Problem(
          file.path, found: other, expected: expected,
          hint: "Put the old file back, or into a folder for --model_dir."))
    }
    throw TrainingError.missing(
      Problem(
        file.path, found: "no such file", expected: expected,
        hint: "Put it back, beside the run folder, or below a folder for --model_dir."))
  }

  /// A file's last three, two and one names below a folder.
  private static func candidates(_ path: String, in folder: String) -> [String] {
    let parts = path.split(separator: "/")
    return (1...3).reversed().filter { $0 <= parts.count }.map {
      "\(folder)/\(parts.suffix($0).joined(separator: "/"))"
    }
  }

  /// The checkpoint's folder and those around it up to the one beside the run.
  static func foldersAround(_ checkpoint: String) -> [String] {
    var folders: [String] = []
    var url = URL(fileURLWithPath: checkpoint).standardizedFileURL
    for _ in 0..<4 where url.path != "/" {
      folders.append(url.path)
      url.deleteLastPathComponent()
    }
    return folders
  }
}

/// Tensors in the base files of a checkpoint, opened.
struct BaseTensors {
  private var sources: [String: (file: any WeightsFile, key: String)] = [:]

  /// Opens the files that a checkpoint refers to.
  ///
  /// - Parameters:
  ///   - folders: where to look for files that are not where they were.
  ///   - isWanted: files without such a key are left alone.
  init(of checkpoint: String, in folders: [String], where isWanted: (String) -> Bool = { _ in true }) throws {
    for reference in try BaseReferences.read(checkpoint).files
    where reference.tensors.keys.contains(where: isWanted) {
      let (path, stamp) = try BaseReferences.locate(reference, for: checkpoint, in: folders)
      let file = try WeightsFiles.open(path)
      for (own, key) in reference.tensors {
        guard file.entries[key] != nil else {
          throw TrainingError.badData(
            Problem(
              "\(path): \(key)", found: "no such tensor",
              expected: "the one that \(checkpoint)/base.json refers to"))
        }
        guard file.stamp(of: key) == stamp else {
          throw TrainingError.badData(
            Problem(path, found: "a file that changed while it was opened", hint: "Leave it alone."))
        }
        sources[own] = (file, key)
      }
    }
  }

  /// Shapes by the model's keys.
  var shapes: [String: Shape] { sources.compactMapValues { $0.file.entries[$0.key]?.shape } }

  /// Type of the tensor of a model's key; nil for one that the checkpoint stores itself.
  func type(_ own: String) -> DType? { sources[own].flatMap { $0.file.entries[$0.key]?.dtype } }

  /// Where the tensor of a model's key can be read again.
  func origin(_ own: String) -> TensorOrigin? { sources[own].flatMap { $0.file.origin(of: $0.key) } }

  /// The tensor of a model's key; nil for one that the checkpoint stores itself.
  func tensor(_ own: String) throws -> Tensor? { try sources[own].map { try $0.file.number($0.key) } }
}
