import CleftData
import CleftImaging
import CleftTraining
import Foundation

/// Draws where a pair of towers looks for classes.
///
/// Of the class that counts most all methods of one pass, of the next one the method that points best.
struct MapMaker {
  private let loaded: LoadedModel
  private let prompts: PromptEncoder
  /// The one that points best first.
  private let methods: [MapMethod]
  private var reference: PictureReference?

  /// Pictures that say what is usual in each place.
  private static let referenceCount = 64

  /// Makes a maker for a pair whose prompts `prompts` reads; nil where no method fits its image tower.
  init?(_ loaded: LoadedModel, _ prompts: PromptEncoder) {
    let fitting = PictureMaps.methods(for: loaded.encoder)
    let quick = fitting.filter(\.needsTokens)
    methods = quick.isEmpty ? Array(fitting.prefix(1)) : quick
    if methods.isEmpty { return nil }
    (self.loaded, self.prompts) = (loaded, prompts)
  }

  /// The same, knowing what is usual in each place of a dataset's pictures.
  func knowing(_ dataset: ImageTextDataset, _ pictures: PictureStore) throws -> MapMaker {
    guard methods.contains(where: \.usesReference) else { return self }
    let samples = dataset.samples
    let count = min(Self.referenceCount, samples.count)
    var maker = self
    maker.reference = try PictureReference(encoder: loaded.encoder, count: count) { range in
      try ImagePipeline.tensor(range.map { try pictures.evaluation(samples[$0 * samples.count / count]) })
    }
    return maker
  }

  /// Maps of some classes of a prompt set over what the model sees.
  ///
  /// - Parameters:
  ///   - prefix: the picture's own text in front of its prompts.
  ///   - columns: the classes, the one that counts most first.
  func overlays(
    _ picture: GrayImage, _ set: PromptSet, prefix: String?, columns: [Int]
  ) throws -> [[PageExample.Map]] {
    let texts = prompts.classTexts(set, prefix: prefix ?? "")
    let maps = PictureMaps(encoder: loaded.encoder, texts: texts, reference: reference)
    let image = ImagePipeline.tensor([picture])
    let shown = Array(columns.prefix(2))
    let found = try methods.map { (method: $0, maps: try maps.maps(image, method: $0, of: shown)) }
    return try columns.indices.map { place in
      try found.prefix(place == 0 ? found.count : place == 1 ? 1 : 0).map { method, maps in
        let map = maps[place]
        let overlay = MapOverlay(rows: map.rows, columns: map.columns, values: map.values)
        return PageExample.Map(title: method.title, png: try overlay.png(picture))
      }
    }
  }
}
