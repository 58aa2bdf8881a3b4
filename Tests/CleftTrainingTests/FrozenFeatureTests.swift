import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Testing

/// Features of towers that nothing changes are made once, and no result depends on it.
@Suite struct FrozenFeatureTests {
  private typealias Bench = FrozenRun

  // MARK: - Whole runs

  static let kinds = ["contrastive", "classes", "prompts"]

  @Test(arguments: FrozenFeatureTests.kinds)
  func lossesAreThoseOfTowersThatRun(_ kind: String) throws {
    try Bench.withPictures { bench in
      let plain = try bench.run(kind, keeping: .none, to: 4)
      let kept = try bench.run(kind, to: 4)
      #expect(plain.losses.count == 4 && plain.validationLosses.count == 2)
      try requireClose(kept.losses, plain.losses)
      try requireClose(kept.validationLosses, plain.validationLosses)
      #expect(kept.losses.first != kept.losses.last)
    }
  }

  @Test func sharedNegativesOverRanksAndAccumulatedBatchesTakeKeptFeatures() throws {
    try Bench.withPictures { bench in
      for shares in [(false, false), (true, false), (true, true)] {
        let shape = Bench.Step(
          ranks: 2, accumulation: 2,
          negatives: SharedNegatives(acrossAccumulation: shares.0, acrossRanks: shares.1))
        let plain = try bench.run("contrastive", keeping: .none, shape, to: 2)
        let kept = try bench.run("contrastive", shape, to: 2)
        try requireClose(kept.losses, plain.losses)
      }
    }
  }

  @Test(arguments: FrozenFeatureTests.kinds)
  func aResumedRunEqualsAnUninterruptedOneToTheBit(_ kind: String) throws {
    try Bench.withPictures { bench in
      let whole = try bench.run(kind, to: 6)
      let first = try bench.run(kind, to: 3)
      let rest = try bench.run(kind, from: first, to: 6)
      #expect(whole.losses == first.losses + rest.losses)
      #expect(whole.weights == rest.weights && whole.weights != first.weights)
      #expect(whole.validationLosses.last == rest.validationLosses.last)
    }
  }

  @Test func eachSampleIsEncodedOnce() throws {
    try Bench.withPictures { bench in
      let (task, encoder) = try bench.contrastive()
      let (image, text) = (CountingImageTower(encoder.image.model), CountingTextTower(encoder.text.model))
      (encoder.image.model, encoder.text.model) = (image, text)
      task.keepFeatures(Bench.keeping)
      #expect(task.frozen?.keptForTraining == "captions and pictures")
      #expect(task.frozen?.notices.count == 3)
      _ = try bench.fit(task, to: 6)
      #expect(image.count == Bench.trainingCount + Bench.validationCount)
      #expect(text.count == Bench.captions.count + 1, "validation has one caption of its own")
      // Pictures of the first batch are shown; no other is read twice.
      #expect(bench.decodings == image.count + Bench.batchSize)
    }
  }

  @Test func encodingIsOnTheClockOfTheRun() throws {
    try Bench.withPictures { bench in
      let (task, encoder) = try bench.contrastive()
      let image = CountingImageTower(encoder.image.model)
      image.pauseMicroseconds = 60_000
      encoder.image.model = image
      task.keepFeatures(Bench.keeping)
      let run = try bench.fit(task, to: 1)
      #expect(run.seconds - run.stepSeconds >= 0.06, "a chunk at least, beside the step")
    }
  }

  @Test func timeThatEndsWhileEncodingSaysWhatIsLost() throws {
    try Bench.withPictures { bench in
      let task = try bench.contrastive().task
      task.keepFeatures(Bench.keeping)
      let first = try bench.fit(task, to: 1)
      for start in [FrozenRun.Outcome(), first] {
        task.keepFeatures(Bench.keeping)
        let error = #expect(throws: TrainingError.self) {
          try bench.fit(task, from: start, to: 6, limits: RunLimits(maxSeconds: 0))
        }
        let problem = try #require(error).problem
        #expect(error?.exitStatus == .stoppedEarly && problem.location == "step \(start.step)")
        #expect(problem.found.hasPrefix("--max_time is over") && problem.found.hasSuffix("captions encoded"))
        for option in ["more --max_time", "--no_feature_cache"] { #expect(problem.hint.contains(option)) }
        #expect(problem.hint.contains("--resume_ckpt last") == (start.step > 0))
      }
    }
  }

  @Test func onlyStepsOfTheTraceReadTheirPictures() throws {
    try Bench.withPictures { bench in
      let (task, encoder) = try bench.contrastive()
      task.keepFeatures(Bench.keeping)
      let trace = try RunTrace(folder: bench.folder + "/trace", steps: 2)
      try trace.start(model: encoder, description: ModelDescription(encoder: encoder.config), options: [])
      _ = try bench.fit(task, to: 6, trace: trace)
      let batches = FileSystem.list(bench.folder + "/trace").filter { $0.hasPrefix("step") }
      #expect(batches == ["step1.batch0.safetensors", "step2.batch0.safetensors"])
      let images = try SafeTensorsFile("\(bench.folder)/trace/\(batches[1])").tensor("images")
      #expect(images.shape == [Bench.batchSize, 3, 28, 28] && Set(images.array).count > 2)
      // Each is encoded once; those of the first batch are shown, and those of two steps are traced.
      #expect(bench.decodings == Bench.trainingCount + Bench.validationCount + 3 * Bench.batchSize)
    }
  }

  private func requireClose(_ a: [Double], _ b: [Double]) throws {
    try #require(a.count == b.count)
    for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-5 * max(1, abs(y)), "\(a) \(b)") }
  }

  // MARK: - Chunks

  @Test func captionsAreEncodedInTheSameChunksWhateverComesFirst() throws {
    func make() -> (captions: FrozenCaptions, asked: () -> [[Int]]) {
      var asked: [[Int]] = []
      let size = FrozenCaptions.chunkSize
      let training = (0..<2 * size + 10).map { [$0 % (size + 5)] }
      let captions = FrozenCaptions([(.train, training), (.valid, [[3], [1000], [1001]])]) { chunk in
        asked.append(chunk.map { $0[0] })
        return Tensor([chunk.count, 2], chunk.flatMap { [Float($0[0]), 1] })
      }
      return (captions, { asked })
    }
    let (last, asked) = make()
    let size = FrozenCaptions.chunkSize
    #expect(last.captions.count == size + 7)
    let rows = last.features(.train, [size + 2, 7, size + 2 + size + 5])
    #expect(rows.array == [Float(size + 2), 1, 7, 1, Float(size + 2), 1] && !rows.isTracked)
    #expect(asked() == [Array(size..<size + 5), Array(0..<size)])
    #expect(last.features(.valid, [1, 0]).array == [1000, 1, 3, 1])
    #expect(asked().last == [1000, 1001] && asked().count == 3)

    let (first, others) = make()
    var done: [Int] = []
    first.encode(.train, [0, size]) { number, _ in done.append(number) }
    #expect(done == [size, size + 5] && others() == [Array(0..<size), Array(size..<size + 5)])
    first.encode(.train, [0, size]) { _, _ in done.append(0) }
    #expect(done.count == 2, "nothing is left to encode")
  }

  // MARK: - Where nothing is kept

  private func kept(_ task: any TrainingTask, _ keeping: FeatureKeeping = Bench.keeping) -> [String] {
    task.keepFeatures(keeping)
    guard let frozen = task.frozen else { return [] }
    var names: [String] = []
    for split in [Split.train, .valid] {
      if frozen.captions[split] != nil { names.append("\(split) captions") }
    }
    if frozen.pictures?.isForTraining == true { names.append("train pictures") }
    if frozen.notices.contains(where: { $0.contains("validation pictures is encoded once") }) {
      names.append("valid pictures")
    }
    return names
  }

  private static let everything = ["train captions", "valid captions", "train pictures", "valid pictures"]

  @Test func aTrainedParameterKeepsATowerOut() throws {
    let bench = Bench()
    let (task, encoder) = try bench.contrastive()
    #expect(kept(task) == Self.everything)
    let inText = try #require(encoder.text.model.parameters.last).cell
    inText.isTrainable = true
    #expect(kept(task) == ["train pictures", "valid pictures"])
    try #require(encoder.image.model.parameters.last).cell.isTrainable = true
    #expect(kept(task) == [])
    inText.isTrainable = false
    #expect(kept(task) == ["train captions", "valid captions"])
  }

  @Test func whatIsKeptHasANameAndASize() throws {
    let (task, encoder) = try Bench().contrastive()
    #expect(task.tokenCount(.train, [0]) > 0)
    task.keepFeatures(Bench.keeping)
    #expect(task.frozen?.kept == "captions and pictures, validation")
    #expect(task.tokenCount(.train, [0]) == 0 && task.tokenCount(.valid, [0]) == 0, "nobody reads them")
    let notices = task.frozen?.notices ?? []
    for (what, size) in [("different captions", "1 KiB"), ("training pictures", "5 KiB")] {
      #expect(notices.contains { $0.contains(what) && $0.contains("kept (\(size))") }, "\(notices)")
    }
    try #require(encoder.text.model.parameters.last).cell.isTrainable = true
    task.keepFeatures(Bench.keeping)
    #expect(task.frozen?.kept == "pictures, validation" && task.tokenCount(.train, [0]) > 0)
    var keeping = Bench.keeping
    keeping.augments = true
    task.keepFeatures(keeping)
    #expect(task.frozen?.kept == "validation" && task.frozen?.keptForTraining == "none")
    task.keepFeatures(.none)
    #expect(task.frozen?.kept == "none")
  }

  @Test func dropoutInForceKeepsTrainingCaptionsOut() throws {
    let bench = Bench()
    let (task, encoder) = try bench.contrastive(textDropout: 0.1)
    let others = ["train pictures", "valid pictures"]
    #expect(kept(task) == ["valid captions"] + others)
    #expect(task.frozen?.notices.contains { $0.contains("frozen_dropout=off") } == true)
    encoder.text.dropsOutWhileFrozen = false
    #expect(kept(task) == Self.everything)

    for dropout in [Float(0.1), 0] {
      let adapter = try AdapterDescription(method: "lora", config: LoRAConfig(dropout: dropout))
      let (adapted, _) = try bench.contrastive(adapter: adapter)
      #expect(kept(adapted) == (dropout > 0 ? ["valid captions"] + others : Self.everything))
    }
  }

  @Test func chanceInTheImageTowerKeepsPicturesOut() throws {
    let bench = Bench()
    func pictures(_ change: (inout VisionTransformerConfig) -> Void) throws -> [String] {
      var vision = Bench.vision
      change(&vision)
      return kept(try bench.contrastive(vision: vision).task).filter { $0.hasSuffix("pictures") }
    }
    #expect(try pictures { _ in } == ["train pictures", "valid pictures"])
    #expect(try pictures { $0.dropPath = 0.1 } == ["valid pictures"])
    #expect(try pictures { $0.maskedFraction = 0.5 } == ["valid pictures"])
    #expect(
      try pictures {
        $0.maskedFraction = 0.5
        $0.masksInEvaluation = true
      } == [])
    // Batch norm of a ResNet sees the batch in training, and what it has seen in evaluation.
    let task = try bench.contrastive(vision: ResNetConfig()).task
    #expect(kept(task).filter { $0.hasSuffix("pictures") } == [])
  }

  @Test func augmentationShortRunsAndLittleMemoryKeepOthersOut() throws {
    let task = try Bench().contrastive().task
    var keeping = Bench.keeping
    keeping.augments = true
    #expect(kept(task, keeping) == ["train captions", "valid captions", "valid pictures"])
    #expect(task.frozen?.notices.contains { $0.contains("--no_augmentation") } == true)
    keeping = Bench.keeping
    keeping.drawCount = Double(Bench.trainingCount)
    #expect(kept(task, keeping) == ["train captions", "valid captions", "valid pictures"])
    keeping = Bench.keeping
    keeping.limitBytes = (Bench.captions.count + 1) * 4 * 32
    #expect(kept(task, keeping) == ["train captions", "valid captions"])
    #expect(task.frozen?.notices.count { $0.contains("they are encoded each time") } == 2)
    #expect(kept(task, .none) == [] && task.frozen?.notices == [])
    #expect(FeatureKeeping.quarterOfMemory > 1 << 20)
  }
}
