import CleftFormats
import CleftNN
import CleftTensor
import Foundation

/// An adapter as PEFT stores it: `adapter_config.json` with `adapter_model.safetensors` or `adapter_model.bin`.
///
/// Keys of all versions are read: with and without the adapter's name, `base_model.model.` in front or not, whole
/// checkpoints' `base_layer` aside.
public struct AdapterFolder {
  /// What the folder holds.
  public enum Method: Sendable {
    /// A method of the catalogue.
    case adapter(AdapterDescription)
    /// Vectors in front of captions; P-tuning stores the same.
    case prompt(PromptTuningConfig)
  }

  /// Where it lies.
  public let path: String
  /// Method and settings.
  public let method: Method
  /// The values.
  public let file: any WeightsFile
  private let rankPattern: [String: [Bool]]

  private struct Header: Decodable {
    var peft_type: String
  }

  private struct RankPattern: Decodable {
    var rank_pattern: [String: [Bool]]?
  }

  /// Reads a folder's settings and maps its values.
  ///
  /// - Throws: `FormatError` naming the file and what is wrong with it.
  public init(_ path: String) throws {
    self.path = path
    let settings = path + "/adapter_config.json"
    let data = try FileSystem.read(settings)
    do {
      method = try Self.method(data, settings)
    } catch let error as any CleftError {
      throw error
    } catch {
      throw FormatError.malformed(Problem(settings, found: Self.reason(error), expected: "PEFT's settings"))
    }
    file = try WeightsFiles.open(path)
    rankPattern = (try? JSONDecoder().decode(RankPattern.self, from: data))?.rank_pattern ?? [:]
  }

  private static func method(_ data: Data, _ path: String) throws -> Method {
    let type = try JSONDecoder().decode(Header.self, from: data).peft_type
    if ["PROMPT_TUNING", "P_TUNING"].contains(type) {
      return .prompt(try JSONDecoder().decode(PromptTuningConfig.self, from: data))
    }
    guard let entry = AdapterCatalog.all.first(where: { $0.peftType == type }) else {
      let known = Set(AdapterCatalog.all.map(\.peftType)).union(["PROMPT_TUNING", "P_TUNING"])
      throw FormatError.malformed(
        Problem(
          path, found: "peft_type '\(type)'", expected: "one of \(known.sorted().joined(separator: ", "))"))
    }
    let config = try JSONDecoder().decode(AdapterBox.self, from: data, configuration: entry)
    if var prefix = config.config as? PrefixTuningConfig {
      // A saved table is the one that the projection made.
      prefix.isProjected = false
      return .adapter(try AdapterDescription(method: entry.name, config: prefix))
    }
    return .adapter(try AdapterDescription(method: entry.name, config: config.config))
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted(let context): context.debugDescription
    case DecodingError.keyNotFound(let key, _): "no '\(key.stringValue)'"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      "'\(context.codingPath.map(\.stringValue).joined(separator: "."))': \(context.debugDescription)"
    default: "\(error)"
    }
  }

  /// Adds the adapter to a tower and fills it with the folder's values, all of them and nothing else.
  ///
  /// - Returns: the paths of the layers changed.
  /// - Throws: `AdapterError.noSuchLayer` naming a key without a place, `StateDictError` for a wrong shape.
  @discardableResult
  public func apply(to tower: any Module, _ targets: AdapterTargets, name: String = "default") throws
    -> [String]
  {
    let before = Set(tower.cells().map(\.path))
    let changed: [String]
    switch method {
    case .adapter(let description):
      let config = description.config
      // PiSSA's settings mean that the base still has to give up what the factors start from.
      var givesUpValues = false
      if case .pissa? = (config as? LoRAConfig)?.start { givesUpValues = true }
      changed = try config.apply(to: tower, AdapterPlace(targets, name: name, startsFresh: givesUpValues))
    case .prompt(let config):
      guard let host = tower as? any VirtualTokenHost else {
        throw AdapterError.noSuchLayer(
          Problem(path, found: "vectors in front of captions", expected: "an adapter for this tower"))
      }
      try config.apply(to: host, startingFrom: nil)
      changed = ["prompt_encoder.default"]
    }
    let cells = tower.cells()
    try fill(
      cells.filter { !isBase($0.path, before) }, name: name, base: cells.filter { isBase($0.path, before) })
    return changed
  }

  /// Whether a cell was there before, perhaps without the wrapping.
  private func isBase(_ path: String, _ before: Set<String>) -> Bool {
    before.contains(path) || path.contains(".base_layer.")
  }

  private func fill(_ cells: [NamedCell], name: String, base: [NamedCell]) throws {
    let places = AdapterKeys(file.entries.keys)
    var used: Set<String> = []
    for named in cells {
      guard let key = places.key(for: named.path, adapter: name) else {
        if named.cell.role == .buffer { continue }
        let near = nearestNames(to: named.path, among: file.entries.keys).joined(separator: ", ")
        throw AdapterError.noSuchLayer(
          Problem(
            "\(file.path): \(named.path)", found: "missing", expected: "a value for every adapter parameter",
            hint: "Nearest keys: \(near)."))
      }
      used.insert(key)
      named.cell.value = try value(key, for: named)
    }
    // Trained embeddings and whole checkpoints bring base weights along: they are part of what was saved.
    for named in base {
      guard let key = places.key(for: named.path, adapter: name), !used.contains(key) else { continue }
      used.insert(key)
      named.cell.value = try value(key, for: named)
    }
    for key in file.entries.keys.sorted()
    where !used.contains(key) && !key.hasSuffix("word_embeddings.weight") {
      let near = nearestNames(to: key, among: cells.map(\.path)).joined(separator: ", ")
      throw AdapterError.noSuchLayer(
        Problem(
          "\(file.path): \(key)", found: "a key that the model has no place for",
          hint: "Nearest in the model: \(near)."))
    }
  }

  private func value(_ key: String, for named: NamedCell) throws -> Tensor {
    let tensor = try file.tensor(key)
    let shape = named.cell.shape
    if tensor.shape == shape { return tensor }
    if tensor.count == shape.count { return tensor.reshaped(shape) }
    if let expanded = expanded(tensor, to: shape, key) { return expanded }
    throw StateDictError.mismatch(
      Problem(
        "\(file.path): \(key)", found: "shape \(tensor.shape)", expected: "shape \(shape)",
        hint: "The adapter belongs to a model of another size."))
  }

  /// AdaLoRA stores only the directions it kept; the others get zeros here.
  private func expanded(_ tensor: Tensor, to shape: Shape, _ key: String) -> Tensor? {
    let isA = key.contains(".lora_A"), isB = key.contains(".lora_B"), isE = key.contains(".lora_E")
    guard isA || isB || isE, tensor.shape.rank == 2 else { return nil }
    let layer = AdapterKeys.layer(of: key)
    guard let pattern = rankPattern.first(where: { AdapterKeys.layer(of: $0.key) == layer })?.value,
      pattern.count == (isB ? shape[1] : shape[0])
    else { return nil }
    let kept = pattern.indices.filter { pattern[$0] }
    guard kept.count == (isB ? tensor.shape[1] : tensor.shape[0]),
      tensor.shape[isB ? 0 : 1] == shape[isB ? 0 : 1]
    else { return nil }
    var values = [Float](repeating: 0, count: shape.count)
    let source = tensor.array
    for (index, place) in kept.enumerated() {
      if isB {
        for row in 0..<shape[0] { values[row * shape[1] + place] = source[row * kept.count + index] }
      } else {
        for column in 0..<shape[1] { values[place * shape[1] + column] = source[index * shape[1] + column] }
      }
    }
    return Tensor(shape, values)
  }
}

/// Decodes settings whose type is known only at run time.
private struct AdapterBox: DecodableWithConfiguration {
  let config: any AdapterConfig

  init(from decoder: any Decoder, configuration entry: AdapterCatalog.Entry) throws {
    config = try entry.decode(decoder)
  }
}

/// Finds the key in an adapter file for a parameter of a model, whatever stands in front of the layers' paths.
struct AdapterKeys {
  private let byEnding: [String: String]

  init(_ keys: some Sequence<String>) {
    var byEnding: [String: String] = [:]
    for key in keys {
      let plain = Self.plain(key, adapter: "default")
      for ending in Self.endings(plain) where byEnding[ending] == nil || ending == plain {
        byEnding[ending] = key
      }
    }
    self.byEnding = byEnding
  }

  /// The file's key for a parameter.
  func key(for path: String, adapter: String) -> String? {
    let plain = Self.plain(path, adapter: adapter)
    if plain.hasPrefix("prompt_encoder.embedding") || plain.hasPrefix("prefix_encoder.embedding"),
      let table = byEnding["prompt_embeddings"]
    {
      return table
    }
    return Self.endings(plain).lazy.compactMap { byEnding[$0] }.first
  }

  /// A key without wrappers and the adapter's name.
  static func plain(_ key: String, adapter: String) -> String {
    var rest = Substring(key)
    while rest.hasPrefix("base_model.") {
      rest = rest.dropFirst("base_model.".count)
      if rest.hasPrefix("model.") { rest = rest.dropFirst("model.".count) }
    }
    var plain = String(rest).replacing(".\(adapter).", with: ".").replacing(".base_layer.", with: ".")
    if plain.hasSuffix(".\(adapter)") { plain.removeLast(adapter.count + 1) }
    return plain.hasSuffix(".lora_magnitude_vector") ? plain + ".weight" : plain
  }

  /// The layer that a key belongs to, without what stands in front of it in some files.
  static func layer(of key: String) -> String {
    let plain = plain(key, adapter: "default")
    let parts = plain.components(separatedBy: ".lora_")
    return parts[0].split(separator: ".").drop { Int($0) == nil }.joined(separator: ".")
  }

  /// The key and its endings down to the block's number: models differ in what stands in front of it.
  private static func endings(_ key: String) -> [String] {
    let parts = key.split(separator: ".")
    let last = parts.firstIndex { Int($0) != nil } ?? 0
    return (0...max(last - 1, 0)).map { parts[$0...].joined(separator: ".") }
  }
}
