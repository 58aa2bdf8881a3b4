import ArgumentParser
import CleftData

/// Which dataset, and which of its rows.
struct RowOptions: ParsableArguments {
  @Option(
    help: .value(
      "folder",
      """
      Folder with the published layouts (CheXpert/, RSNA Pneumonia/, Embed/). Default: $CLEFT_DATA_DIR or \
      ~/project/CLEFT/data.
      """))
  var data_dir: String?

  @Option(
    help: .value(
      "name", "Which dataset: \(DatasetCatalog.all.map(\.name).joined(separator: ", ")).",
      DatasetCatalog.all.map { "\($0.name): \($0.summary)" }.joined(separator: "; ") + "."))
  var dataset = "chexpert"

  @Flag(help: "The same as --dataset rsna; wins over --embed.")
  var rsna = false

  @Flag(help: "The same as --dataset embed.")
  var embed = false

  @Option(
    help: .value("file", "Training table; the table of --dataset manifest. Default: the published layout's."))
  var train_csv: String?

  @Option(help: .value("file", "Validation table. Default: the published layout's."))
  var valid_csv: String?

  @Option(help: .value("file", "Test table. Default: the published layout's."))
  var test_csv: String?

  @Option(help: .value("split", "Split to train on."))
  var train_split = Split.train

  @Option(help: .value("split", "Split to validate on."))
  var valid_split = Split.valid

  @Flag(help: "CheXpert with five classes instead of fourteen.")
  var five_cls = false

  @Option(
    help: .value(
      "fraction",
      "Share of the training rows to use, above 0 up to 1, drawn as published (seed 42); evaluation takes all."
    ))
  var data_pct = 1.0

  @Flag(help: "Take --data_pct of the validation and test rows too.")
  var train_sub_set = false

  @Flag(help: "RSNA: repeat the rows that --data_pct leaves until there are about as many as before.")
  var keep_size = false

  @Flag(help: "Draw training rows so that every class comes up equally often, with replacement.")
  var balance_training = false

  mutating func validate() throws {
    try requireOption(data_pct > 0 && data_pct <= 1, "data_pct", data_pct, "above 0 up to 1")
    try requireOption("dataset", dataset, among: DatasetCatalog.all.map(\.name))
  }
}
