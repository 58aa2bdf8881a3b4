import CleftFormats
import CleftNN
import Foundation

/// What a checkpoint needs to build its model again, stored as `model.json` beside the weights.
///
/// A new kind of model is a conformer and a line in `StoredModelCatalog`.
public protocol StoredModel: Codable, Sendable {
  /// Name in `model.json`.
  static var kind: String { get }
  /// Builds the model without values.
  func makeWholeModel() throws -> any Module
}

/// Every kind of model that a checkpoint may hold.
public enum StoredModelCatalog {
  /// All kinds; the first one is meant by files that name none.
  public static let all: [any StoredModel.Type] = [ModelDescription.self, ClassifierDescription.self]

  private struct Kind: Codable { var kind: String? }

  /// Reads `model.json` of a checkpoint folder.
  public static func read(_ folder: String) throws -> any StoredModel {
    let path = folder + "/model.json"
    let data = try FileSystem.read(path)
    let name = try? JSONDecoder().decode(Kind.self, from: data).kind
    guard let type = all.first(where: { $0.kind == name ?? all[0].kind }) else {
      throw TrainingError.badData(
        Problem(
          path, found: "kind '\(name ?? "")'",
          expected: all.map { $0.kind }.joined(separator: ", ")))
    }
    return try decode(type, data, path)
  }

  private static func decode<Model: StoredModel>(_ type: Model.Type, _ data: Data, _ path: String) throws
    -> any StoredModel
  {
    do { return try JSONDecoder().decode(Model.self, from: data) } catch {
      throw TrainingError.badData(Problem(path, found: "not a model description (\(error))"))
    }
  }
}
