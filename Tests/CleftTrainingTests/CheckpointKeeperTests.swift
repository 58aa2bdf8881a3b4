import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

/// Which checkpoints stay, which are best, and when they are written.
@Suite struct CheckpointKeeperTests {
  private func step(_ number: Int) -> String { Checkpoint.folderName(step: number) }

  @Test func theNewestAndTheBestStay() throws {
    try CheckpointFolder.with { folder in
      let keeper = folder.keeper(try folder.toy(), RetentionPolicy(newest: 1, best: 2))
      for (number, loss) in [(1, 0.5), (2, 0.3), (3, 0.4), (4, 0.9), (5, 0.8)] {
        try keeper.save(step: number, progress: CheckpointFolder.progress(number, loss))
      }
      #expect(folder.names == [step(2), step(3), step(5)])
      #expect(try folder.best() == ["\(step(2)): 0.3", "\(step(3)): 0.4"])
      #expect(keeper.best == "\(folder.checkpoints)/\(step(2))")
    }
  }

  @Test func onlyABetterOneDisplaces() throws {
    try CheckpointFolder.with { folder in
      let keeper = folder.keeper(try folder.toy(), RetentionPolicy(newest: 1, best: 1))
      for number in 1...3 {
        try keeper.save(step: number, progress: CheckpointFolder.progress(number, 0.5))
      }
      #expect(try folder.best() == ["\(step(1)): 0.5"])
      #expect(folder.names == [step(1), step(3)])
      // An earlier validation is not its own, but as published it counts.
      try keeper.save(step: 4, progress: CheckpointFolder.progress(2, 0.1))
      #expect(try folder.best() == ["\(step(1)): 0.5"])
      let published = folder.keeper(
        try folder.toy(), RetentionPolicy(newest: 1, best: 1, judgesByEarlier: true))
      try published.save(step: 4, progress: CheckpointFolder.progress(2, 0.1))
      #expect(try folder.best() == ["\(step(4)): 0.1"])
    }
  }

  @Test func largerIsBetterWhereItIsSaid() throws {
    try CheckpointFolder.with { folder in
      let policy = RetentionPolicy(newest: 1, best: 1, monitor: "val_acc1", isLargerBetter: true)
      let keeper = folder.keeper(try folder.toy(), policy)
      for (number, value) in [(1, 10.0), (2, 30), (3, 20)] {
        try keeper.save(step: number, progress: CheckpointFolder.progress(number, value, "val_acc1"))
      }
      #expect(folder.names == [step(2), step(3)])
    }
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity]) func notANumberIsNeverBest(_ value: Double) throws {
    try CheckpointFolder.with { folder in
      var warnings: [String] = []
      let keeper = folder.keeper(try folder.toy(), RetentionPolicy(newest: 1, best: 1)) {
        warnings.append($0)
      }
      try keeper.save(step: 1, progress: CheckpointFolder.progress(1, value))
      #expect(keeper.best == nil && warnings.count == 1)
      #expect(try Checkpoint.readState("\(folder.checkpoints)/\(step(1))").progress.validationStep == 1)
      try keeper.save(step: 2, progress: CheckpointFolder.progress(2, 5))
      try keeper.save(step: 3, progress: CheckpointFolder.progress(3, value))
      #expect(keeper.best == "\(folder.checkpoints)/\(step(2))")
      #expect(try folder.best() == ["\(step(2)): 5.0"])
    }
  }

  @Test func anUnknownNumberIsSaid() throws {
    try CheckpointFolder.with { folder in
      var warnings: [String] = []
      let policy = RetentionPolicy(newest: 1, best: 1, monitor: "val_los")
      let keeper = folder.keeper(try folder.toy(), policy) { warnings.append($0) }
      try keeper.save(step: 1, progress: CheckpointFolder.progress(1, 0.5))
      #expect(warnings.count == 1 && warnings[0].contains("val_loss"))
      #expect(keeper.best == nil)
    }
  }

  @Test func smallScoresAreNumbersToYamlReaders() throws {
    try CheckpointFolder.with { folder in
      let keeper = folder.keeper(try folder.toy(), RetentionPolicy(newest: 1, best: 1))
      try keeper.save(step: 1, progress: CheckpointFolder.progress(1, 1e-5))
      #expect(try folder.best() == ["\(step(1)): 1.0e-05"])
    }
  }

  @Test func goingOnFromAnEarlierStepSetsLaterOnesAside() throws {
    try CheckpointFolder.with { folder in
      let policy = RetentionPolicy(newest: 3, best: 1)
      let keeper = folder.keeper(try folder.toy(), policy)
      for (number, loss) in [(1, 0.5), (2, 0.4), (3, 0.1)] {
        try keeper.save(step: number, progress: CheckpointFolder.progress(number, loss))
      }
      // A list that a killed process did not come to renew.
      try FileSystem.write(Data("{}\n".utf8), to: folder.run + "/best_ckpts.yaml")
      let next = folder.keeper(try folder.toy(), policy)
      #expect(try next.startOver(at: 2) == 1)
      #expect(folder.names == ["set-aside-" + step(3), step(1), step(2)])
      #expect(try folder.best() == ["\(step(2)): 0.4"])
      try next.save(step: 3, progress: CheckpointFolder.progress(3, 0.2))
      #expect(try next.startOver(at: 2) == 1)
      #expect(folder.names == ["set-aside-" + step(3), "set-aside-\(step(3))_2", step(1), step(2)])
    }
  }

  @Test(arguments: ["adamw", "sgd", "adafactor"]) func theSizeIsKnownBeforeTheFirstStep(_ name: String) throws
  {
    try CheckpointFolder.with { folder in
      let toy = CheckpointToy(width: 4096)
      toy.$base.isTrainable = false
      let groups = ParameterGroups.published(toy, weightDecay: 0, decaysLogitScale: false)
      let optimizer = try OptimizerCatalog.named(name).make(groups, OptimizerSettings(momentum: 0.9))
      func contents(_ step: Int) -> Checkpoint.Contents {
        Checkpoint.Contents(
          model: toy, description: CheckpointToyDescription(width: 4096), optimizer: optimizer,
          tokenizerJSON: nil, state: RunState(step: step, settings: [:]))
      }
      let expected = contents(0).byteCount
      optimizer.step(toy.gradients(), learningRate: 0.1)
      let path = try Checkpoint.write(contents(1), into: folder.checkpoints)
      let actual = FileSystem.list(path).reduce(0) { $0 + (FileStamp(of: "\(path)/\($1)")?.byteCount ?? 0) }
      #expect(expected >= actual && Double(expected) < 1.03 * Double(actual), "\(expected) for \(actual)")
    }
  }

  @Test func aDiskWithoutRoomIsAnErrorBeforeTheFirstStep() throws {
    try CheckpointFolder.with { folder in
      try folder.keeper(folder.toy(), RetentionPolicy(newest: 1)).requireRoom()
      // Described, but never made: more than any disk has.
      let huge = CheckpointToy(width: 1 << 40)
      let keeper = CheckpointKeeper(folder: folder.checkpoints, retention: RetentionPolicy(newest: 1)) {
        _, _ in
        folder.contents(huge, storesBase: true)
      }
      let error = #expect(throws: FormatError.self) { try keeper.requireRoom() }
      #expect(error?.problem.found.contains("free") == true)
      #expect(error?.problem.expected.contains("two checkpoints") == true)
    }
  }

  @Test func everyWishOfAScheduleIsHeeded() {
    func due(_ schedule: CheckpointSchedule, _ step: Int, epoch: Int? = nil, seconds: Double = 0) -> Bool {
      schedule.isDue(step: step, isEpochEnd: epoch != nil, epoch: epoch ?? 0, secondsSinceSave: seconds)
    }
    #expect(!due(CheckpointSchedule(), 500, epoch: 1, seconds: 1e9))
    let steps = CheckpointSchedule(everySteps: 3)
    #expect((1...7).filter { due(steps, $0) } == [3, 6])
    let epochs = CheckpointSchedule(everyEpochs: 2)
    #expect(!due(epochs, 10, epoch: 1) && due(epochs, 20, epoch: 2) && !due(epochs, 21))
    let minutes = CheckpointSchedule(everyMinutes: 0.5)
    #expect(!due(minutes, 1, seconds: 29) && due(minutes, 1, seconds: 30))
    #expect(due(CheckpointSchedule(everySteps: 7, everyMinutes: 1, everyEpochs: 1), 5, epoch: 1))
  }
}
