import ArgumentParser
import CleftData
import CleftImaging
import CleftTensor

/// Where a run goes, on what, from where.
///
/// The groups are those of the help page; the process's options are read as if they were declared here.
@dynamicMemberLookup
struct RunOptions: ParsableArguments {
  @OptionGroup(title: "Run") private var process: ProcessOptions
  @OptionGroup(title: "Evaluation") var evaluation: EvaluationOptions
  @OptionGroup(title: "Checkpoints") var checkpoints: CheckpointOptions
  @OptionGroup(title: "Limits and guards") var guards: GuardOptions
  @OptionGroup(title: "Log") var log: LogOptions
  @OptionGroup(title: "Without effect") var dead: DeadOptions

  /// An option of the process.
  subscript<Value>(dynamicMember path: WritableKeyPath<ProcessOptions, Value>) -> Value {
    get { process[keyPath: path] }
    set { process[keyPath: path] = newValue }
  }

  /// What the factors of large products are rounded to.
  var productType: Runtime.ProductType {
    ["32", "32-true"].contains(process.precision) ? .float32 : .bfloat16
  }

  mutating func validate() throws {
    guard process.eval else {
      if process.dry_run, checkpoints.resume_ckpt != nil {
        throw ValidationError(
          "--resume_ckpt is there together with --dry_run; expected one: it tries out a new training.")
      }
      return
    }
    if process.dry_run {
      throw ValidationError("--dry_run is there together with --eval; expected one: it tries out a training.")
    }
    if log.trace != nil {
      throw ValidationError("--trace is there together with --eval; expected one: it records a training.")
    }
  }
}

extension Quirks {
  /// How DICOM values become gray levels.
  var dicomRendering: DicomRendering { has(.dicomMaximum) ? .maximum : .display }
}

extension Compatibility {
  /// The quirks that it stands for.
  var quirks: Quirks { Quirks(isReference: self == .reference) }

  /// How DICOM values become gray levels.
  var dicomRendering: DicomRendering { quirks.dicomRendering }
}
