import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

/// Checkpoints that refer to the files which their frozen tensors came from.
@Suite struct SmallCheckpointTests {
  private func keys(_ checkpoint: String) throws -> Set<String> {
    Set(try SafeTensorsFile(checkpoint + "/model.safetensors").entries.keys)
  }

  @Test func frozenTensorsOfAFileAreReferredToAndReadBack() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      toy.$mean.value = Tensor([48], repeating: 3)
      let path = try Checkpoint.write(folder.contents(toy), into: folder.checkpoints)
      #expect(try keys(path) == ["weight", "bias", "mean"])
      let references = try BaseReferences.read(path)
      #expect(references.files.map(\.path) == [folder.baseFile])
      #expect(references.files[0].tensors == ["base": "inner.base"])
      #expect(try references.files[0].fingerprint == Checksum.ofFile(folder.baseFile))
      _ = try Checkpoint.readState(path)
      let copy = CheckpointToy()
      try Checkpoint.load(path, into: copy)
      #expect(copy.$base.value.array == CheckpointFolder.baseValues)
      #expect(copy.$weight.value.array == toy.$weight.value.array)
      #expect(copy.$mean.value.array == toy.$mean.value.array)
    }
  }

  @Test func aWholeCheckpointNeedsNoFile() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      let path = try Checkpoint.write(folder.contents(toy, storesBase: true), into: folder.checkpoints)
      #expect(try keys(path) == ["base", "weight", "bias", "mean"])
      #expect(!FileSystem.exists(path + "/base.json"))
      FileSystem.remove(folder.baseFile)
      let copy = CheckpointToy()
      try Checkpoint.load(path, into: copy)
      #expect(copy.$base.value.array == CheckpointFolder.baseValues)
    }
  }

  @Test func trainedOrReplacedTensorsAreStored() throws {
    try CheckpointFolder.with { folder in
      let trained = try folder.toy()
      trained.$base.isTrainable = true
      #expect(try keys(Checkpoint.write(folder.contents(trained), into: folder.checkpoints)).contains("base"))
      // Frozen again before anything looked at it: still the file's values.
      trained.$base.isTrainable = false
      #expect(trained.$base.origin != nil)
      // A pass with the tape may have been followed by a step.
      trained.$base.isTrainable = true
      _ = trained.base
      trained.$base.isTrainable = false
      #expect(try keys(Checkpoint.write(folder.contents(trained), into: folder.checkpoints)).contains("base"))
      let replaced = try folder.toy()
      replaced.$base.value = Tensor([64, 32], repeating: 1)
      #expect(
        try keys(Checkpoint.write(folder.contents(replaced), into: folder.checkpoints)).contains("base"))
    }
  }

  @Test func aReferenceIsPassedOn() throws {
    try CheckpointFolder.with { folder in
      let first = try Checkpoint.write(folder.contents(folder.toy()), into: folder.checkpoints)
      let resumed = CheckpointToy()
      try Checkpoint.load(first, into: resumed)
      resumed.$base.isTrainable = false
      let second = try Checkpoint.write(folder.contents(resumed, step: 2), into: folder.checkpoints)
      #expect(try BaseReferences.read(second) == BaseReferences.read(first))
      #expect(try keys(second) == ["weight", "bias", "mean"], "what the first one stored is no base file's")
    }
  }

  @Test func aMissingBaseFileIsNamedAndFoundElsewhere() throws {
    try CheckpointFolder.with { folder in
      let path = try Checkpoint.write(folder.contents(folder.toy()), into: folder.checkpoints)
      let hidden = folder.path + "/elsewhere/deep"
      try FileSystem.makeFolder(hidden)
      try FileManager.default.moveItem(atPath: folder.baseFile, toPath: hidden + "/base.safetensors")
      let error = #expect(throws: TrainingError.self) { try Checkpoint.load(path, into: CheckpointToy()) }
      let problem = try #require(error?.problem)
      #expect(problem.location == folder.baseFile && problem.hint.contains("--model_dir"))
      #expect(problem.expected.contains("fingerprint"))
      let copy = CheckpointToy()
      try Checkpoint.load(path, into: copy, modelFolder: hidden)
      #expect(copy.$base.value.array == CheckpointFolder.baseValues)
      // Beside the run.
      try FileManager.default.moveItem(
        atPath: hidden + "/base.safetensors", toPath: folder.run + "/base.safetensors")
      try Checkpoint.load(path, into: CheckpointToy())
    }
  }

  @Test func aTouchedFileIsTakenAndAReplacedOneIsNot() throws {
    try CheckpointFolder.with { folder in
      let path = try Checkpoint.write(folder.contents(folder.toy()), into: folder.checkpoints)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: folder.baseFile)
      try Checkpoint.load(path, into: CheckpointToy())
      var values = CheckpointFolder.baseValues
      values[7] = 99
      try SafeTensorsWriter.write([("inner.base", Tensor([64, 32], values))], to: folder.baseFile)
      let same = #expect(throws: TrainingError.self) { try Checkpoint.load(path, into: CheckpointToy()) }
      #expect(same?.problem.found.contains("fingerprint") == true)
      try SafeTensorsWriter.write([("inner.base", Tensor([1, 1]))], to: folder.baseFile)
      let other = #expect(throws: TrainingError.self) { try Checkpoint.load(path, into: CheckpointToy()) }
      #expect(other?.problem.found.contains("bytes") == true)
    }
  }

  @Test func aFileThatChangedDuringTheRunIsNotReferredTo() throws {
    try CheckpointFolder.with { folder in
      let toy = try folder.toy()
      FileSystem.remove(folder.baseFile)
      try SafeTensorsWriter.write([("inner.base", Tensor([1, 1]))], to: folder.baseFile)
      var warnings: [String] = []
      try folder.keeper(toy, RetentionPolicy(newest: 1)) { warnings.append($0) }
        .save(step: 1, progress: RunProgress())
      #expect(warnings.count == 1 && warnings[0].contains(folder.baseFile))
      let copy = CheckpointToy()
      try Checkpoint.load("\(folder.checkpoints)/step-00000001", into: copy)
      #expect(copy.$base.value.array == CheckpointFolder.baseValues)
    }
  }

  @Test func aDamagedListOfBaseFilesIsNoticed() throws {
    try CheckpointFolder.with { folder in
      let path = try Checkpoint.write(folder.contents(folder.toy()), into: folder.checkpoints)
      try FileSystem.write(Data("{}".utf8), to: path + "/base.json")
      let error = #expect(throws: TrainingError.self) { try Checkpoint.readState(path) }
      #expect(error?.problem.location == path + "/base.json")
      #expect(throws: TrainingError.self) { try Checkpoint.load(path, into: CheckpointToy()) }
    }
  }

  /// Values of another type are made for the moment in which they are written, and not kept.
  @Test func writingKeepsNothingInMemoryThatWasNotThere() throws {
    try CheckpointFolder.with { folder in
      try SafeTensorsWriter.write(
        [("inner.base", Tensor([64, 32], CheckpointFolder.baseValues))], dtype: .bfloat16, to: folder.baseFile
      )
      let toy = try folder.toy(writesFile: false)
      try Checkpoint.write(folder.contents(toy, storesBase: true), into: folder.checkpoints)
      #expect(!toy.$base.isMaterialized)
    }
  }
}
