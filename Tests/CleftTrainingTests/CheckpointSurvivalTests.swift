import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Glibc
import Testing

/// What stands after a death in the middle of a write, and after a disk that refuses.
@Suite struct CheckpointSurvivalTests {
  private let policy = RetentionPolicy(newest: 1, best: 1)

  /// Checks that the newest checkpoint is that of a step, loads, and is alone in its folder.
  private func expectNewest(_ step: Int, _ folder: CheckpointFolder) throws {
    let newest = try Checkpoint.locate(folder.run)
    #expect(newest == "\(folder.checkpoints)/\(Checkpoint.folderName(step: step))")
    #expect(try Checkpoint.readState(newest).step == step)
    let copy = CheckpointToy()
    try Checkpoint.load(newest, into: copy)
    #expect(copy.$bias.value.array == [Float](repeating: Float(step), count: 48))
  }

  private func toy(_ folder: CheckpointFolder, step: Int) throws -> CheckpointToy {
    let toy = try folder.toy(writesFile: !FileSystem.exists(folder.baseFile))
    toy.$bias.value = Tensor([48], repeating: Float(step))
    return toy
  }

  private func save(_ step: Int, _ folder: CheckpointFolder) throws {
    try folder.keeper(toy(folder, step: step), policy)
      .save(step: step, progress: CheckpointFolder.progress(step, 1 / Double(step)))
  }

  @Test func deathAtAnyByteOfAWriteLeavesTheCheckpointBefore() throws {
    try CheckpointFolder.with { folder in
      try save(1, folder)
      let whole = try Checkpoint.write(
        folder.contents(toy(folder, step: 2), step: 2), into: folder.path + "/other")
      let partial = "\(folder.checkpoints)/\(Checkpoint.folderName(step: 2)).partial"
      let files = FileSystem.list(whole)
      #expect(files.count == 4)
      for count in 0..<files.count {
        let data = try FileSystem.read("\(whole)/\(files[count])")
        for length in [0, 1, data.count / 2, data.count - 1, data.count] {
          try FileSystem.makeFolder(partial)
          for name in files[..<count] {
            try FileSystem.write(FileSystem.read("\(whole)/\(name)"), to: "\(partial)/\(name)")
          }
          try Data(data.prefix(length)).write(
            to: URL(fileURLWithPath: "\(partial)/\(files[count]).99-0.partial"))
          try Data("half".utf8).write(to: URL(fileURLWithPath: folder.run + "/best_ckpts.yaml.99-0.partial"))
          // A reader between death and resume, then the resume.
          try expectNewest(1, folder)
          try folder.keeper(toy(folder, step: 1), policy).startOver(at: 1)
          #expect(folder.names == [Checkpoint.folderName(step: 1)])
          #expect(FileSystem.list(folder.run) == ["best_ckpts.yaml", "checkpoints"])
          try expectNewest(1, folder)
        }
      }
    }
  }

  @Test func deathBetweenWritingAndRemoving() throws {
    try CheckpointFolder.with { folder in
      try save(1, folder)
      // Written and named, but list and retention did not follow.
      try Checkpoint.write(folder.contents(toy(folder, step: 2), step: 2), into: folder.checkpoints)
      try expectNewest(2, folder)
      // Removal of a third one had begun.
      let going = "\(folder.checkpoints)/\(Checkpoint.folderName(step: 3)).partial"
      try FileManager.default.copyItem(
        atPath: "\(folder.checkpoints)/\(Checkpoint.folderName(step: 1))", toPath: going)
      FileSystem.remove(going + "/model.safetensors")
      try folder.keeper(toy(folder, step: 2), policy).startOver(at: 2)
      #expect(folder.names == [1, 2].map { Checkpoint.folderName(step: $0) })
      #expect(try folder.best() == ["\(Checkpoint.folderName(step: 1)): 1.0"])
    }
  }

  @Test func aCheckpointOfTheSameStepIsReplacedInOneMove() throws {
    try CheckpointFolder.with { folder in
      try save(1, folder)
      let name = Checkpoint.folderName(step: 1)
      try folder.keeper(toy(folder, step: 7), policy).save(step: 1, progress: RunProgress())
      #expect(folder.names == [name])
      let copy = CheckpointToy()
      try Checkpoint.load("\(folder.checkpoints)/\(name)", into: copy)
      #expect(copy.$bias.value.array[0] == 7)
      // Where two names cannot be exchanged, death may come between two moves.
      rename("\(folder.checkpoints)/\(name)", "\(folder.checkpoints)/\(name).old.partial")
      try folder.keeper(toy(folder, step: 1), policy).startOver(at: 1)
      #expect(folder.names == [name])
      _ = try Checkpoint.readState("\(folder.checkpoints)/\(name)")
    }
  }

  @Test func damageIsNoticed() throws {
    try CheckpointFolder.with { folder in
      try save(1, folder)
      let path = try Checkpoint.locate(folder.run)
      for name in FileSystem.list(path) where name != "state.json" {
        let file = URL(fileURLWithPath: "\(path)/\(name)")
        let sound = try Data(contentsOf: file)
        for damaged in [Data(sound.dropLast()), sound + Data([0]), Data(sound.reversed())] {
          try damaged.write(to: file)
          #expect(throws: TrainingError.self, "\(name)") { try Checkpoint.readState(path) }
        }
        try sound.write(to: file)
      }
      _ = try Checkpoint.readState(path)
      try Data("{".utf8).write(to: URL(fileURLWithPath: path + "/state.json"))
      #expect(throws: TrainingError.self) { try Checkpoint.readState(path) }
    }
  }

  /// The limit holds for a whole process, so it gets one of its own.
  @Test func aLimitOnFileSizesIsAnErrorThatLeavesNothing() async {
    await #expect(processExitsWith: .success) {
      try CheckpointFolder.with { folder in
        let small = try folder.toy()
        try folder.keeper(small, RetentionPolicy(newest: 1)).save(step: 1, progress: RunProgress())
        let fileSize: Int32 = 1  // RLIMIT_FSIZE
        var limit = rlimit(rlim_cur: 40_000, rlim_max: 40_000)
        #expect(setrlimit(fileSize, &limit) == 0)
        let large = CheckpointToy(width: 4096)
        let keeper = CheckpointKeeper(folder: folder.checkpoints, retention: RetentionPolicy(newest: 1)) {
          step, _ in folder.contents(large, step: step, storesBase: true)
        }
        let error = #expect(throws: FormatError.self) { try keeper.save(step: 2, progress: RunProgress()) }
        let problem = try #require(error?.problem)
        #expect(problem.location.hasSuffix("/step-00000002/model.safetensors"))
        #expect(problem.found.contains("too large") && problem.hint.contains("step-00000001 stands"))
        #expect(folder.names == ["step-00000001"])
        _ = try Checkpoint.readState("\(folder.checkpoints)/step-00000001")
      }
    }
  }

  @Test func aPlaceThatIsNoFolderIsAnError() throws {
    try CheckpointFolder.with { folder in
      try Data("x".utf8).write(to: URL(fileURLWithPath: folder.checkpoints))
      let keeper = folder.keeper(try folder.toy(), RetentionPolicy(newest: 1))
      #expect(throws: FormatError.self) { try keeper.requireRoom() }
      #expect(throws: FormatError.self) { try keeper.save(step: 1, progress: RunProgress()) }
    }
  }
}
