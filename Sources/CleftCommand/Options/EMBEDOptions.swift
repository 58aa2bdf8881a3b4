import ArgumentParser
import CleftData
import Foundation

/// Questions, captions and files of `--dataset embed`.
struct EMBEDOptions: ParsableArguments {
  @Flag(help: "Captions in the sections of a report.")
  var structural_cap = false

  @Flag(help: "Captions without side and view.")
  var simple_cap = false

  @Flag(help: "Captions in sentences.")
  var natural_cap = false

  @Flag(help: "Zero-shot: each picture's own metadata stands in front of the class prompts.")
  var instance_test_cap = false

  @Flag(help: "Four classes of density instead of seven of BI-RADS.")
  var pred_density = false

  @Flag(help: "Test only on the balanced list (7 x 200 BI-RADS, 4 x 500 density).")
  var balanced_test = false

  @Flag(help: "Train only on the balanced list (7 x 550 BI-RADS, 4 x 1000 density).")
  var small_balanced_train = false

  @Option(help: .value("file", "Reduced clinical table. Default: the published layout's."))
  var embed_findings_csv: String?

  @Option(
    help: .value(
      "file", "Full clinical table, for --structural_cap and --natural_cap. Default: the published layout's.")
  )
  var embed_clinical_csv: String?

  @Option(
    help: .value("file", "What the full clinical table's codes mean. Default: the published layout's table."))
  var embed_legend_csv: String?

  @Option(
    help: .value(
      "file",
      "With --pred_density: pickled densities by picture, for all splits. Default: the published layout's."))
  var embed_density_pickle: String?

  /// Puts these options into a request.
  func fill(_ request: inout DatasetRequest) {
    request.captionFamily =
      structural_cap ? "structural" : natural_cap ? "natural" : simple_cap ? "simple" : nil
    request.usesInstanceCaptions = instance_test_cap
    request.predictsDensity = pred_density
    request.isBalancedTest = balanced_test
    request.isSmallBalancedTrain = small_balanced_train
    request.embed.findings = Self.path(embed_findings_csv)
    request.embed.clinical = Self.path(embed_clinical_csv)
    request.embed.legend = Self.path(embed_legend_csv)
    request.embed.densities = Self.path(embed_density_pickle)
  }

  /// Options that only some datasets heed.
  var particular: [(name: String, isGiven: Bool)] {
    [
      ("structural_cap", structural_cap), ("simple_cap", simple_cap), ("natural_cap", natural_cap),
      ("instance_test_cap", instance_test_cap), ("pred_density", pred_density),
      ("balanced_test", balanced_test), ("small_balanced_train", small_balanced_train),
      ("embed_findings_csv", embed_findings_csv != nil), ("embed_clinical_csv", embed_clinical_csv != nil),
      ("embed_legend_csv", embed_legend_csv != nil), ("embed_density_pickle", embed_density_pickle != nil),
    ]
  }

  private static func path(_ given: String?) -> String? {
    given.map { ($0 as NSString).expandingTildeInPath }
  }

  mutating func validate() throws {
    if [structural_cap, natural_cap, simple_cap].count(where: { $0 }) > 1 {
      throw ValidationError("--structural_cap, --natural_cap, --simple_cap: expected at most one.")
    }
    if embed_density_pickle != nil, !pred_density {
      throw ValidationError("--embed_density_pickle is read with --pred_density only, which is not there.")
    }
  }
}
