import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation
import Testing

@Suite struct PositionInterpolationTests {
  /// Columns of value = row index, as PyTorch interpolates them.
  @Test func equalsPyTorch() {
    func resampled(_ antialias: Bool) -> [Double] {
      PositionInterpolation.axisWeights(from: 37, to: 16, antialias: antialias).map { row in
        row.enumerated().reduce(0) { $0 + $1.element * Double($1.offset) }
      }
    }
    let register = [0.70843, 2.91932, 5.28336, 7.59270, 9.90493, 12.22106, 14.53084, 16.84176, 19.15824]
    // PyTorch computed the vectors in float32, at values up to 36.
    for (a, b) in zip(resampled(true), register) { #expect(abs(a - b) < 2e-5) }
    let plain = [
      0.55516, 2.92484, 5.29249, 7.53269, 9.79608, 12.18306, 14.45318, 16.69017, 19.04953, 21.36951, 23.60005,
      25.90014,
      28.27463, 30.51865, 32.77594, 35.17113,
    ]
    for (a, b) in zip(resampled(false), plain) { #expect(abs(a - b) < 2e-5) }
  }
}

@Suite struct TextBatchTests {
  private func batch(_ captions: [[Int]], _ pooled: PooledToken, virtual: Int = 0, dedup: Bool = false)
    -> TextBatch
  {
    TextBatch(
      captions: captions, length: 4, paddingID: 9, pooledToken: pooled, virtualCount: virtual,
      deduplicates: dedup)
  }

  @Test func theSlotBehindTheLastWordIsPooledAndSeesOnlyWords() {
    let packed = batch([[1, 2], [3]], .firstPad)
    #expect(packed.rows.map(\.index) == [1, 2, 9, 3, 9])
    #expect(packed.rows.map(\.position) == [0, 1, 2, 0, 1])
    #expect(packed.layout.keyCounts == [2, 1])
    #expect(packed.pooledRows == [2, 4])
  }

  @Test func aFullCaptionHasNoSlot() {
    let full = [[1, 2, 3, 4, 5]]
    #expect(batch(full, .firstPad).pooledRows == [0])
    #expect(batch(full, .firstPad).rows.count == 1, "rows behind the pooled one are never computed")
    #expect(batch(full, .endOfText).pooledRows == [3])
    #expect(batch([[1, 2]], .lastWord).pooledRows == [1])
    #expect(batch(full, .firstPad, virtual: 2).rows == [EmbeddingRow(index: 0, position: 0, isVirtual: true)])
  }

  @Test func equalCaptionsAreComputedOnce() {
    let packed = batch([[1, 2], [3], [1, 2]], .firstPad, dedup: true)
    #expect(packed.layout.count == 2)
    #expect(packed.pooledRows == [2, 4, 2])
  }
}

/// Where adapters go in a pair's text tower.
private func place(_ model: DualEncoder) -> AdapterPlace {
  AdapterPlace(model.text.model.names.adapterTargets)
}

@Suite struct DualEncoderTests {
  static let config = DualEncoderConfig(
    vision: VisionTransformerConfig(
      hiddenSize: 16, depth: 2, headCount: 2, patchSize: 2, positionGrid: 3, imageSizePixels: 8),
    text: GPTConfig(vocabularySize: 40, positionCount: 24, hiddenSize: 16, depth: 2, headCount: 2),
    embeddingSize: 8, captionLength: 12)

  private func make(_ head: DualEncoderConfig.Head = .linear) -> DualEncoder {
    var config = Self.config
    config.head = head
    let model = DualEncoder(config)
    model.seed(RandomKey(seed: 1))
    return model
  }

  private func features(
    _ model: DualEncoder, _ context: ForwardContext = .evaluation, recompute: Bool = false
  ) -> (Tensor, Gradients) {
    let images = Tensor([2, 3, 8, 8], (0..<384).map { Float($0 % 7) / 7 - 0.4 })
    model.image.model.recomputesBlocks = recompute
    model.text.model.recomputesBlocks = recompute
    let result = contrastiveLoss(
      images: model.image(images, context),
      texts: model.text(model.textBatch([[1, 2, 3], [4, 5]]), context),
      logitScale: model.logitScale)
    return (result.logits, result.loss.gradients())
  }

  @Test func keysAreThePublishedOnes() {
    let keys = Set(make(.mlp).cells().map(\.path))
    for key in [
      "logit_scale", "img_encoder_q.model.blocks.1.attn.qkv.weight", "img_encoder_q.model.register_tokens",
      "img_encoder_q.model.blocks.0.ls1.gamma", "img_encoder_q.global_embed.head.1.running_mean",
      "text_encoder_q.model.transformer.h.0.attn.c_attn.weight",
      "text_encoder_q.model.transformer.wte.weight",
      "text_encoder_q.global_embed.head.4.running_var",
    ] { #expect(keys.contains(key), "\(key)") }
  }

  @Test func publishedSizesHaveTheirParameterCountsWithoutBeingAllocated() {
    var config = ModelCatalog.pairs["paper"] ?? Self.config
    config.head = .linear
    let model = DualEncoder(config)
    func count(_ module: any Module) -> Int { module.parameters.reduce(0) { $0 + $1.cell.shape.count } }
    #expect(count(model.image.model) == 86_583_552)
    #expect(count(model.text.model) == 2_594_247_680)
    let lora = LoRAConfig()
    #expect(throws: Never.self) {
      try lora.apply(to: model.text.model, place(model))
    }
    let trained = model.parameters.filter(\.cell.isTrainable).reduce(0) { $0 + $1.cell.shape.count }
    // The published count holds the unused local heads too.
    #expect(trained == 99_836_161 - 2_628_096 - 6_298_112)
    #expect(model.parameters.allSatisfy { !$0.cell.isMaterialized })
    for (name, expected) in [
      ("dinov2_vits14", 22_056_576), ("dinov2_vitb14", 86_580_480), ("dinov2_vitl14_reg", 304_372_736),
      ("dinov2_vitg14", 1_136_480_768), ("dinov2_vitg14_reg", 1_136_486_912),
    ] {
      #expect(ModelCatalog.imageTowers[name].map { count($0.config.makeTower()) } == expected)
    }
  }

  @Test func recomputationChangesNoBit() throws {
    let context = ForwardContext(isTraining: true, key: RandomKey(seed: 5))
    let model = make()
    _ = try LoRAConfig().apply(to: model.text.model, place(model))
    model.seed(RandomKey(seed: 2))
    let (plainLogits, plain) = features(model, context)
    let (againLogits, again) = features(model, context, recompute: true)
    #expect(plainLogits.array == againLogits.array)
    var compared = 0
    for named in model.parameters where named.cell.isTrainable {
      #expect(plain[named.cell.leaf]?.array == again[named.cell.leaf]?.array, "\(named.path)")
      if plain[named.cell.leaf] != nil { compared += 1 }
    }
    #expect(compared > 30)
  }

  @Test func dropoutCountsInTrainingOnly() {
    let model = make()
    let evaluation = features(model).0.array
    #expect(evaluation == features(model).0.array)
    func training(_ seed: UInt64) -> [Float] {
      features(model, ForwardContext(isTraining: true, key: RandomKey(seed: seed))).0.array
    }
    #expect(training(1) == training(1))
    #expect(training(1) != training(2))
    #expect(training(1) != evaluation)
  }

  @Test func loadingIsStrictAndNamesTheKey() {
    let model = make()
    var shapes = Dictionary(uniqueKeysWithValues: model.cells().map { ($0.path, $0.cell.shape) })
    func failure() -> String? {
      let error = #expect(throws: StateDictError.self) {
        try model.load(from: "file", keys: shapes) { Tensor(shapes[$0] ?? []) }
      }
      return error?.description
    }
    shapes["img_encoder_q.model.norm.wieght"] = shapes.removeValue(forKey: "img_encoder_q.model.norm.weight")
    #expect(failure()?.contains("img_encoder_q.model.norm.wieght") == true, "the near miss is offered")
    shapes["img_encoder_q.model.norm.weight"] = [16]
    #expect(failure()?.contains("does not have") == true)
    shapes["img_encoder_q.model.norm.wieght"] = nil
    shapes["img_encoder_q.model.norm.weight"] = [17]
    #expect(failure()?.contains("found: ") == false)
    #expect(failure()?.contains("shape 17; expected shape 16") == true)
  }

  @Test func peftKeysOfBothAgesAreUnderstood() throws {
    let model = make()
    _ = try LoRAConfig().apply(to: model.text.model, place(model))
    let keys = Set(model.cells().map(\.path))
    let base = "text_encoder_q.model.transformer.h.0.attn.c_attn.base_layer.weight"
    #expect(keys.contains(base))
    let published = [
      "text_encoder_q.model.base_model.model.transformer.h.0.attn.c_attn.weight",
      "text_encoder_q.model.base_model.model.transformer.h.0.attn.c_attn.base_layer.weight",
      "text_encoder_q.model.base_model.base_model.model.transformer.h.0.attn.c_attn.base_layer.weight",
    ]
    for key in published { #expect(KeyMap.translate([key], modelKeys: keys).sources == [base: key]) }
    let ignored = KeyMap.translate(["img_encoder_q.local_embed.head.0.weight"], modelKeys: keys)
    #expect(ignored.sources.isEmpty && ignored.ignored.count == 1)
  }
}

@Suite struct LayerBatteryTests {
  @Test func catalogueIsWhole() { #expect(LayerCatalog.all.count >= 5) }

  @Test(arguments: LayerCatalog.all.map(\.name))
  func everyLayer(_ name: String) throws {
    let entry = try #require(LayerCatalog.all.first { $0.name == name })
    let x = Tensor(entry.input, (0..<entry.input.count).map { Float(($0 * 37) % 11) / 11 })
    func layer(_ seed: UInt64) -> any UnaryLayer {
      let layer = entry.make()
      layer.seed(RandomKey(seed: seed))
      return layer
    }
    let first = layer(1)
    let output = first(x, .evaluation).array
    let second = layer(1)
    let repeated = second(x, .evaluation).array
    #expect(output == repeated, "deterministic under a fixed key")
    let copy = layer(2)
    let values = Dictionary(uniqueKeysWithValues: first.cells().map { ($0.path, $0.cell.value) })
    try copy.load(from: "test", keys: values.mapValues(\.shape)) { values[$0] ?? Tensor([]) }
    let copied = copy(x, .evaluation).array
    #expect(copied == output, "state-dict round trip")
    #expect(throws: StateDictError.self) { try copy.load(from: "test", keys: [:]) { _ in Tensor([]) } }
    let training = first(x, ForwardContext(isTraining: true, key: RandomKey(seed: 1))).array
    #expect(
      (training == output) != entry.dependsOnMode, "training differs from evaluation only where it should")
  }
}
