import ArgumentParser
import CleftFormats

/// `cleft bench`: how fast this machine trains and evaluates, and where the time goes.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure training steps, evaluation and kernels on this machine, or plan a run.",
    discussion: """
      Without another word it is 'cleft bench step': cleft bench --model small --batch_size 16. Nothing needs to be \
      downloaded. Let nothing else run meanwhile, and compare only what was measured together.
      """,
    subcommands: [Step.self, Evaluation.self, BenchKernelsCommand.self, BenchPlanCommand.self],
    defaultSubcommand: Step.self)

  /// `cleft bench step`.
  struct Step: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "step",
      abstract: "Time training steps by part, with memory and the rate of matrix products.",
      discussion: """
        The model is the one that 'cleft train' would build, with two differences: without weights named it is \
        --model small with random values, and without --peft the text tower has LoRA; --peft none trains all of it. \
        As in training, dropout is on, the heads have two layers unless --linear_proj, and the image feature is the \
        class token unless --pool_feat.

        After the timed steps each of their matrix products is repeated by plain calls of the libraries (OpenBLAS and \
        oneDNN, for bfloat16 oneDNN alone) on all threads and, where it is small, on one; the fastest of several calls \
        counts. 'step efficiency' is the time that those calls would take in all over that of a step: what is missing \
        to 100 % went into slower products, attention and everything else. It can pass 100 % where the machine was \
        slower during the steps, and in bfloat16, where some products here also leave a bfloat16 result.
        """)

    @Option(help: .value("steps", "Timed steps, at least 1.")) var steps = 5
    @Option(help: .value("steps", "Steps before them, 0 or more; the first makes what later ones use again."))
    var warmup = 2
    @Option(
      help: .value("ranks", "Data-parallel ranks, 1 ... 65536, one after another in this process."))
    var devices = 1
    @OptionGroup(title: "Measurement") var bench: BenchOptions
    @OptionGroup var model: ModelOptions
    @OptionGroup var optimizer: OptimizerOptions

    mutating func validate() throws {
      try requireOption((1...1 << 20).contains(steps), "steps", steps, "1 ... 1048576")
      try requireOption((0...1 << 20).contains(warmup), "warmup", warmup, "0 ... 1048576")
      _ = try bench.runOptions(devices: devices)
    }

    func run() throws {
      let run = try BenchRun(bench, model, optimizer, devices: devices) { own in
        own + resolvedOptions([model, optimizer]) + [("steps", "\(steps)"), ("warmup", "\(warmup)")]
      }
      let report = try run.step(warmupSteps: warmup, timedSteps: steps)
      print(bench.json ? jsonText(report, pretty: true) : BenchText.text(report))
    }
  }

  /// `cleft bench eval`.
  struct Evaluation: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "eval",
      abstract: "Time both encoders as an evaluation uses them: pictures and captions a second.",
      discussion: """
        The model is that of 'cleft bench step'. Nothing is kept for backward, and there is no dropout. Each batch has \
        as many pictures as captions; they are timed apart. Each caption is encoded by itself, also where two are \
        equal. Shares and the rate over a batch count the waiting for pictures; pictures and captions a second are \
        the encoders' own.
        """)

    @Option(help: .value("pictures", "Timed pictures, rounded up to whole batches. Default: 10 batches."))
    var images: Int?
    @Option(help: .value("pairs", "Pictures and captions of a batch, 1 ... 1048576.")) var batch_size = 16
    @Option(help: .value("batches", "Batches before the timed ones, 0 or more.")) var warmup = 2
    @OptionGroup(title: "Measurement") var bench: BenchOptions
    @OptionGroup var model: ModelOptions

    mutating func validate() throws {
      try requireOption((1...1 << 20).contains(batch_size), "batch_size", batch_size, "1 ... 1048576")
      try requireOption((0...1 << 20).contains(warmup), "warmup", warmup, "0 ... 1048576")
      if let images {
        try requireOption((1...1 << 30).contains(images), "images", images, "1 ... 1073741824")
      }
    }

    func run() throws {
      let batches = images.map { ($0 + batch_size - 1) / batch_size } ?? 10
      let run = try BenchRun(bench, model, OptimizerOptions.parse([]), devices: 1) { own in
        own + resolvedOptions([model])
          + [("batch_size", "\(batch_size)"), ("images", "\(batches * batch_size)"), ("warmup", "\(warmup)")]
      }
      let report = try run.evaluation(
        batchSize: batch_size, warmupBatches: warmup, timedBatches: batches)
      print(bench.json ? jsonText(report, pretty: true) : BenchText.text(report))
    }
  }
}
