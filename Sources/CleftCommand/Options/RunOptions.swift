import ArgumentParser
import CleftImaging
import CleftTensor

/// Where a run goes, on what, from where.
struct RunOptions: ParsableArguments {
  @Flag(help: "Evaluate only.")
  var eval = false

  @Option(help: "Seed of everything random.")
  var seed: UInt64 = 42

  @Option(help: "Data-parallel ranks, each with its own loss; without MPI they run one after another.")
  var devices = 4

  @Option(help: "How ranks share the work: auto, ddp…, fsdp…; the mathematics is one.")
  var strategy = "ddp"

  @Option(help: "cpu; gpu and others run on the CPU and say so.")
  var accelerator = "gpu"

  @Option(
    help: """
      32; bf16-true or bf16-mixed: products of large matrices take bfloat16 factors and sum in float32, everything \
      else is float32, trained weights too.
      """)
  var precision = "32"

  @Option(help: "Threads for computing; default: the processors this process may use.")
  var threads: Int?

  @Flag(help: "One batch of training, validation and test, without checkpoints: does it run at all?")
  var dev = false

  @Flag(
    help:
      "Build everything, run two steps, and print parameters, memory, seconds a step and hours of the run.")
  var dry_run = false

  @OptionGroup(title: "Checkpoints") var checkpoints: CheckpointOptions
  @OptionGroup(title: "Limits and guards") var guards: GuardOptions
  @OptionGroup(title: "Log") var log: LogOptions
  @OptionGroup(title: "Without effect") var dead: DeadOptions

  @Option(
    help: "fixed, or reference: published pooling of full captions, temperature decay and RSNA prompts.")
  var compat: Compatibility = .fixed

  @Option(
    help:
      "One published quirk, or several separated by commas: name=on or name=off; 'cleft quirks' lists them.")
  var quirk: [String] = []

  @Flag(help: "Print results as one JSON object.")
  var json = false

  @Option(help: "With --eval: SVG file to write with a picture of each class and its probabilities.")
  var picture: String?

  @Flag(help: "Print all options as YAML and stop.")
  var print_config = false

  /// What the factors of large products are rounded to.
  var productType: Runtime.ProductType { ["32", "32-true"].contains(precision) ? .float32 : .bfloat16 }

  mutating func validate() throws {
    if !(1...65_536).contains(devices) {
      throw ValidationError("--devices is \(devices); expected 1 ... 65536.")
    }
    if let threads, threads < 1 { throw ValidationError("--threads is \(threads); expected at least 1.") }

    let strategies = ["auto", "ddp", "fsdp", "deepspeed"]
    if !strategies.contains(where: strategy.hasPrefix) {
      throw ValidationError(
        "--strategy is '\(strategy)'; expected \(strategies.joined(separator: ", ")) or a variant.")
    }
    let precisions = ["32", "32-true", "bf16-true", "bf16-mixed", "bf16", "16-mixed", "16"]
    if !precisions.contains(precision) {
      throw ValidationError(
        "--precision is '\(precision)'; expected \(precisions.joined(separator: ", ")). Use 32 or bf16-mixed instead."
      )
    }
  }
}

/// Which of two behaviors is meant where the published program has a defect.
enum Compatibility: String, ExpressibleByArgument, CaseIterable {
  case fixed, reference

  /// How DICOM values become gray levels.
  var dicomRendering: DicomRendering { self == .reference ? .maximum : .display }
}
