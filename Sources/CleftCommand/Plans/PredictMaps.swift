import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftTraining
import Foundation

/// Where a model looks in one picture for one class, as JSON has it.
struct PredictMap: Encodable {
  /// A place in pixels of the upright picture, across and down from its upper left corner.
  struct Place: Encodable { var x, y: Double }
  /// Name of the class.
  var prompt: String
  var method: MapMethod
  /// Cells down and across the square that the model sees, and a number a cell, row by row.
  var rows, columns: Int
  var values: [Float]
  /// The middle of the highest cell; outside of the picture where that is in the padding around it.
  var peak: Place
  /// The drawing; nil for methods that are not drawn.
  var file: String?
}

/// Maps of where a pair of towers looks, drawn over pictures into a folder.
struct PredictMaps {
  private let predictor: Predictor
  private let maps: PictureMaps
  private let folder: String
  /// The first one is drawn.
  private let methods: [MapMethod]

  /// Finds out which maps a model has.
  ///
  /// - Parameters:
  ///   - method: nil for the first that fits.
  ///   - takesAll: whether maps of the other methods of one pass a picture are made too where none is named.
  ///   - reference: folder of pictures that say what is usual in each place; nil for none.
  /// - Throws: `TrainingError.badConfiguration` for a classifier, and for a method that does not fit the image tower.
  init(
    _ predictor: Predictor, folder: String, method: MapMethod?, takesAll: Bool, reference: String?,
    _ pictures: PictureStore, _ log: RunLog
  ) throws {
    let pair = try predictor.use.pair(for: "--maps")
    guard let texts = predictor.texts else { preconditionFailure("maps: a pair without texts") }
    let fitting = PictureMaps.methods(for: pair.encoder)
    guard method.map(fitting.contains) ?? true else {
      throw TrainingError.badConfiguration(
        Problem(
          "--map_method \(method?.rawValue ?? "")",
          found: "an image tower without a token for each place",
          expected: fitting.map(\.rawValue).joined(separator: ", ")))
    }
    let quick = fitting.filter(\.needsTokens)
    methods = method.map { [$0] } ?? (takesAll && !quick.isEmpty ? quick : Array(fitting.prefix(1)))
    self.predictor = predictor
    self.folder = (folder as NSString).expandingTildeInPath
    let usual = try reference.map { try Self.reference($0, pair.encoder, pictures) }
    maps = PictureMaps(encoder: pair.encoder, texts: texts, reference: usual)
    if usual == nil, let blind = methods.first(where: \.usesReference) {
      log.say(
        "\(blind.title): points better with --map_reference, pictures that say what is usual in each place.")
    }
    try FileSystem.makeFolder(self.folder)
  }

  /// What is usual in each place of some pictures of a folder, spread over its names.
  private static func reference(
    _ folder: String, _ encoder: DualEncoder, _ pictures: PictureStore
  ) throws -> PictureReference {
    let files = try PictureFiles([folder], policy: .stop).samples
    let count = min(128, files.count)
    return try PictureReference(encoder: encoder, count: count) { range in
      try ImagePipeline.tensor(range.map { try pictures.evaluation(files[$0 * files.count / count]) })
    }
  }

  /// Maps of a picture for every class, the first method's drawn.
  ///
  /// - Parameter number: the picture's among those of the command line, which begins its files' names.
  func make(_ number: Int, _ path: String, _ pictures: PictureStore) throws -> [PredictMap] {
    let pipeline = pictures.pipeline
    let picture = try ImageDecoder.decode(path, dicom: predictor.use.options.quirks.dicomRendering)
    let geometry = PictureGeometry(picture, pipeline: pipeline)
    let seen = ImagePipeline.tensor([pipeline.evaluation(picture)])
    var found: [PredictMap] = []
    for (place, method) in methods.enumerated() {
      for (label, map) in try maps.maps(seen, method: method).enumerated() {
        let overlay = place == 0 ? name(number, path, label) : nil
        if let overlay {
          let drawing = MapOverlay(rows: map.rows, columns: map.columns, values: map.values)
          try FileSystem.write(drawing.png(picture, geometry: geometry), to: overlay, isDurable: false)
        }
        let (x, y) = map.peakPlace
        let peak = geometry.picturePlace(x: x * Double(geometry.side), y: y * Double(geometry.side))
        found.append(
          PredictMap(
            prompt: predictor.classNames[label], method: method, rows: map.rows, columns: map.columns,
            values: map.values, peak: PredictMap.Place(x: peak.x, y: peak.y), file: overlay))
      }
    }
    return found
  }

  /// `FOLDER/0001_scan_2-pleural-effusion.png`: number and name of the picture, number and name of the class.
  private func name(_ number: Int, _ path: String, _ label: Int) -> String {
    let stem = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    let digits = String(number + 1)
    let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    let word = EvaluationFolder.slug(predictor.classNames[label]).prefix(60)
    return "\(folder)/\(padded)_\(stem)_\(label + 1)-\(word).png"
  }
}
