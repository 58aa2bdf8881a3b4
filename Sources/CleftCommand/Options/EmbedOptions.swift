import ArgumentParser
import CleftData

/// What is embedded besides picture files, and where the features go.
struct EmbedOptions: ParsableArguments {
  @Option(
    help: .value(
      "folder", "Folder to write; one that 'cleft embed' wrote before is replaced. Has no default."))
  var out: String

  @Option(
    help: .value(
      "split", "Pictures of a split of the dataset instead of files: train, valid, test. Default: none."))
  var split: Split?

  @Option(help: .value("file", "Texts instead of pictures, one a line. Default: none."))
  var texts: String?

  @Option(
    help: .value(
      "name",
      """
      embedding (unit vectors that pictures and texts share) or backbone (the tower's own). Default: embedding, of a \
      classifier backbone.
      """))
  var feature: FeatureKind?
}

extension FeatureKind: ExpressibleByArgument {}
