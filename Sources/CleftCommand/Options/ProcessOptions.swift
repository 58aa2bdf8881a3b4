import ArgumentParser

/// What a run does, on what, in which precision.
struct ProcessOptions: ParsableArguments {
  @Option(
    help: .value(
      "file", "YAML file of options, read before those typed, which win; may be given twice. Default: none."))
  var config: String?

  @Flag(help: "Evaluate only, as 'cleft eval' does.")
  var eval = false

  @Option(help: .value("number", "Seed of everything random, from 0."))
  var seed: UInt64 = 42

  @Option(
    help: .value(
      "ranks",
      "Data-parallel ranks, 1 ... 65536, each with its own loss; without MPI they run one after another."))
  var devices = 4

  @Option(
    help: .value(
      "name", "How ranks share the work: auto, ddp…, fsdp…, deepspeed…; one mathematics, nothing is sharded.")
  )
  var strategy = "ddp"

  @Option(help: .value("name", "auto or cpu; gpu, cuda and mps run on the CPU and say so."))
  var accelerator = "gpu"

  @Option(
    help: .value(
      "type",
      """
      32; bf16-true, bf16-mixed or bf16: large products take bfloat16 factors, sums and trained weights are float32; \
      16-mixed is bf16-mixed, as on any CPU.
      """))
  var precision = "32"

  @Option(
    help: .value(
      "threads", "Threads for computing, at least 1. Default: the processors this process may use."))
  var threads: Int?

  @Flag(
    help: "Try one batch of training, validation and test, without run folder and checkpoints.")
  var dev = false

  @Flag(help: "Take a few steps, print parameters, memory, seconds a step and hours of the run, and stop.")
  var dry_run = false

  @Option(
    help: .value(
      "program",
      "Where the published program has a defect: fixed, or reference for what it does, crashes excepted."))
  var compat: Compatibility = .fixed

  @Option(
    help: .value(
      "name=on|off",
      "One published quirk, or several separated by commas; 'cleft quirks' lists them. Default: as --compat says."
    ))
  var quirk: [String] = []

  @Flag(help: "Print results as one JSON object.")
  var json = false

  @Option(
    help: .value(
      "file", "SVG file to write with a picture of each class and its zero-shot probabilities. Default: none."
    ))
  var picture: String?

  @Flag(help: "Print all options as YAML for --config and stop.")
  var print_config = false

  mutating func validate() throws {
    try requireOption((1...65_536).contains(devices), "devices", devices, "1 ... 65536")
    if let threads { try requireOption(threads >= 1, "threads", threads, "at least 1") }
    try requireOption("accelerator", accelerator, among: ["auto", "cpu", "cuda", "gpu", "mps"])
    if !Strategy.isKnown(strategy) {
      throw ValidationError(
        "--strategy is '\(strategy)'; expected auto, ddp, ddp_spawn, ddp_fork, ddp_notebook (each also with "
          + "_find_unused_parameters_true or _false), fsdp, fsdp_cpu_offload or deepspeed with a stage.")
    }
    try requirePrecision()
    _ = try readQuirks()
  }

  private func requirePrecision() throws {
    let known = ["32", "32-true", "bf16-true", "bf16-mixed", "bf16", "16-mixed", "16"]
    if known.contains(precision) { return }
    let reason: String? =
      switch precision {
      case "64", "64-true":
        "there are no float64 products here; take 32, where norms, losses and metrics already sum in float64"
      case "16-true":
        "float16 has no products on CPUs here, and small gradients vanish in it; take bf16-true or bf16-mixed"
      case _ where precision.hasPrefix("transformer-engine"):
        "8-bit floats need an NVIDIA GPU; take bf16-mixed"
      default: nil
      }
    throw ValidationError(
      "--precision is '\(precision)'; "
        + (reason ?? "expected \(known.joined(separator: ", "))") + ".")
  }
}

/// How data-parallel ranks share the work, as Lightning names it.
enum Strategy {
  /// Whether there is such a strategy.
  static func isKnown(_ name: String) -> Bool {
    if ["auto", "fsdp", "fsdp_cpu_offload"].contains(name) { return true }
    if name.wholeMatch(of: /deepspeed(_stage_[123](_offload)?|_stage_3_offload_nvme)?/) != nil { return true }
    return name.wholeMatch(of: /ddp(_spawn|_fork|_notebook)?(_find_unused_parameters_(true|false))?/) != nil
  }

  /// Whether it would split the model over devices.
  static func shards(_ name: String) -> Bool { name.hasPrefix("fsdp") || name.hasPrefix("deepspeed") }
}

/// Which of two behaviors is meant where the published program has a defect.
enum Compatibility: String, ExpressibleByArgument, CaseIterable {
  case fixed, reference
}
