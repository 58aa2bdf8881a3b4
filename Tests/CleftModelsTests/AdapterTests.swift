import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation
import Testing

/// One small tower of each text architecture.
let smallTextTowers: [any TextTowerConfig] = [
  GPTConfig(vocabularySize: 40, positionCount: 40, hiddenSize: 16, depth: 2, headCount: 2),
  LlamaConfig(
    vocabularySize: 40, positionCount: 40, hiddenSize: 32, feedForwardSize: 24, depth: 2, headCount: 4,
    keyValueHeadCount: 2),
  BertConfig(vocabularySize: 40, positionCount: 40, hiddenSize: 16, depth: 2, headCount: 2),
]

/// One small tower of each image architecture.
let smallImageTowers: [any ImageTowerConfig] = [
  VisionTransformerConfig(
    hiddenSize: 16, depth: 2, headCount: 2, patchSize: 2, dropPath: 0.5, positionGrid: 4, imageSizePixels: 8),
  ResNetConfig(stageDepths: [1, 1, 1, 1], width: 4, imageSizePixels: 64),
  SwinConfig(
    embeddingSize: 8, stageDepths: [2, 2], stageHeadCounts: [2, 4], windowSize: 2, patchSize: 2,
    imageSizePixels: 16),
]

private func makeText(_ config: any TextTowerConfig, seed: UInt64 = 3) -> any TextTower {
  let tower = config.makeTower()
  tower.seed(RandomKey(seed: seed))
  return tower
}

private func textBatch(_ tower: any TextTower, _ config: any TextTowerConfig) -> TextBatch {
  TextBatch(
    captions: [[1, 2, 3], [4]], length: 12, paddingID: config.paddingID,
    pooledToken: config.isCausal ? .firstPad : .first, isCausal: config.isCausal,
    virtualCount: tower.virtualTokens?.cell.shape[0] ?? 0, firstPosition: tower.prefix?.count ?? 0)
}

private func output(_ tower: any TextTower, _ config: any TextTowerConfig) -> [Float] {
  tower(textBatch(tower, config), .evaluation).array
}

@Suite struct TowerBatteryTests {
  @Test func cataloguesAreWhole() {
    #expect(TextTowerCatalog.all.count == smallTextTowers.count)
    #expect(
      ImageTowerCatalog.all.count == smallImageTowers.count + 1, "the baseline's has a fixture of its own")
  }

  @Test(arguments: smallTextTowers.indices)
  func everyTextTower(_ index: Int) throws {
    let config = smallTextTowers[index]
    #expect(config.contradiction == nil)
    let (first, again) = (makeText(config), makeText(config))
    let plain = output(first, config)
    #expect(plain == output(again, config), "deterministic under a fixed key")
    let decoded = try JSONDecoder().decode(
      TextTowerFile.self, from: JSONEncoder().encode(TextTowerFile(config)))
    let copy = makeText(decoded.config, seed: 9)
    let values = Dictionary(uniqueKeysWithValues: first.cells().map { ($0.path, $0.cell.value) })
    try copy.load(from: "test", keys: values.mapValues(\.shape)) { values[$0] ?? Tensor([]) }
    #expect(output(copy, decoded.config) == plain, "described and loaded it gives the same")
    #expect(throws: StateDictError.self) { try copy.load(from: "test", keys: [:]) { _ in Tensor([]) } }
    let training = first(
      textBatch(first, config), ForwardContext(isTraining: true, key: RandomKey(seed: 1))
    ).array
    #expect((training == plain) == (config.dropout == 0))
  }

  @Test(arguments: smallTextTowers.indices)
  func recomputationChangesNoBit(_ index: Int) throws {
    let config = smallTextTowers[index]
    let context = ForwardContext(isTraining: true, key: RandomKey(seed: 5))
    let tower = makeText(config)
    _ = try PrefixTuningConfig(virtualTokenCount: 3, isProjected: true, projectionSize: 5)
      .apply(to: tower, AdapterPlace(tower.names.adapterTargets))
    tower.seed(RandomKey(seed: 4))
    for named in tower.parameters { named.cell.isTrainable = true }
    func gradients(_ recomputes: Bool) -> [String: [Float]] {
      tower.recomputesBlocks = recomputes
      let features = tower(textBatch(tower, config), context)
      let weights = Tensor([1, features.count], (0..<features.count).map { Float($0 % 5) - 2 })
      let all = linear(features.reshaped([1, features.count]), weights, nil).reshaped([]).gradients()
      return Dictionary(
        uniqueKeysWithValues: tower.parameters.compactMap { named in
          all[named.cell.leaf].map { (named.path, $0.array) }
        })
    }
    let (plain, again) = (gradients(false), gradients(true))
    #expect(plain.count > 10 && Set(plain.keys) == Set(again.keys))
    for (path, values) in plain {
      // The projected table's gradient is summed block by block in another order.
      let isExact = !path.contains("prefix_encoder")
      let other = again[path] ?? []
      #expect(zip(values, other).allSatisfy { isExact ? $0 == $1 : abs($0 - $1) <= 1e-5 }, "\(path)")
    }
  }

  @Test(arguments: smallImageTowers.indices)
  func everyImageTower(_ index: Int) throws {
    let config = smallImageTowers[index]
    #expect(config.contradiction == nil, "\(config.contradiction ?? "")")
    let side = config.imageSizePixels
    let images = Tensor([2, 3, side, side], (0..<6 * side * side).map { Float($0 * 7 % 13) / 13 - 0.4 })
    func make(_ config: any ImageTowerConfig, _ seed: UInt64) -> any ImageTower {
      let tower = config.makeTower()
      tower.seed(RandomKey(seed: seed))
      return tower
    }
    func feature(_ tower: any ImageTower) -> [Float] {
      tower.feature(images, pooling: .cls, .evaluation).array
    }
    let first = make(config, 1)
    let plain = feature(first)
    #expect(plain.count == 2 * config.hiddenSize && plain == feature(make(config, 1)))
    let decoded = try JSONDecoder().decode(
      ImageTowerFile.self, from: JSONEncoder().encode(ImageTowerFile(config)))
    let copy = make(decoded.config, 2)
    let values = Dictionary(uniqueKeysWithValues: first.cells().map { ($0.path, $0.cell.value) })
    try copy.load(from: "test", keys: values.mapValues(\.shape)) { values[$0] ?? Tensor([]) }
    #expect(feature(copy) == plain, "described and loaded it gives the same")
    let training = first.feature(
      images, pooling: .cls, ForwardContext(isTraining: true, key: RandomKey(seed: 1))
    ).array
    #expect(training != plain, "batch statistics or stochastic depth count in training")
  }

  @Test(arguments: smallImageTowers.indices.filter { !(smallImageTowers[$0] is ResNetConfig) })
  func everyImageTowerTakesAdapters(_ index: Int) throws {
    let config = smallImageTowers[index]
    let tower = config.makeTower()
    tower.seed(RandomKey(seed: 1))
    let side = config.imageSizePixels
    let images = Tensor([1, 3, side, side], (0..<3 * side * side).map { Float($0 % 11) / 11 })
    func feature() -> [Float] { tower.feature(images, pooling: .cls, .evaluation).array }
    let before = feature()
    let paths = try LoRAConfig(rank: 2).apply(to: tower, AdapterPlace(tower.adapterTargets))
    #expect(!paths.isEmpty && feature() == before)
    #expect(tower.parameters.filter(\.cell.isTrainable).allSatisfy { $0.path.contains("lora_") })
  }

  @Test func maskedPatchesAreLeftOutOfTrainingOnly() {
    var config = VisionTransformerConfig(
      hiddenSize: 16, depth: 1, headCount: 2, patchSize: 2, maskedFraction: 0.75, positionGrid: 4,
      imageSizePixels: 8)
    let images = Tensor([1, 3, 8, 8], (0..<192).map { Float($0 % 9) / 9 })
    func rows(_ isTraining: Bool) -> Int {
      let tower = VisionTransformer(config)
      tower.seed(RandomKey(seed: 1))
      return tower.prenormTokens(images, ForwardContext(isTraining: isTraining, key: RandomKey(seed: 2)))
        .shape[0]
    }
    #expect(rows(true) == 1 + 4 + 4)
    #expect(rows(false) == 1 + 4 + 16)
    config.masksInEvaluation = true
    #expect(rows(false) == 1 + 4 + 4)
  }

  @Test func randomStartKeepsNormsAndThePatchConvolution() {
    let tower = VisionTransformer(
      VisionTransformerConfig(
        hiddenSize: 16, depth: 1, headCount: 2, patchSize: 2, positionGrid: 4, imageSizePixels: 8))
    tower.seed(RandomKey(seed: 1))
    let before = Dictionary(uniqueKeysWithValues: tower.cells().map { ($0.path, $0.cell.value.array) })
    RandomVisionStart.apply(to: tower, RandomKey(seed: 2))
    let changed = tower.cells().filter { before[$0.path] != $0.cell.value.array }.map(\.path)
    #expect(changed.contains("pos_embed") && changed.contains("blocks.0.attn.qkv.weight"))
    #expect(!changed.contains { $0.hasPrefix("patch_embed") || $0.contains("norm") || $0 == "mask_token" })
  }
}

@Suite struct AdapterBatteryTests {
  @Test(arguments: AdapterCatalog.all.map(\.name), smallTextTowers.indices)
  func everyAdapterOnEveryTower(_ name: String, _ index: Int) throws {
    let (entry, config) = (try AdapterCatalog.named(name), smallTextTowers[index])
    let (plain, adapted) = (makeText(config), makeText(config))
    let targets = adapted.names.adapterTargets
    let before = output(plain, config)
    let paths = try entry.defaultConfig.apply(to: adapted, AdapterPlace(targets))
    adapted.seed(RandomKey(seed: 4))
    #expect(!paths.isEmpty)
    let start = output(adapted, config)
    if entry.isNeutralAtStart {
      // PiSSA takes the factors out of the weight: equal to rounding.
      for (a, b) in zip(start, before) { #expect(abs(a - b) < 1e-4, "initial output is unchanged") }
    } else {
      #expect(start != before)
    }
    let trained = adapted.parameters.filter(\.cell.isTrainable)
    #expect(
      !trained.isEmpty && trained.allSatisfy { $0.path.contains(entry.defaultConfig.parameterMark) },
      "only the adapter is trained")

    for named in trained {
      let value = named.cell.value
      named.cell.value = Tensor(value.shape, value.array.enumerated().map { $1 + Float(($0 * 7) % 5) * 0.01 })
    }
    let moved = output(adapted, config)
    #expect(moved != before)

    // Works inside recomputation: the same gradients, none lost.
    func gradients(_ recomputes: Bool) -> [[Float]] {
      adapted.recomputesBlocks = recomputes
      defer { adapted.recomputesBlocks = false }
      let features = adapted(
        textBatch(adapted, config), ForwardContext(isTraining: true, key: RandomKey(seed: 6)))
      let row = features.reshaped([1, features.count])
      let all = linear(row, Tensor([1, features.count], repeating: 1), nil).reshaped([]).gradients()
      return trained.map { all[$0.cell.leaf]?.array ?? [] }
    }
    let (plainGradients, again) = (gradients(false), gradients(true))
    #expect(plainGradients.allSatisfy { !$0.isEmpty } && plainGradients == again)

    // Described and loaded it gives the same; written for PEFT and read again, too.
    let description = try AdapterDescription(method: name, config: entry.defaultConfig)
    let decoded = try JSONDecoder().decode(AdapterDescription.self, from: JSONEncoder().encode(description))
    let copy = makeText(config)
    _ = try decoded.config.apply(to: copy, AdapterPlace(targets, startsFresh: false))
    let values = Dictionary(uniqueKeysWithValues: adapted.cells().map { ($0.path, $0.cell.value) })
    try copy.load(from: "test", keys: values.mapValues(\.shape)) { values[$0] ?? Tensor([]) }
    #expect(output(copy, config) == moved, "saved and loaded it gives the same")
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try AdapterFolder.write(
      adapted, .adapter(description),
      base: AdapterBase(name: nil, taskType: "CAUSAL_LM", tokenSize: 16, depth: 2, headCount: 2), into: folder
    )
    let fresh = makeText(config)
    try AdapterFolder(folder).apply(to: fresh, targets)
    let through = output(fresh, config)
    for (a, b) in zip(through, moved) { #expect(abs(a - b) < 1e-4, "through a PEFT folder") }

    let base = Dictionary(
      uniqueKeysWithValues: adaptedLayers(in: adapted).map { ($0.path, $0.layer.base.$weight.value.array) })
    let merged = MergedAdapters(adapted)
    #expect(merged.paths.isEmpty == (name == "prefix"))
    for (a, b) in zip(output(adapted, config), moved) { #expect(abs(a - b) < 1e-4, "merged") }
    merged.undo(in: adapted)
    #expect(output(adapted, config) == moved, "unmerged to the bit")
    for (path, layer) in adaptedLayers(in: adapted) { #expect(base[path] == layer.base.$weight.value.array) }
  }

  @Test func severalAdaptersShareALayer() throws {
    let config = smallTextTowers[0]
    let tower = makeText(config)
    let targets = tower.names.adapterTargets
    _ = try LoRAConfig(rank: 2, start: .random).apply(to: tower, AdapterPlace(targets, name: "first"))
    _ = try IA3Config().apply(to: tower, AdapterPlace(targets, name: "second"))
    tower.seed(RandomKey(seed: 2))
    let keys = Set(tower.cells().map(\.path))
    #expect(keys.contains("transformer.h.0.attn.c_attn.lora_A.first.weight"))
    #expect(keys.contains("transformer.h.0.attn.c_attn.ia3_l.second"))
    #expect(keys.contains("transformer.h.0.attn.c_attn.base_layer.weight"))
    let trained = tower.parameters.filter(\.cell.isTrainable).map(\.path)
    #expect(trained.allSatisfy { $0.contains("second") }, "the newest is trained, the older ones rest")
    #expect(throws: AdapterError.self) {
      try LoRAConfig(rank: 2).apply(to: tower, AdapterPlace(targets, name: "first"))
    }
    for named in tower.parameters where named.path.contains("ia3_l") {
      named.cell.value = Tensor(named.cell.shape, repeating: 1.5)
    }
    let both = output(tower, config)
    _ = MergedAdapters(tower)
    for (a, b) in zip(output(tower, config), both) { #expect(abs(a - b) < 1e-4) }
  }

  @Test func aMisspeltTargetNamesItsNeighbors() {
    let host = makeText(smallTextTowers[0])
    let place = AdapterPlace(host.names.adapterTargets)
    let error = #expect(throws: AdapterError.self) {
      try LoRAConfig(targetModules: ["c_atn"]).apply(to: host, place)
    }
    #expect(error?.description.contains("c_attn") == true && error?.exitStatus == .badData)
    #expect(throws: AdapterError.self) { try LoRAConfig(rank: 17).apply(to: host, place) }
    #expect(throws: AdapterError.self) { try AdapterCatalog.named("lorra") }
  }

  @Test func weightsThatCannotBeDecomposedAreNamed() {
    let host = makeText(smallTextTowers[0])
    for named in host.parameters where named.path == "transformer.h.1.attn.c_attn.weight" {
      named.cell.value = Tensor(named.cell.shape, repeating: .nan)
    }
    let error = #expect(throws: AdapterError.self) {
      try LoRAConfig(start: .pissa(iterations: nil)).apply(to: host, AdapterPlace(host.names.adapterTargets))
    }
    #expect(error?.description.contains("h.1.attn.c_attn") == true && error?.exitStatus == .badData)
  }

  @Test func promptVectorsStartFromWords() throws {
    let host = makeText(smallTextTowers[0])
    try PromptTuningConfig(virtualTokenCount: 5).apply(to: host, startingFrom: [7, 8])
    let table = host.tokenTable.array
    let rows = host.virtualTokens?.weight.array ?? []
    for (row, token) in [7, 8, 7, 8, 7].enumerated() {
      #expect(Array(rows[row * 16..<row * 16 + 16]) == Array(table[token * 16..<token * 16 + 16]))
    }
    #expect(
      host.parameters.filter(\.cell.isTrainable).map(\.path) == ["prompt_encoder.default.embedding.weight"])
  }

  /// PEFT's own allocation on the same values and gradients.
  @Test func rankAllocationZeroesWhatPeftZeroes() throws {
    let file = try SafeTensorsFile(
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/adalora/adalora.safetensors").path)
    let tower = makeText(smallTextTowers[0])
    var config = AdaLoRAConfig()
    (config.initialRank, config.targetRank, config.warmupSteps, config.finalSteps) = (6, 2, 2, 4)
    config.interval = 3
    _ = try config.apply(to: tower, AdapterPlace(tower.names.adapterTargets))
    let trained = tower.parameters.filter(\.cell.isTrainable)
    for named in trained { named.cell.value = try file.tensor("start." + named.path).copied() }
    let allocator = RankAllocator(tower, config, totalSteps: 12)
    let term = try #require(allocator.regularization?.item)
    #expect(abs(term - (try file.tensor("regularization").item)) < 1e-5)
    for step in 0..<12 {
      // The gradient of Σ w·g is g.
      var loss = Tensor([], [0])
      for named in trained {
        let gradient = try file.tensor("grad\(step).\(named.path)")
        let row = named.cell.value.tracked(by: named.cell.leaf).reshaped([1, gradient.count])
        loss = loss + linear(row, gradient.reshaped([1, gradient.count]), nil).reshaped([])
      }
      let gradients = loss.gradients()
      for named in trained {
        let moved = withoutGradients {
          named.cell.value + (gradients[named.cell.leaf] ?? Tensor(named.cell.shape)) * -0.01
        }
        named.cell.value = moved
      }
      allocator.update(step: step, gradients)
      for named in trained where named.path.contains("lora_E") {
        let expected = try file.tensor("after\(step).\(named.path)").array
        for (a, b) in zip(named.cell.value.array, expected) {
          #expect((a == 0) == (b == 0) && abs(a - b) < 1e-5, "step \(step), \(named.path)")
        }
      }
    }
  }

  @Test func rankAllocationFollowsTheCubicBudget() throws {
    let tower = makeText(smallTextTowers[0])
    var config = AdaLoRAConfig()
    (config.initialRank, config.targetRank, config.warmupSteps, config.finalSteps) = (6, 2, 2, 4)
    _ = try config.apply(to: tower, AdapterPlace(tower.names.adapterTargets))
    tower.seed(RandomKey(seed: 1))
    let allocator = RankAllocator(tower, config, totalSteps: 12)
    #expect((0..<12).map { allocator.budget(at: $0).rank } == [12, 12, 12, 8, 6, 5, 4, 4, 4, 4, 4, 4])
    for step in 0..<12 {
      let batch = textBatch(tower, smallTextTowers[0])
      let features = tower(batch, ForwardContext(isTraining: true, key: RandomKey(seed: UInt64(step))))
      let loss = linear(features.reshaped([1, 32]), Tensor([1, 32], repeating: 1), nil).reshaped([])
      allocator.update(step: step, loss.gradients())
    }
    let kept = tower.parameters.filter { $0.path.contains("lora_E") }.flatMap(\.cell.value.array)
    #expect(kept.count == 12 && kept.count { $0 != 0 } == 4)
    #expect((allocator.regularization?.item ?? 0) > 0)
  }

  private func temporaryFolder() -> String {
    NSTemporaryDirectory() + "cleft-adapter-\(UUID().uuidString)"
  }
}
