import CleftFormats
import CleftTraining
import Foundation
import Yams

/// What happens to the command line before it is parsed: hyphens become underscores, `--config FILE` becomes options.
///
/// A file is a YAML map of long option names. Its options come first, so those typed behind it win.
enum ArgumentExpansion {
  private static let builtIn: Set<String> = [
    "--help-hidden", "--generate-completion-script", "--experimental-dump-help",
  ]

  static func expand(_ arguments: [String]) throws -> [String] {
    var typed: [String] = []
    var fromFiles: [String] = []
    var index = 0
    while index < arguments.count {
      let argument = normalized(arguments[index])
      if argument == "--config" || argument.hasPrefix("--config=") {
        let isNext = argument == "--config"
        guard !isNext || index + 1 < arguments.count else {
          throw TrainingError.missing(Problem("--config", found: "no value", expected: "a YAML file"))
        }
        let path = isNext ? arguments[index + 1] : String(argument.dropFirst("--config=".count))
        fromFiles += try options(path)
        index += isNext ? 2 : 1
      } else {
        typed.append(argument)
        index += 1
      }
    }
    fromFiles += try datasetOfRun(typed)
    let place = typed.first.map { $0.hasPrefix("-") ? 0 : 1 } ?? 0
    return Array(typed.prefix(place)) + fromFiles + Array(typed.dropFirst(place))
  }

  /// What says which data a run was trained on.
  private static let dataOptions: Set<String> = [
    "dataset", "embed", "train_csv", "valid_csv", "test_csv", "image_column", "text_column", "label_columns",
    "class_column", "patient_column", "split_column", "separator", "image_dir", "captions", "image_suffix",
    "structural_cap", "simple_cap", "natural_cap", "pred_density", "embed_findings_csv", "embed_clinical_csv",
    "embed_legend_csv", "embed_density_pickle",
  ]

  /// `cleft eval RUN` scores on the dataset of the run unless another is named; CheXpert's is the usual one anyway.
  private static func datasetOfRun(_ typed: [String]) throws -> [String] {
    let choices = ["--dataset", "--rsna", "--embed"]
    guard typed.first == "eval",
      !typed.contains(where: { argument in
        choices.contains { argument == $0 || argument.hasPrefix($0 + "=") }
      })
    else { return [] }
    let places = typed.dropFirst().filter { !$0.hasPrefix("-") }.flatMap { [$0, "\($0)/../.."] }
    guard let path = places.map({ "\($0)/resolved.yaml" }).first(where: FileSystem.exists) else { return [] }
    let known = try options(path).filter { option in
      dataOptions.contains(String(option.dropFirst(2).prefix { $0 != "=" }))
    }
    return known.contains("--dataset=chexpert") && !known.contains("--embed") ? [] : known
  }

  /// `--batch-size=8` to `--batch_size=8`; values stay as they are.
  private static func normalized(_ argument: String) -> String {
    guard argument.hasPrefix("--"), argument.count > 2, !builtIn.contains(argument) else { return argument }
    let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = "--" + parts[0].replacing("-", with: "_")
    return parts.count == 2 ? "\(name)=\(parts[1])" : name
  }

  private static func options(_ path: String) throws -> [String] {
    let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch {
      throw TrainingError.badConfiguration(Problem(path, found: "not YAML (\(error))"))
    }
    guard let mapping = node?.mapping else {
      throw TrainingError.badConfiguration(Problem(path, found: "no map", expected: "option: value lines"))
    }
    return try mapping.flatMap { key, value -> [String] in
      guard let name = key.string, let scalar = value.scalar?.string else {
        throw TrainingError.badConfiguration(
          Problem("\(path): \(key.string ?? "?")", found: "a nested value", expected: "a scalar"))
      }
      switch value.bool {
      case true?: return ["--\(name)"]
      case false?: return []
      case nil: return scalar.isEmpty || scalar == "null" || scalar == "~" ? [] : ["--\(name)=\(scalar)"]
      }
    }
  }
}
