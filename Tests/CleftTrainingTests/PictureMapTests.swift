import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Testing

/// Maps of where a pair of towers sees a prompt.
@Suite struct PictureMapTests {
  private static var image: Tensor {
    Initializer.uniform(bound: 1).makeTensor([1, 3, 28, 28], key: RandomKey(seed: 5))
  }

  private func encoder(
    head: DualEncoderConfig.Head = .linear, pooling: ImagePooling = .mean,
    vision: (any ImageTowerConfig)? = nil
  ) -> DualEncoder {
    let usual = VisionTransformerConfig(
      hiddenSize: 32, depth: 2, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.1)
    let config = DualEncoderConfig(
      vision: vision ?? usual,
      text: GPTConfig(
        vocabularySize: 512, positionCount: 64, hiddenSize: 32, depth: 1, headCount: 2, dropout: 0,
        initializerRange: 0.1),
      embeddingSize: 16, head: head, pooling: pooling, captionLength: 24)
    let encoder = DualEncoder(config)
    encoder.seed(RandomKey(seed: 3))
    return encoder
  }

  private func texts(_ count: Int, seed: UInt64 = 7) -> Tensor {
    normalizeRows(Tensor.normal([count, 16], deviation: 1, key: RandomKey(seed: seed)))
  }

  private func products(_ a: Tensor, _ b: Tensor) -> [Float] { matmul(a, b, transposingB: true).array }

  // MARK: - Similarity

  /// With the mean of the tokens and a linear projection, the parts add up to the cosine.
  @Test func similarityTakesTheCosineApart() throws {
    let (encoder, text) = (encoder(), texts(1))
    let map = try PictureMaps(encoder: encoder, texts: text).maps(Self.image, method: .similarity)[0]
    let seen = try #require(encoder.image.inspect(Self.image, .evaluation))
    let length = Float(encoder.image.projection(seen.feature, .evaluation).sumOfSquares.squareRoot())
    let parts = products(encoder.image.projection(seen.tokens, .evaluation), text).map { $0 / length }
    let cosine = products(encoder.image(Self.image, .evaluation), text)[0]
    #expect(abs(parts.reduce(0, +) / Float(parts.count) - cosine) < 1e-5)
    #expect((map.rows, map.columns) == (2, 2))
    for (value, part) in zip(map.values, parts[seen.patches]) { #expect(abs(value - part) < 1e-5) }
  }

  /// Several prompts are held against each other: their maps cancel out.
  @Test func similarityComparesPrompts() throws {
    let encoder = encoder()
    let maps = try PictureMaps(encoder: encoder, texts: texts(3)).maps(Self.image, method: .similarity)
    for place in 0..<4 {
      let sum = maps.reduce(Float(0)) { $0 + $1.values[place] }
      #expect(abs(sum) < 1e-5)
    }
    #expect(maps[0].values != maps[1].values)
  }

  @Test func aNegativeIsSubtracted() throws {
    let (encoder, texts, negatives) = (encoder(), texts(2), texts(2, seed: 8))
    func maps(_ texts: Tensor, _ negatives: Tensor? = nil) throws -> [PictureMap] {
      try PictureMaps(encoder: encoder, texts: texts, negatives: negatives).maps(
        Self.image, method: .similarity)
    }
    let both = try maps(texts, negatives)
    for prompt in 0..<2 {
      let one = try maps(texts.rowView(prompt..<prompt + 1))[0].values
      let other = try maps(negatives.rowView(prompt..<prompt + 1))[0].values
      for place in 0..<4 { #expect(abs(both[prompt].values[place] - (one[place] - other[place])) < 1e-5) }
    }
  }

  /// A picture that is as usual in every place has nothing to show.
  @Test func aPictureHeldAgainstItselfIsEmpty() throws {
    let encoder = encoder()
    let reference = PictureReference(encoder: encoder, count: 1) { _ in Self.image }
    let maps = PictureMaps(encoder: encoder, texts: texts(2), reference: reference)
    for method in [MapMethod.similarity, .occlusion] {
      let values = try maps.maps(Self.image, method: method).flatMap(\.values)
      #expect(values.allSatisfy { abs($0) < 1e-4 })
      let plain = try PictureMaps(encoder: encoder, texts: texts(2)).maps(Self.image, method: method)
      #expect(plain.contains { $0.values.contains { abs($0) > 1e-3 } })
    }
  }

  @Test func theReferenceIsTheMeanOfItsPictures() throws {
    let encoder = encoder()
    let other = Self.image * -0.5
    let pictures = stackedRows([Self.image, other, Self.image])
    func map(_ batchSize: Int) throws -> [Float] {
      let reference = PictureReference(encoder: encoder, count: 3, batchSize: batchSize) {
        pictures.rowView($0)
      }
      #expect(reference.count == 3)
      return try PictureMaps(encoder: encoder, texts: texts(1), reference: reference).maps(
        Self.image, method: .similarity)[0].values
    }
    let seen = try #require(encoder.image.inspect(stackedRows([Self.image, other]), .evaluation))
    let parts = products(encoder.image.projection(seen.tokens, .evaluation), texts(1))
    let length = Float(
      encoder.image.projection(encoder.image.feature(Self.image, .evaluation), .evaluation).sumOfSquares
        .squareRoot())
    // Two thirds of the pictures are this one: a third of the difference to the other one is left.
    for (batch, values) in [(1, try map(1)), (2, try map(2)), (3, try map(3))] {
      for (place, value) in values.enumerated() {
        let expected = (parts[5 + place] - parts[14 + place]) / 3 / length
        #expect(abs(value - expected) < 1e-5, "batches of \(batch)")
      }
    }
  }

  // MARK: - Rollout

  @Test func rolloutMovesSharesAndLosesNone() {
    let shares: [Float] = [0.5, 0.25, 0.25]
    let none = Tensor([3, 3], [-1, 0, 0, -2, 0, -3, 0, 0, 0])
    #expect(PictureMaps.moved(shares, by: none) == shares)
    let uniform = PictureMaps.moved(shares, by: Tensor([3, 3], repeating: 7))
    for (after, before) in zip(uniform, shares) { #expect(abs(after - (before / 2 + 1 / 6)) < 1e-6) }
    let one = PictureMaps.moved(shares, by: Tensor([3, 3], [0, 0, 4, -9, 2, 2, 0, 0, 1]))
    #expect(one == [0.25, 0.1875, 0.5625])
  }

  @Test(arguments: DualEncoderConfig.Head.allCases, ImagePooling.allCases)
  func rolloutSharesAreShares(_ head: DualEncoderConfig.Head, _ pooling: ImagePooling) throws {
    let encoder = encoder(head: head, pooling: pooling)
    // More prompts than go through the tower at once.
    let maps = try PictureMaps(encoder: encoder, texts: texts(10)).maps(Self.image, method: .rollout)
    #expect(maps.count == 10)
    for map in maps {
      #expect(map.values.allSatisfy { $0 >= 0 && $0.isFinite })
      let sum = map.values.reduce(0, +)
      #expect(sum > 0 && sum < 1.00001)
    }
    #expect(maps[0].values != maps[9].values)
    let alone = try PictureMaps(encoder: encoder, texts: texts(1)).maps(Self.image, method: .rollout)
    #expect(alone.count == 1)
  }

  @Test func rolloutLeavesTheModelAsItWas() throws {
    let encoder = encoder()
    let cells = encoder.image.parameters.map(\.cell)
    cells[0].isTrainable = false
    encoder.image.model.recomputesBlocks = true
    let again = try PictureMaps(encoder: encoder, texts: texts(2)).maps(Self.image, method: .rollout)
    #expect(cells.map(\.isTrainable) == [false] + [Bool](repeating: true, count: cells.count - 1))
    #expect(encoder.image.model.recomputesBlocks)
    encoder.image.model.recomputesBlocks = false
    let maps = try PictureMaps(encoder: encoder, texts: texts(2)).maps(Self.image, method: .rollout)
    #expect(maps == again)
  }

  /// The relevance of a block adds up to how the score changes when its values grow, by central differences.
  @Test(arguments: [0, 1]) func relevanceIsTheSlopeOfTheScore(_ block: Int) throws {
    let (encoder, text) = (encoder(), texts(1))
    let taps = Taps(watchesAttention: true)
    var context = ForwardContext.evaluation
    context.taps = taps
    let seen = try #require(encoder.image.inspect(Self.image, context))
    let embedding = encoder.image.embedding(seen.feature, .evaluation)
    let gradients = gradients(of: [embedding], [text])
    try #require(taps.attention.count == 2)
    let gradient = try #require(gradients[taps.attention[block].leaf])
    let relevance = taps.attention[block].relevance(image: 0, of: 1, gradient: gradient)
    let slope = relevance.array.reduce(0, +)

    let cells = encoder.image.parameters.filter { $0.path.contains("blocks.\(block).attn.qkv") }.map(\.cell)
    try #require(cells.count == 2)
    func score(_ growth: Float) -> Float {
      let old = cells.map(\.value)
      defer { for (cell, value) in zip(cells, old) { cell.value = value } }
      for (cell, value) in zip(cells, old) {
        // The last third of the rows makes the values.
        let numbers = value.array.enumerated().map { index, number in
          index >= value.count / 3 * 2 ? number * (1 + growth) : number
        }
        cell.value = Tensor(value.shape, numbers)
      }
      return withoutGradients { products(encoder.image(Self.image, .evaluation), text)[0] }
    }
    let step: Float = 0.01
    let measured = (score(step) - score(-step)) / (2 * step)
    #expect(abs(measured) > 1e-3)
    #expect(abs(measured - slope) < 3e-4 + 0.01 * abs(slope))
  }

  // MARK: - Catalogue

  @Test func everyMethodFitsATowerOfPatches() throws {
    #expect(PictureMaps.methods(for: encoder()) == MapMethod.allCases)
    for method in MapMethod.allCases {
      let maps = try PictureMaps(encoder: encoder(), texts: texts(2)).maps(Self.image, method: method)
      #expect(maps.count == 2 && !method.title.isEmpty && !method.meaning.isEmpty)
    }
  }

  @Test func otherTowersAreCoveredPlaceByPlace() throws {
    let encoder = encoder(
      pooling: .cls, vision: ResNetConfig(stageDepths: [1, 1, 1, 1], width: 4, imageSizePixels: 36))
    #expect(PictureMaps.methods(for: encoder) == [.occlusion])
    let image = Initializer.uniform(bound: 1).makeTensor([1, 3, 36, 36], key: RandomKey(seed: 5))
    let maps = PictureMaps(encoder: encoder, texts: texts(2))
    let found = try maps.maps(image, method: .occlusion)
    #expect((found[0].rows, found[0].columns) == (8, 8))
    #expect(found[0].values.contains { $0 != 0 })
    let error = #expect(throws: TrainingError.self) { try maps.maps(image, method: .rollout) }
    #expect(error?.description.contains("without a token for each place") == true)
  }

  @Test func thePeakIsTheFirstHighestCell() {
    let map = PictureMap(rows: 2, columns: 4, values: [0, 1, 2, 9, 3, 9, 0, 0])
    #expect(map.peak == (0, 3))
    #expect(map.peakPlace == (0.875, 0.25))
  }
}
