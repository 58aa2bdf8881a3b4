import CleftModels
import CleftNN
import CleftTensor
import Testing

/// What lies behind an image's vector.
@Suite struct InspectionTests {
  private func images(_ count: Int, _ side: Int) -> Tensor {
    Initializer.uniform(bound: 1).makeTensor([count, 3, side, side], key: RandomKey(seed: 5))
  }

  private func expectClose(_ a: Tensor, _ b: Tensor, _ tolerance: Float) {
    #expect(a.shape == b.shape)
    for (x, y) in zip(a.array, b.array) { #expect(abs(x - y) <= tolerance) }
  }

  private func vision(_ output: VisionTransformerConfig.Output) -> VisionTransformerConfig {
    VisionTransformerConfig(
      hiddenSize: 32, depth: 2, headCount: 2, output: output, positionGrid: 2, imageSizePixels: 28,
      initializerRange: 0.1)
  }

  /// The vector is the one that the tower gives anyway, and the mean of the tokens where it says so.
  @Test(
    arguments: [VisionTransformerConfig.Output.tokens, .normalizedTokens, .patchMean], ImagePooling.allCases)
  func tokensMakeTheVector(_ output: VisionTransformerConfig.Output, _ pooling: ImagePooling) throws {
    let tower = VisionTransformer(vision(output))
    tower.seed(RandomKey(seed: 3))
    let pictures = images(2, 28)
    let seen = try #require(tower.inspect(pictures, pooling: pooling, .evaluation))
    #expect(seen.tokenCount == 9 && seen.patches == 5..<9)
    #expect((seen.rows, seen.columns) == (2, 2))
    expectClose(seen.feature, tower.feature(pictures, pooling: pooling, .evaluation), 0)
    #expect(seen.isMean == (output != .patchMean))
    guard seen.isMean else { return }
    let rows = (0..<2).flatMap { image in seen.pooled.map { image * 9 + $0 } }
    expectClose(meanOverSequences(gatherRows(seen.tokens, rows), count: 2), seen.feature, 1e-6)
  }

  @Test func aMaskedAutoencoderIsInspectedBehindItsDecoder() throws {
    let tower = MaskedAutoencoderTower(
      MaskedAutoencoderConfig(
        encoderSize: 16, depth: 2, headCount: 2, decoderSize: 24, decoderHeadCount: 3, patchSize: 4,
        imageSizePixels: 12))
    tower.seed(RandomKey(seed: 3))
    let pictures = images(2, 12)
    let seen = try #require(tower.inspect(pictures, pooling: .mean, .evaluation))
    #expect((seen.rows, seen.columns, seen.tokenCount) == (3, 3, 10))
    expectClose(seen.feature, tower.feature(pictures, pooling: .mean, .evaluation), 0)
  }

  @Test func towersWithoutATokenAPlaceSayNothing() {
    let tower = ResNet(ResNetConfig(stageDepths: [1, 1, 1, 1], width: 4, imageSizePixels: 36))
    tower.seed(RandomKey(seed: 3))
    let seen = tower.inspect(images(1, 36), pooling: .cls, .evaluation)
    #expect(seen == nil)
  }

  /// Probabilities made again give what the attention gave.
  @Test func watchedProbabilitiesAreTheAttentionsOwn() throws {
    let (batch, length, width) = (2, 5, 8)
    let packed = Tensor.normal([batch * length, 3 * width], deviation: 1, key: RandomKey(seed: 9))
    let options = AttentionOptions(headCount: 2, scale: 0.5)
    let attended = attention(packed, .uniform(count: batch, length: length), options)
    let taps = Taps(watchesAttention: true)
    expectClose(taps.watch(packed, attended, options), attended, 0)
    let watched = try #require(taps.attention.first)
    let (values, expected) = (packed.array, attended.array)
    for image in 0..<batch {
      for (head, shares) in watched.probabilities(image: image, of: batch).enumerated() {
        let shares = shares.array
        for row in 0..<length {
          let line = shares[row * length..<(row + 1) * length]
          #expect(abs(line.reduce(0, +) - 1) < 1e-6)
          for channel in 0..<4 {
            var sum: Float = 0
            for (key, share) in line.enumerated() {
              sum += share * values[(image * length + key) * 24 + 16 + head * 4 + channel]
            }
            #expect(abs(sum - expected[(image * length + row) * 8 + head * 4 + channel]) < 1e-5)
          }
        }
      }
    }
  }

  /// Nobody watches unless asked, so that a pass records no leaf.
  @Test func tapsWatchNothingByThemselves() throws {
    let tower = VisionTransformer(vision(.tokens))
    tower.seed(RandomKey(seed: 3))
    var context = ForwardContext.evaluation
    let taps = Taps()
    context.taps = taps
    _ = withoutGradients { tower.feature(images(1, 28), pooling: .mean, context) }
    #expect(taps.attention.isEmpty && taps.tensors["vit_prenorm_tokens"] != nil)
  }
}
