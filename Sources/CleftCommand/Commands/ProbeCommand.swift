import ArgumentParser
import CleftTraining

/// `cleft probe`: linear probes and few-shot classifiers of a model's frozen image features.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Linear probes of a model's frozen image features, on all labels and on few.",
    discussion: """
      On the dataset and classes that the run was trained on, unless --dataset, --rsna or --embed names another. \
      Features of every training, validation and test picture are computed once. For each share of the training \
      patients, logistic and ridge regression learn the classes from standardized features; the strength of the penalty is \
      chosen on the validation set, without one by 5 folds over the patients; the test set is scored. Shares keep patients \
      whole and classes in proportion, and smaller ones lie within larger ones. Nothing is learned from pictures and \
      patients of the test set, nor, without --multi_label, from pictures of several classes: these are left out and counted.
      """)

  @Argument(help: "Checkpoint or run folder, of a pair or of a classifier; the same as --pretrained_model.")
  var path: String?

  @OptionGroup(title: "Probe") var probe: ProbeOptions
  @OptionGroup(title: "Model in use") var use: UseOptions
  @OptionGroup var data: DataOptions

  mutating func validate() throws {
    if let path, let other = use.pretrained_model, path != other {
      throw ValidationError("--pretrained_model is '\(other)', besides '\(path)'; expected one of them.")
    }
    if path == nil, use.pretrained_model == nil {
      throw ValidationError("No model is named; expected a run or checkpoint folder, or a file.")
    }
    if use.as_written {
      throw ValidationError("--as_written is there; expected nothing about texts, since none are read.")
    }
    if data.data_pct != 1 {
      throw ValidationError(
        "--data_pct is \(data.data_pct); expected --fractions, which takes shares by patient.")
    }
  }

  func run() throws {
    var use = use
    use.pretrained_model = use.pretrained_model ?? path
    Signals.unwatch()
    try ProbeRun(probe: probe, use: use, data: data)()
  }
}
