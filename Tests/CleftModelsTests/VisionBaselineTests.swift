import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation
import Testing

@Suite struct VisionBaselineTests {
  /// One architecture with the tiny size of its fixture and the published size.
  struct Baseline: Sendable, CustomStringConvertible {
    let name: String
    let tiny: any ImageTowerConfig
    let published: any ImageTowerConfig
    /// Trained numbers of the published size, buffers left out.
    let parameterCount: Int
    let keys: [String]
    var description: String { name }
  }

  private static let tinySwin = SwinConfig(
    embeddingSize: 8, stageDepths: [2, 2], stageHeadCounts: [2, 4], windowSize: 4, patchSize: 2, dropPath: 0,
    imageSizePixels: 16)
  private static let tinyAutoencoder = MaskedAutoencoderConfig(
    encoderSize: 16, depth: 2, headCount: 2, decoderSize: 24, decoderHeadCount: 3, patchSize: 4,
    imageSizePixels: 12)

  private static let baselines = [
    Baseline(
      name: "resnet", tiny: ResNetConfig(stageDepths: [2, 1, 1, 1], width: 4, imageSizePixels: 36),
      published: ResNetConfig(), parameterCount: 23_508_032,
      keys: [
        "conv1.weight", "bn1.running_mean", "bn1.num_batches_tracked", "layer1.0.conv1.weight",
        "layer1.0.downsample.0.weight", "layer1.0.downsample.1.running_var", "layer3.5.bn3.bias",
        "layer4.2.conv3.weight",
      ]),
    Baseline(
      name: "swin", tiny: tinySwin, published: SwinConfig(), parameterCount: 27_519_354,
      keys: [
        "embeddings.patch_embeddings.projection.weight", "embeddings.norm.weight",
        "encoder.layers.0.blocks.0.attention.self.query.weight",
        "encoder.layers.2.blocks.5.attention.self.relative_position_bias_table",
        "encoder.layers.0.blocks.0.attention.output.dense.bias",
        "encoder.layers.0.blocks.1.intermediate.dense.weight", "encoder.layers.2.downsample.reduction.weight",
        "encoder.layers.3.blocks.1.output.dense.weight", "layernorm.weight",
      ]),
    Baseline(
      name: "mae", tiny: tinyAutoencoder, published: MaskedAutoencoderConfig(),
      // ViT-B/16 without its fixed positions, affine map, two blocks, norm, mask token.
      parameterCount: 85_798_656 - 197 * 768 + 590_592 + 2 * 7_087_872 + 1_536 + 768,
      keys: [
        "cls_token", "pos_embed", "mask_token", "decoder_pos_embed", "patch_embed.proj.weight",
        "blocks.11.attn.qkv.weight", "norm.weight", "decoder_embed.weight",
        "decoder_blocks_feature.1.mlp.fc2.bias", "decoder_norm_feat.weight",
      ]),
  ]

  private static func fixture(_ name: String) throws -> SafeTensorsFile {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try SafeTensorsFile(tests.appendingPathComponent("Fixtures/towers/\(name).safetensors").path)
  }

  /// The tiny tower with the fixture's weights.
  private func make(_ baseline: Baseline, _ file: SafeTensorsFile) throws -> any ImageTower {
    let tower = baseline.tiny.makeTower()
    let prefix = "weights/"
    var keys: [String: Shape] = [:]
    for (key, entry) in file.entries where key.hasPrefix(prefix) {
      keys[String(key.dropFirst(prefix.count))] = entry.shape
    }
    try tower.load(from: file.path, keys: keys) { try file.tensor(prefix + $0) }
    return tower
  }

  /// Relative to the largest magnitude.
  private func expectEqual(
    _ found: Tensor?, _ expected: Tensor, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard let found else {
      Issue.record("\(name) is missing", sourceLocation: sourceLocation)
      return
    }
    #expect(found.shape == expected.shape, "\(name)", sourceLocation: sourceLocation)
    let largest = expected.array.map(\.magnitude).max() ?? 0
    let error = zip(found.array, expected.array).map { ($0 - $1).magnitude }.max() ?? 0
    #expect(error <= 1e-4 * largest, "\(name): off by \(error) of \(largest)", sourceLocation: sourceLocation)
  }

  private func training(_ tower: any ImageTower, _ file: SafeTensorsFile) throws -> (Tensor, Gradients) {
    let context = ForwardContext(isTraining: true, key: RandomKey(seed: 1))
    let feature = try tower.feature(file.tensor("images"), pooling: .mean, context)
    let weights = try file.tensor("loss_weights")
    let loss = matmul(
      feature.reshaped([1, feature.count]), weights.reshaped([1, weights.count]), transposingB: true)
    return (feature.detached, loss.gradients())
  }

  @Test(arguments: baselines)
  func equalsPyTorch(_ baseline: Baseline) throws {
    let file = try Self.fixture(baseline.name)
    let tower = try make(baseline, file)
    let images = try file.tensor("images")
    expectEqual(
      tower.feature(images, pooling: .cls, .evaluation), try file.tensor("eval/feature"), "evaluation")
    #expect(tower.hiddenSize == baseline.tiny.hiddenSize)

    let (feature, gradients) = try training(tower, file)
    expectEqual(feature, try file.tensor("train/feature"), "training")
    var compared = 0
    for named in tower.cells() {
      if file.entries["gradients/" + named.path] != nil {
        expectEqual(gradients[named.cell.leaf], try file.tensor("gradients/" + named.path), named.path)
        compared += 1
      }
      if file.entries["after/" + named.path] != nil {
        expectEqual(named.cell.value, try file.tensor("after/" + named.path), named.path)
      }
    }
    #expect(compared >= 7)
  }

  @Test(arguments: baselines)
  func recomputingChangesNothing(_ baseline: Baseline) throws {
    let file = try Self.fixture(baseline.name)
    let (plain, saving) = (try make(baseline, file), try make(baseline, file))
    saving.recomputesBlocks = true
    let (first, second) = (try training(plain, file), try training(saving, file))
    #expect(first.0.array == second.0.array)
    for (a, b) in zip(plain.cells(), saving.cells()) {
      #expect(first.1[a.cell.leaf]?.array == second.1[b.cell.leaf]?.array, "\(a.path)")
      #expect(a.cell.value.array == b.cell.value.array, "\(a.path) after the pass")
    }
  }

  @Test(arguments: baselines)
  func publishedSizes(_ baseline: Baseline) {
    let tower = baseline.published.makeTower()
    #expect(tower.parameters.reduce(0) { $0 + $1.cell.shape.count } == baseline.parameterCount)
    let paths = Set(tower.cells().map(\.path))
    for key in baseline.keys { #expect(paths.contains(key), "\(key)") }
    #expect(baseline.published.contradiction == nil)
    #expect(!baseline.published.hasTokens)
  }

  @Test func missingSettingsAreThePublishedOnes() throws {
    let empty = Data("{}".utf8)
    #expect(try JSONDecoder().decode(ResNetConfig.self, from: empty) == ResNetConfig())
    #expect(try JSONDecoder().decode(SwinConfig.self, from: empty) == SwinConfig())
    #expect(
      try JSONDecoder().decode(MaskedAutoencoderConfig.self, from: empty) == MaskedAutoencoderConfig())
    let written = try JSONEncoder().encode(Self.tinySwin)
    #expect(try JSONDecoder().decode(SwinConfig.self, from: written) == Self.tinySwin)
  }

  @Test func impossibleNumbersAreNamed() {
    #expect(ResNetConfig(stageDepths: [1, 2]).contradiction?.contains("expected 4") == true)
    #expect(SwinConfig(imageSizePixels: 256).contradiction?.contains("multiple of the window") == true)
    #expect(SwinConfig(stageHeadCounts: [3, 6, 12]).contradiction?.contains("as many of each") == true)
    #expect(MaskedAutoencoderConfig(decoderHeadCount: 5).contradiction?.contains("divisor") == true)
    #expect(MaskedAutoencoderConfig(maskedFraction: 1).contradiction?.contains("mask ratio") == true)
  }
}

@Suite struct SwinDropPathTests {
  @Test func published() {
    let config = SwinConfig(
      embeddingSize: 8, stageDepths: [2, 2], stageHeadCounts: [2, 4], windowSize: 4, patchSize: 2,
      dropPath: 0.5, imageSizePixels: 16)
    let tower = SwinTransformer(config)
    tower.seed(RandomKey(seed: 3))
    let images = Tensor([2, 3, 16, 16], (0..<1536).map { Float($0 % 11) / 11 - 0.5 })
    func feature(_ seed: UInt64, training: Bool) -> [Float] {
      let context = ForwardContext(isTraining: training, key: RandomKey(seed: seed))
      return tower.feature(images, pooling: .mean, context).array
    }
    #expect(feature(1, training: true) == feature(1, training: true))
    #expect(feature(1, training: true) != feature(2, training: true))
    #expect(feature(1, training: false) == feature(2, training: false))
  }
}

@Suite struct MaskedAutoencoderTests {
  private func make(_ fraction: Float, masksInEvaluation: Bool = false) -> MaskedAutoencoderTower {
    let tower = MaskedAutoencoderTower(
      MaskedAutoencoderConfig(
        encoderSize: 16, depth: 1, headCount: 2, decoderSize: 16, decoderHeadCount: 2, patchSize: 4,
        maskedFraction: fraction, masksInEvaluation: masksInEvaluation, imageSizePixels: 16))
    tower.seed(RandomKey(seed: 3))
    return tower
  }
  private let images = Tensor([2, 3, 16, 16], (0..<1536).map { Float($0 % 13) / 13 - 0.5 })

  @Test func hiddenPatchesAreDrawnByKey() {
    let (all, some) = (make(0), make(0.5))
    let training = ForwardContext(isTraining: true, key: RandomKey(seed: 5))
    let other = ForwardContext(isTraining: true, key: RandomKey(seed: 6))
    func feature(_ tower: MaskedAutoencoderTower, _ context: ForwardContext) -> [Float] {
      tower.feature(images, pooling: .mean, context).array
    }
    #expect(feature(all, .evaluation) == feature(some, .evaluation))
    #expect(feature(some, training) != feature(all, training))
    #expect(feature(some, training) == feature(some, training))
    #expect(feature(some, training) != feature(some, other))
    #expect(feature(make(0.5, masksInEvaluation: true), .evaluation) != feature(all, .evaluation))
  }

  @Test func theMaskTokenIsTrainedWherePatchesAreHidden() {
    for (fraction, isTrained) in [(Float(0), false), (0.5, true)] {
      let tower = make(fraction)
      let feature = tower.feature(
        images, pooling: .mean, ForwardContext(isTraining: true, key: RandomKey(seed: 5)))
      let weights = Tensor([1, feature.count], (0..<feature.count).map { Float($0 % 5) - 1.5 })
      let gradients = matmul(feature.reshaped([1, feature.count]), weights, transposingB: true).gradients()
      for named in tower.parameters {
        let wanted = named.path != "mask_token" || isTrained
        #expect((gradients[named.cell.leaf] != nil) == wanted, "\(named.path)")
      }
    }
  }

  @Test func fixedPositionsArePublished() {
    func row(_ config: MaskedAutoencoderConfig, _ index: Int) -> [Float] {
      let tower = MaskedAutoencoderTower(config)
      let table = tower.cells().first { $0.path == "decoder_pos_embed" }?.cell.value.array ?? []
      return Array(table.dropFirst(index * 8).prefix(8))
    }
    var config = MaskedAutoencoderConfig(
      encoderSize: 8, depth: 1, headCount: 1, decoderSize: 8, decoderHeadCount: 1, patchSize: 4,
      imageSizePixels: 8)
    // Row 2 is the patch at column 1, row 0: frequencies 1 and 10000^(-1/8).
    let slow: Float = 0.316_227_77
    let expected: [Float] = [sin(Float(1)), sin(slow), cos(Float(1)), cos(slow), 0, 0, 1, 1]
    #expect(row(config, 0) == [Float](repeating: 0, count: 8))
    for (a, b) in zip(row(config, 2), expected) { #expect(abs(a - b) < 1e-6) }
    config.usesPublishedFrequencies = false
    #expect(abs(row(config, 2)[1] - sin(Float(0.01))) < 1e-6)
  }
}
