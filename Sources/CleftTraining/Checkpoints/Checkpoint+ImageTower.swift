import CleftFormats
import CleftModels
import CleftNN
import CleftTensor

extension Checkpoint {
  /// Fills an image tower with the values that a checkpoint of any kind has for it; nothing else is read.
  ///
  /// - Parameter modelFolder: where base files are looked for, besides their old places and around the checkpoint.
  /// - Throws: `TrainingError.missing` or `.badData` naming a base file that is not there or not the same.
  public static func load(
    _ folder: String, into tower: any ImageTower, modelFolder: String? = nil
  ) throws {
    let prefix = KeyMap.imagePrefix
    func isOwn(_ key: String) -> Bool { key.hasPrefix(prefix) }
    let file = try SafeTensorsFile(folder + "/model.safetensors")
    let folders = [modelFolder].compactMap { $0 } + BaseReferences.foldersAround(folder)
    let base = try BaseTensors(of: folder, in: folders, where: isOwn)
    let shapes = base.shapes.merging(file.entries.mapValues(\.shape)) { _, own in own }
    let keys = Dictionary(
      uniqueKeysWithValues: shapes.filter { isOwn($0.key) }.map {
        (String($0.key.dropFirst(prefix.count)), $0.value)
      })
    try tower.load(
      from: file.path, keys: keys,
      types: { file.entries[prefix + $0]?.dtype ?? base.type(prefix + $0) },
      origin: { file.entries[prefix + $0] == nil ? base.origin(prefix + $0) : nil }
    ) { key in
      if file.entries[prefix + key] == nil, let tensor = try base.tensor(prefix + key) { return tensor }
      return try file.number(prefix + key)
    }
  }
}
