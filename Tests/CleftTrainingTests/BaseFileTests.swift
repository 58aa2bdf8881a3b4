import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Glibc
import Testing

/// Base files that are touched, replaced or overwritten while a run uses them.
@Suite struct BaseFileTests {
  private func keys(_ checkpoint: String) throws -> Set<String> {
    Set(try SafeTensorsFile(checkpoint + "/model.safetensors").entries.keys)
  }

  private static let otherValues = CheckpointFolder.baseValues.map { $0 + 1 }

  /// Changes a file's bytes without giving it another place; its times are others afterwards.
  private func overwrite(_ path: String, with bytes: Data) throws {
    let before = FileStamp(of: path)
    repeat {
      usleep(2000)
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      try handle.write(contentsOf: bytes)
      try handle.close()
    } while FileStamp(of: path) == before
  }

  /// Bytes of a base file of the same size with other values.
  private func otherBytes(_ folder: CheckpointFolder) throws -> Data {
    let path = folder.path + "/other.safetensors"
    try SafeTensorsWriter.write([("inner.base", Tensor([64, 32], Self.otherValues))], to: path)
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }

  private func setModified(_ path: String, _ nanoseconds: Int) {
    let time = timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
    #expect(utimensat(AT_FDCWD, path, [time, time], 0) == 0)
    #expect(FileStamp(of: path)?.modifiedNanoseconds == nanoseconds)
  }

  @Test func aTouchedFileIsStillReferredTo() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      try Checkpoint.write(folder.contents(toy), into: folder.checkpoints)
      setModified(folder.baseFile, 1_000_000_000_000_000_007)
      try BaseFiles.requireUnchanged(toy)
      let second = try Checkpoint.write(folder.contents(toy, step: 2), into: folder.checkpoints)
      #expect(try keys(second) == ["weight", "bias", "mean"])
      #expect(try BaseReferences.read(second).files[0].modifiedNanoseconds == 1_000_000_000_000_000_007)
      try Checkpoint.load(second, into: CheckpointToy())
    }
  }

  @Test(arguments: [false, true]) func aFileOverwrittenInPlaceIsAnErrorAndNothingIsSaved(_ storesBase: Bool)
    throws
  {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      try Checkpoint.write(folder.contents(toy), into: folder.checkpoints)
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.baseFile))
      try overwrite(folder.baseFile, with: try otherBytes(folder))
      #expect(toy.$base.value.array == Self.otherValues, "what is in memory follows the file")
      let files = BaseFiles(toy)
      let error = #expect(throws: TrainingError.self) { try files.requireUnchanged() }
      #expect(error?.problem.location == folder.baseFile && error?.exitStatus == .badData)
      #expect(error?.problem.found.contains("its times changed") == false)
      let second = #expect(throws: TrainingError.self) {
        try Checkpoint.write(
          folder.contents(toy, step: 2, storesBase: storesBase), into: folder.checkpoints)
      }
      #expect(second?.problem.location == folder.baseFile)
      #expect(folder.names == ["step-00000001"])
      // The old bytes again: so has the memory.
      try overwrite(folder.baseFile, with: bytes)
      try files.requireUnchanged()
      let third = try Checkpoint.write(
        folder.contents(toy, step: 3, storesBase: storesBase), into: folder.checkpoints)
      #expect(try keys(third).contains("base") == storesBase)
    }
  }

  @Test func aFileTouchedBeforeItWasReadOnceMayBeTheSame() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      setModified(folder.baseFile, 1_000_000_000_000_000_007)
      let error = #expect(throws: TrainingError.self) { try BaseFiles.requireUnchanged(toy) }
      #expect(error?.problem.found.contains("or its times changed before it had been read once") == true)
    }
  }

  @Test func aTrainedModelDoesNotDependOnItsFile() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      toy.$base.isTrainable = true
      try overwrite(folder.baseFile, with: try otherBytes(folder))
      try BaseFiles.requireUnchanged(toy)
      try Checkpoint.write(folder.contents(toy), into: folder.checkpoints)
    }
  }

  @Test func anotherFileInItsPlaceLetsTheTensorsBeStored() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      try Checkpoint.write(folder.contents(toy), into: folder.checkpoints)
      // A copy under the name serves as well as the file itself.
      try SafeTensorsWriter.write(
        [("inner.base", Tensor([64, 32], CheckpointFolder.baseValues))], to: folder.baseFile)
      #expect(
        try keys(Checkpoint.write(folder.contents(toy, step: 2), into: folder.checkpoints))
          == ["weight", "bias", "mean"])
      try SafeTensorsWriter.write([("inner.base", Tensor([64, 32], Self.otherValues))], to: folder.baseFile)
      try BaseFiles.requireUnchanged(toy)
      let third = try Checkpoint.write(folder.contents(toy, step: 3), into: folder.checkpoints)
      #expect(try keys(third).contains("base") && !FileSystem.exists(third + "/base.json"))
      let copy = CheckpointToy()
      try Checkpoint.load(third, into: copy)
      #expect(copy.$base.value.array == CheckpointFolder.baseValues)
    }
  }

  /// The system gives the number of a removed file to the next one, unless somebody has it open.
  @Test func aRemovedFileIsNotTakenForAnOverwrittenOne() throws {
    try CheckpointFolder.with { folder in
      try SafeTensorsWriter.write(
        [("inner.base", Tensor([64, 32], CheckpointFolder.baseValues))], dtype: .bfloat16,
        to: folder.baseFile)
      let toy = try folder.toy(writesFile: false)
      _ = toy.$base.value
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.baseFile))
      FileSystem.remove(folder.baseFile)
      try bytes.dropLast().write(to: URL(fileURLWithPath: folder.baseFile))
      try BaseFiles.requireUnchanged(toy)
      let path = try Checkpoint.write(folder.contents(toy), into: folder.checkpoints)
      #expect(try keys(path).contains("base"))
    }
  }

  @Test func aFileOfEqualSizeAndTimeElsewhereIsRead() throws {
    try CheckpointFolder.with { folder in
      let path = try Checkpoint.write(folder.contents(folder.toy()), into: folder.checkpoints)
      let recorded = try BaseReferences.read(path).files[0]
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.baseFile))
      let other = try otherBytes(folder)
      #expect(other.count == recorded.byteCount)
      FileSystem.remove(folder.baseFile)
      let candidate = folder.run + "/base.safetensors"
      try other.write(to: URL(fileURLWithPath: candidate))
      setModified(candidate, recorded.modifiedNanoseconds)
      let elsewhere = #expect(throws: TrainingError.self) { try Checkpoint.load(path, into: CheckpointToy()) }
      #expect(elsewhere?.exitStatus == .missingInput && elsewhere?.problem.location == folder.baseFile)
      // Where it lay, the number on the disk or the time nobody can set tells.
      try other.write(to: URL(fileURLWithPath: folder.baseFile))
      setModified(folder.baseFile, recorded.modifiedNanoseconds)
      let there = #expect(throws: TrainingError.self) { try Checkpoint.load(path, into: CheckpointToy()) }
      #expect(there?.problem.found.contains("fingerprint") == true)
      FileSystem.remove(folder.baseFile)
      try bytes.write(to: URL(fileURLWithPath: candidate))
      try Checkpoint.load(path, into: CheckpointToy())
    }
  }

  @Test func aListWithoutNumbersOnTheDiskIsRead() throws {
    try CheckpointFolder.with { folder in
      let path = try Checkpoint.write(folder.contents(folder.toy()), into: folder.checkpoints)
      let list = path + "/base.json"
      let text = String(decoding: try FileSystem.read(list), as: UTF8.self)
      let lines = text.split(separator: "\n").filter {
        !$0.contains("\"inode\"") && !$0.contains("\"changed_ns\"")
      }
      #expect(lines.count == text.split(separator: "\n").count - 2)
      try FileSystem.write(Data(lines.joined(separator: "\n").utf8), to: list)
      #expect(try BaseReferences.read(path).files[0].inode == nil)
      let copy = CheckpointToy()
      try Checkpoint.load(path, into: copy)
      #expect(copy.$base.value.array == CheckpointFolder.baseValues)
    }
  }

  /// Does something to the disk while a checkpoint is written.
  private final class Meddler: Optimizer {
    let name = "SGD"
    let groups: [ParameterGroup] = []
    private let act: () throws -> Void
    private var calls = 0

    init(_ act: @escaping () throws -> Void) { self.act = act }

    func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? { nil }

    /// Asked for once for the size, then behind the model's files.
    var state: [(key: String, tensor: Tensor)] {
      calls += 1
      if calls == 2 { #expect(throws: Never.self) { try act() } }
      return [("momentum_buffer.weight", Tensor([2]))]
    }

    func restore(_ state: [String: Tensor]) {}
  }

  @Test func aFileThatGoesWhileACheckpointIsWrittenIsStoredInIt() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      var contents = folder.contents(toy)
      contents.optimizer = Meddler { FileSystem.remove(folder.baseFile) }
      var warnings: [String] = []
      let path = try Checkpoint.write(contents, into: folder.checkpoints) { warnings.append($0) }
      #expect(warnings.count == 1 && warnings[0].contains(folder.baseFile))
      #expect(try keys(path).contains("base") && !FileSystem.exists(path + "/base.json"))
      _ = try Checkpoint.readState(path)
      #expect(folder.names == ["step-00000001"])
    }
  }

  @Test func aFileOverwrittenWhileACheckpointIsWrittenLeavesNoCheckpoint() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      let other = try otherBytes(folder)
      var contents = folder.contents(toy)
      contents.optimizer = Meddler { try overwrite(folder.baseFile, with: other) }
      #expect(throws: TrainingError.self) { try Checkpoint.write(contents, into: folder.checkpoints) }
      #expect(folder.names.isEmpty)
    }
  }

  @Test func integersAreNoValuesOfAParameter() throws {
    func load(_ key: String, _ shape: Shape) throws {
      try CheckpointToy().load(
        from: "quantized", keys: [key: shape], types: { _ in .int8 }, isStrict: false
      ) { _ in Tensor(shape) }
    }
    let error = #expect(throws: StateDictError.self) { try load("weight", [48, 32]) }
    #expect(error?.problem.location == "quantized: weight" && error?.problem.found.contains("I8") == true)
    try load("mean", [48])
  }
}
