import CleftFormats
import CleftNN
import CleftTensor
import Foundation

extension Checkpoint {
  /// Writes a checkpoint into `folder` and returns its path.
  ///
  /// Base files are looked at again before the checkpoint gets its name: if one that it refers to has gone meanwhile, it
  /// is written once more with that file's tensors in it.
  ///
  /// - Parameter warn: told which base file went while the checkpoint was written.
  /// - Throws: `FormatError.system` if the disk is full or refuses, `TrainingError.badData` if a base file was overwritten
  ///   in place; nothing is left behind then.
  @discardableResult
  public static func write(
    _ contents: Contents, into folder: String, warn: (String) -> Void = { _ in }
  ) throws -> String {
    let final = "\(folder)/\(folderName(step: contents.state.step))"
    let partial = final + ".partial"
    try FileSystem.makeFolder(folder)
    do {
      var lost: Set<String> = []
      while let more = try fill(partial, contents, storing: lost) {
        lost.formUnion(more)
        for path in more.sorted() {
          warn(
            "\(path) went or changed while a checkpoint was written: the tensors read from it are stored in it."
          )
        }
      }
      FileSystem.synchronizeFolder(partial)
      // A checkpoint of the same step keeps its name until the new one takes it.
      let old = final + ".old.partial"
      FileSystem.remove(old)
      if let reason = FileSystem.replace(final, with: partial, keepingOldAs: old) {
        throw FormatError.system(Problem(final, found: "cannot be renamed (\(reason))"))
      }
      FileSystem.synchronizeFolder(folder)
      FileSystem.remove(old)
    } catch {
      FileSystem.remove(partial)
      throw named(error, partial, final)
    }
    return final
  }

  /// Writes everything into a new folder.
  ///
  /// - Parameter lost: base files whose tensors are stored in any case.
  /// - Returns: nil if that is the checkpoint; else base files that went meanwhile, at least one, none of them in `lost`.
  private static func fill(
    _ partial: String, _ contents: Contents, storing lost: Set<String>
  ) throws -> Set<String>? {
    FileSystem.remove(partial)
    let parts = CheckpointParts(contents.model.cells(), storesBase: contents.storesBase, storing: lost)
    try parts.requireSound()
    let size = contents.byteCount(parts)
    if let free = FileSystem.freeBytes((partial as NSString).deletingLastPathComponent), free < size {
      throw FormatError.system(
        Problem(
          partial, found: "\(mebibytes(free)) free", expected: "\(mebibytes(size)) for a checkpoint",
          hint: "Free space or choose another --log_dir."))
    }
    var failure: (any Error)?
    do {
      try FileSystem.makeFolder(partial)
      var writer = Writer(folder: partial)
      try writer.write(contents, parts)
    } catch { failure = error }
    let more = try parts.lost()
    if !more.isEmpty { return more }
    if let failure { throw failure }
    return nil
  }

  /// A number of bytes as text.
  static func mebibytes(_ count: Int) -> String { String(format: "%.1f MiB", Double(count) / 1_048_576) }

  /// An error under the checkpoint's own name: nobody knows the one that it has while it is written.
  private static func named(_ error: any Error, _ partial: String, _ final: String) -> any Error {
    func renamed(_ problem: Problem) -> Problem {
      var problem = problem
      problem.location = problem.location.replacing(partial, with: final)
      return problem
    }
    switch error as? FormatError {
    case .system(let problem): return FormatError.system(renamed(problem))
    case .malformed(let problem): return FormatError.malformed(renamed(problem))
    case .missing(let problem): return FormatError.missing(renamed(problem))
    case nil: return error
    }
  }

  /// Writes the files of one checkpoint, each read back and compared, the state last.
  private struct Writer {
    let folder: String
    private var checksums: [String: String] = [:]

    init(folder: String) { self.folder = folder }

    mutating func write(_ contents: Contents, _ parts: CheckpointParts) throws {
      let cells = parts.stored
      try tensors("model.safetensors", cells.map { ($0.path, $0.cell.shape) }) { index, body in
        try cells[index].cell.lend(body)
      }
      if !parts.base.isEmpty { try text("base.json", jsonText(parts.references(), pretty: true)) }
      if let optimizer = contents.optimizer {
        let state = optimizer.state
        try tensors("optimizer.safetensors", state.map { ($0.key, $0.tensor.shape) }) { index, body in
          try body(state[index].tensor)
        }
        try text("optimizer.json", OptimizerLayout(optimizer).json)
      }
      try text("model.json", jsonText(contents.description, pretty: true))
      if let json = contents.tokenizerJSON { try text("tokenizer.json", json) }
      if let yaml = contents.optionsYAML { try text("options.yaml", yaml) }
      var state = contents.state
      state.checksums = checksums
      try text("state.json", jsonText(state, pretty: true))
    }

    private mutating func tensors(
      _ name: String, _ tensors: [(key: String, shape: Shape)],
      _ lend: (_ index: Int, _ body: (Tensor) throws -> Void) throws -> Void
    ) throws {
      let path = "\(folder)/\(name)"
      try confirm(name, try SafeTensorsWriter.write(tensors, to: path, lending: lend))
    }

    private mutating func text(_ name: String, _ text: String) throws {
      try FileSystem.write(Data(text.utf8), to: "\(folder)/\(name)")
      try confirm(name, Checksum.of(text))
    }

    /// Reads a file back, from the disk where the system lets us.
    private mutating func confirm(_ name: String, _ checksum: String) throws {
      let path = "\(folder)/\(name)"
      FileSystem.forgetCached(path)
      guard try Checksum.ofFile(path) == checksum else {
        throw FormatError.system(
          Problem(path, found: "other bytes than were written", hint: "Check the disk."))
      }
      checksums[name] = checksum
    }
  }
}
