import ArgumentParser
import CleftFormats
import CleftTraining
import Foundation

/// What is asked of pictures, and where the answers go.
struct PredictOptions: ParsableArguments {
  @Option(
    help: .value(
      "texts",
      """
      Texts with ';' between them, or a YAML file of prompt sets for the dataset's classes. Default: the prompts of \
      the dataset of the run; a classifier needs none.
      """))
  var prompts: String?

  @Flag(
    help: """
      Each text is a question of its own, against 'no TEXT' unless it is written as 'TEXT | AGAINST'; several may be \
      true.
      """)
  var multi_label = false

  @Option(
    help: .value(
      "count",
      "Classes shown for each picture in text, the likeliest ones. Default: all of one picture, else 3."))
  var top: Int?

  @Option(help: .value("file", "CSV file to write with all probabilities and logits. Default: none."))
  var csv: String?

  @Option(
    help: .value(
      "folder",
      "Folder for a picture of where the model looks, one for each picture and class. Default: none."
    ))
  var maps: String?

  @Option(
    help: .value(
      "method",
      "How --maps looks inside: \(MapMethod.allCases.map(\.rawValue).joined(separator: ", ")). "
        + "Default: the first that fits the model; --json has all of one pass a picture."))
  var map_method: MapMethod?

  @Option(
    help: .value(
      "folder",
      "Pictures of all kinds, of which 128 at most are read: similarity and occlusion then show what is not usual in its place. Default: none."
    ))
  var map_reference: String?

  mutating func validate() throws {
    if let top { try requireOption(top >= 1, "top", top, "at least 1") }
    if let prompts, promptFile == nil {
      do { _ = try TypedPrompts(prompts, asksEach: multi_label) } catch {
        throw ValidationError(error.description)
      }
    }
    if map_method != nil, maps == nil {
      throw ValidationError("--map_method is there without --maps; expected both.")
    }
    if map_reference != nil, maps == nil {
      throw ValidationError("--map_reference is there without --maps; expected both.")
    }
  }

  /// The file that `--prompts` names; nil where it is texts, or not there.
  var promptFile: String? {
    guard let prompts, !prompts.contains(";"), !prompts.contains("|") else { return nil }
    let path = (prompts as NSString).expandingTildeInPath
    let suffix = (path as NSString).pathExtension.lowercased()
    let isFile = ["yaml", "yml"].contains(suffix) || (FileSystem.exists(path) && !FileSystem.isFolder(path))
    return isFile ? path : nil
  }
}

extension MapMethod: ExpressibleByArgument {}
