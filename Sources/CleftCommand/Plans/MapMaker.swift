import CleftData
import CleftImaging
import CleftTraining
import Foundation

/// Draws where a pair of towers looks for classes, by the method that points best in its image tower.
struct MapMaker {
  /// How maps are made.
  let method: MapMethod
  private let loaded: LoadedModel
  private let prompts: PromptEncoder

  /// Makes a maker for a pair whose prompts `prompts` reads.
  init?(_ loaded: LoadedModel, _ prompts: PromptEncoder) {
    guard let method = PictureMaps.methods(for: loaded.encoder).first else { return nil }
    (self.method, self.loaded, self.prompts) = (method, loaded, prompts)
  }

  /// Maps of some classes of a prompt set over what the model sees, as PNG.
  ///
  /// - Parameter prefix: the picture's own text in front of its prompts.
  func overlays(
    _ picture: GrayImage, _ set: PromptSet, prefix: String?, columns: [Int]
  ) throws -> [Data] {
    let texts = prompts.classTexts(set, prefix: prefix ?? "")
    let maps = try PictureMaps(encoder: loaded.encoder, texts: texts).maps(
      ImagePipeline.tensor([picture]), method: method)
    return try columns.map { column in
      let map = maps[column]
      return try MapOverlay(rows: map.rows, columns: map.columns, values: map.values).png(picture)
    }
  }
}
