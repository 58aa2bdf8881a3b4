import Foundation

/// Finds weights that the user has downloaded before with Hugging Face's or PyTorch's own tools.
///
/// Nothing is fetched. Only the folder that those tools would use under the same environment is searched.
/// - Source: huggingface_hub `constants.py` and its cache layout; PyTorch `torch/hub.py`.
public enum HubCache {
  /// The snapshot folder of a Hugging Face model (`org/name`), or the path of a torch-hub file (`name.pth`).
  ///
  /// - Parameters:
  ///   - name: a model's id on the hub, or the name of a checkpoint file.
  ///   - environment: where `HF_HOME`, `TORCH_HOME` and the like are looked up; empty values count as unset.
  ///   - home: the folder that holds `.cache`.
  /// - Returns: nil if there is nothing of that name.
  public static func locate(
    _ name: String, environment: [String: String] = ProcessInfo.processInfo.environment,
    home: String = NSHomeDirectory()
  ) -> String? {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return nil }
    if parts.count == 1 {
      let file = "\(torchFolder(environment, home))/\(name)"
      if FileSystem.exists(file), !FileSystem.isFolder(file) { return file }
    }
    let model = "\(hubFolder(environment, home))/models--\(parts.joined(separator: "--"))"
    return snapshot(of: model)
  }

  /// The folder in which Hugging Face's tools keep what they fetch.
  private static func hubFolder(_ environment: [String: String], _ home: String) -> String {
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
      if let folder = value(name, environment, home) { return folder }
    }
    if let folder = value("HF_HOME", environment, home) { return folder + "/hub" }
    return cacheFolder(environment, home) + "/huggingface/hub"
  }

  /// The folder in which PyTorch keeps checkpoint files.
  private static func torchFolder(_ environment: [String: String], _ home: String) -> String {
    let torch = value("TORCH_HOME", environment, home) ?? cacheFolder(environment, home) + "/torch"
    return torch + "/hub/checkpoints"
  }

  private static func cacheFolder(_ environment: [String: String], _ home: String) -> String {
    value("XDG_CACHE_HOME", environment, home) ?? home + "/.cache"
  }

  private static func value(_ name: String, _ environment: [String: String], _ home: String) -> String? {
    guard let value = environment[name], !value.isEmpty else { return nil }
    return value == "~" || value.hasPrefix("~/") ? home + value.dropFirst() : value
  }

  /// The revision that `refs/main` names, else the newest one that holds anything to load.
  private static func snapshot(of model: String) -> String? {
    let folder = model + "/snapshots"
    if let data = try? FileSystem.read(model + "/refs/main") {
      let revision = String(decoding: data.prefix(256), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let main = "\(folder)/\(revision)"
      if !revision.isEmpty, !revision.contains("/"), !revision.hasPrefix("."), isLoadable(main) {
        return main
      }
    }
    let loadable = FileSystem.list(folder).map { "\(folder)/\($0)" }.filter(isLoadable)
    return loadable.max { modified($0) < modified($1) }
  }

  private static func isLoadable(_ folder: String) -> Bool {
    FileSystem.isFolder(folder)
      && (["config.json"] + WeightsFiles.names).contains { FileSystem.exists("\(folder)/\($0)") }
  }

  private static func modified(_ path: String) -> Date {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return attributes?[.modificationDate] as? Date ?? .distantPast
  }
}
