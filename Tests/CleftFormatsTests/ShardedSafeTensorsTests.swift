import CleftFormats
import CleftTensor
import Foundation
import Testing

@Suite struct ShardedSafeTensorsTests {
  private func folder() throws -> String {
    let path = TorchFiles.temporaryPath("model")
    try FileSystem.makeFolder(path)
    return path
  }

  private func write(_ text: String, _ path: String) throws {
    try FileSystem.write(Data(text.utf8), to: path, isDurable: false)
  }

  @Test(arguments: ["sharded", "sharded_bin"])
  func shardsReadAsOne(_ name: String) throws {
    let file = try WeightsFiles.open(TorchFiles.torch(name))
    #expect(Set(file.entries.keys) == ["a.weight", "b.weight"])
    #expect(file.metadata == ["total_size": "32"])
    #expect(try file.tensor("a.weight").array == [0, 1, 2, 3, 4, 5])
    #expect(try file.tensor("b.weight").array == [0, 1, 2, 3])
    let sharded = try #require(file as? ShardedSafeTensors)
    #expect(sharded.unlisted == ["b.extra"])
    #expect(sharded.shards.count == 2)
    let again = try WeightsFiles.open(file.path)
    #expect(again.entries == file.entries)
    let error = #expect(throws: FormatError.self) { try file.tensor("a.wieght") }
    #expect(error?.description.contains("Nearest: a.weight") == true)
  }

  @Test func whatIsMissingIsNamed() throws {
    let folder = try folder()
    let index = folder + "/model.safetensors.index.json"
    try write(#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#, index)
    try SafeTensorsWriter.write([("a", Tensor([1], [1]))], to: folder + "/one.safetensors")
    let shard = #expect(throws: FormatError.self) { try WeightsFiles.open(folder) }
    #expect(shard?.problem.location == folder + "/two.safetensors")
    #expect(shard?.exitStatus == .missingInput)
    try SafeTensorsWriter.write([("c", Tensor([1], [1]))], to: folder + "/two.safetensors")
    let key = #expect(throws: FormatError.self) { try WeightsFiles.open(folder) }
    #expect(key?.description.contains("b: no such tensor in two.safetensors") == true)
  }

  @Test(arguments: [
    "{}", #"{"weight_map": {}}"#, #"{"weight_map": {"a": 1}}"#, "{", "{\"weight_map\": [",
    #"{"weight_map": {"a": "../secret"}}"#, #"{"weight_map": {"a": ""}}"#,
    #"{"weight_map": {"a": "model.safetensors.index.json"}}"#,
  ])
  func damagedIndexesAreErrors(_ text: String) throws {
    let path = try folder() + "/model.safetensors.index.json"
    try write(text, path)
    let error = #expect(throws: FormatError.self) { try WeightsFiles.open(path) }
    #expect(error?.exitStatus == .badData)
  }

  @Test func aFolderIsSearchedInOrder() throws {
    let folder = try folder()
    let error = #expect(throws: FormatError.self) { try WeightsFiles.open(folder) }
    #expect(error?.exitStatus == .missingInput)
    #expect(error?.description.contains("pytorch_model.bin") == true)
    let tensor = Tensor([1], [4])
    for name in WeightsFiles.names.reversed() where !name.hasSuffix(".json") {
      if name.hasSuffix(".bin") {
        try TorchWriter.write(stateDict: [("k", tensor)], isBare: true, to: "\(folder)/\(name)")
      } else {
        try SafeTensorsWriter.write([("k", tensor)], to: "\(folder)/\(name)")
      }
      let file = try WeightsFiles.open(folder)
      #expect(file.path == "\(folder)/\(name)")
      #expect(try file.tensor("k").array == [4])
    }
  }
}

@Suite struct HubCacheTests {
  private let home = TorchFiles.temporaryPath("home")

  private func make(_ path: String, _ text: String = "x") throws {
    try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
    try FileSystem.write(Data(text.utf8), to: path, isDurable: false)
  }

  @Test func theMainRevisionIsTaken() throws {
    let model = home + "/.cache/huggingface/hub/models--org--name"
    try make(model + "/snapshots/aaa/config.json")
    try make(model + "/snapshots/bbb/model.safetensors")
    try make(model + "/snapshots/ccc/README.md")
    try make(model + "/refs/main", "aaa\n")
    #expect(HubCache.locate("org/name", environment: [:], home: home) == model + "/snapshots/aaa")
    try make(model + "/refs/main", "gone")
    let old = [FileAttributeKey.modificationDate: Date(timeIntervalSince1970: 1)]
    try FileManager.default.setAttributes(old, ofItemAtPath: model + "/snapshots/aaa")
    #expect(HubCache.locate("org/name", environment: [:], home: home) == model + "/snapshots/bbb")
    #expect(HubCache.locate("org/other", environment: [:], home: home) == nil)
  }

  @Test func theEnvironmentMovesTheCaches() throws {
    for (variable, value, hub) in [
      ("HF_HUB_CACHE", "\(home)/a", "a"), ("HUGGINGFACE_HUB_CACHE", "\(home)/b", "b"),
      ("HF_HOME", "~/c", "c/hub"),
      ("XDG_CACHE_HOME", "\(home)/d", "d/huggingface/hub"),
    ] {
      let model = "\(home)/\(hub)/models--gpt2"
      try make(model + "/snapshots/r/config.json")
      let found = HubCache.locate("gpt2", environment: [variable: value, "TORCH_HOME": ""], home: home)
      #expect(found == model + "/snapshots/r", "\(variable)")
    }
    let name = "dinov2_vitb14_reg4_pretrain.pth"
    for (variable, folder) in [
      ("TORCH_HOME", "t/hub/checkpoints"), ("XDG_CACHE_HOME", "t/torch/hub/checkpoints"),
      ("NONE", ".cache/torch/hub/checkpoints"),
    ] {
      try make("\(home)/\(folder)/\(name)")
      let found = HubCache.locate(name, environment: [variable: home + "/t"], home: home)
      #expect(found == "\(home)/\(folder)/\(name)", "\(variable)")
    }
  }

  @Test(arguments: ["", "/", "a/", "/etc/passwd", "../x", "a/..", "a/b/c", "."])
  func whatIsNoNameIsNotFound(_ name: String) {
    #expect(HubCache.locate(name, environment: ["TORCH_HOME": "/"], home: "/") == nil)
  }
}
