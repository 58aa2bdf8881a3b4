import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation

/// A text tower in a library's files, with adapters in PEFT's, against the hidden states the library gave.
///
/// Folder: `base_config.json`, the weights as `base.safetensors` or a Hugging Face folder `base`, a folder for each
/// adapter, and `expected.safetensors` with `caption_ids`, `attention_mask`, `base.text_hidden`,
/// `<adapter>.text_hidden` and `<adapter>.merged.<layer>.weight`.
struct TextTowerParity {
  let rows: [ParityRow]

  init(_ folder: String, _ tolerance: Double) throws {
    let data = try FileSystem.read(folder + "/base_config.json")
    let config: any TextTowerConfig
    do {
      config = try JSONDecoder().decode(TextTowerFile.self, from: data).config
    } catch {
      throw TrainingError.badData(
        Problem(folder + "/base_config.json", found: "not a text tower's configuration (\(error))"))
    }
    if let contradiction = config.contradiction {
      throw TrainingError.badData(Problem(folder + "/base_config.json", found: contradiction))
    }
    let expected = try SafeTensorsFile(folder + "/expected.safetensors")
    let names =
      ["base"] + FileSystem.list(folder).filter { FileSystem.exists("\(folder)/\($0)/adapter_config.json") }
    var rows: [ParityRow] = []
    for name in names {
      let tower = config.makeTower()
      try Self.load(folder, into: tower)
      if name != "base" {
        try AdapterFolder("\(folder)/\(name)").apply(to: tower, tower.names.adapterTargets)
      }
      if expected.entries["\(name).text_hidden"] != nil {
        let hidden = try Self.hidden(tower, config, expected)
        rows.append(
          ParityRow(
            "\(name).text_hidden", expected: try expected.doubles("\(name).text_hidden"), found: hidden,
            tolerance: tolerance))
      }
      let prefix = "\(name).merged."
      let merged = expected.entries.keys.filter { $0.hasPrefix(prefix) }.sorted()
      if !merged.isEmpty { _ = MergedAdapters(tower) }
      for key in merged {
        let layer = String(key.dropFirst(prefix.count))
        let cell = tower.cells().first { $0.path == layer || $0.path.hasSuffix("." + layer) }
        rows.append(
          ParityRow(
            key, expected: try expected.doubles(key), found: cell?.cell.value.array.map(Double.init),
            tolerance: tolerance))
      }
    }
    self.rows = rows
  }

  private static func load(_ folder: String, into tower: any TextTower) throws {
    let single = folder + "/base.safetensors"
    let file = try WeightsFiles.open(FileSystem.exists(single) ? single : folder + "/base")
    let translation = KeyMap.translateTower(file.entries.keys, tower: tower)
    try tower.load(
      from: file.path, keys: translation.sources.compactMapValues { file.entries[$0]?.shape }
    ) { try file.number(translation.sources[$0] ?? $0) }
  }

  /// Hidden states of every column, padding included.
  private static func hidden(
    _ tower: any TextTower, _ config: any TextTowerConfig, _ expected: SafeTensorsFile
  ) throws -> [Double]? {
    let ids = try expected.integers("caption_ids")
    let mask = try expected.integers("attention_mask")
    let columns = expected.entries["caption_ids"]?.shape.last ?? 1
    let captions = (0..<ids.count / columns).map { row in
      (0..<columns).filter { mask[row * columns + $0] != 0 }.map { ids[row * columns + $0] }
    }
    let padding = ids.indices.first { mask[$0] == 0 }.map { ids[$0] } ?? config.paddingID
    let batch = TextBatch(
      captions: captions, length: columns, paddingID: padding, pooledToken: .first,
      isCausal: config.isCausal, virtualCount: tower.virtualTokens?.cell.shape[0] ?? 0,
      firstPosition: tower.prefix?.count ?? 0, keepsPadding: true)
    let taps = Taps()
    withoutGradients {
      _ = tower(batch, ForwardContext(isTraining: false, key: RandomKey(seed: 0), taps: taps))
    }
    return taps.tensors["text_hidden"]?.array.map(Double.init)
  }
}

/// An image tower in a library's files against the features the library gave.
///
/// Folder: `image_config.json`, the weights as `image.safetensors` or `image.pth`, and `expected.safetensors` with
/// `images`, `feature.cls` and `feature.mean`.
struct ImageTowerParity {
  let rows: [ParityRow]

  init(_ folder: String, _ tolerance: Double) throws {
    let path = folder + "/image_config.json"
    let data = try FileSystem.read(path)
    let config: any ImageTowerConfig
    do {
      config = try JSONDecoder().decode(ImageTowerFile.self, from: data).config
    } catch {
      throw TrainingError.badData(Problem(path, found: "not an image tower's configuration (\(error))"))
    }
    if let contradiction = config.contradiction {
      throw TrainingError.badData(Problem(path, found: contradiction))
    }
    let tower = config.makeTower()
    let safe = folder + "/image.safetensors"
    let file = try WeightsFiles.open(FileSystem.exists(safe) ? safe : folder + "/image.pth")
    let translation = KeyMap.translateTower(
      file.entries.keys, tower: tower, ignored: type(of: config).ignoredKeys)
    try tower.load(
      from: file.path, keys: translation.sources.compactMapValues { file.entries[$0]?.shape },
      optional: { $0 == "mask_token" || $0.hasSuffix("num_batches_tracked") }
    ) { try file.number(translation.sources[$0] ?? $0) }
    let expected = try SafeTensorsFile(folder + "/expected.safetensors")
    let images = try expected.tensor("images")
    rows = try ImagePooling.allCases.compactMap { pooling in
      let name = "feature.\(pooling.rawValue)"
      guard expected.entries[name] != nil else { return nil }
      let feature = withoutGradients { tower.feature(images, pooling: pooling, .evaluation) }
      return ParityRow(
        name, expected: try expected.doubles(name), found: feature.array.map(Double.init),
        tolerance: tolerance)
    }
  }
}
