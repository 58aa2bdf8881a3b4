import CleftModels
import CleftNN
import CleftTensor

/// What is usual in each place of a picture, to tell what is particular about one.
///
/// A few dozen pictures of all kinds are enough. With pictures of one kind only, what they have in common counts as usual.
public struct PictureReference {
  /// Pictures it is the mean of.
  public let count: Int
  /// The mean picture `[1, 3, S, S]`.
  let picture: Tensor
  /// The mean of each token behind the projection `[T, E]`; nil for towers without tokens.
  let tokens: Tensor?

  /// Takes the mean of pictures.
  ///
  /// - Parameters:
  ///   - count: how many there are, at least one.
  ///   - images: some of them by number, as the model sees them `[n, 3, S, S]`.
  public init(
    encoder: DualEncoder, count: Int, batchSize: Int = 16, _ images: (Range<Int>) throws -> Tensor
  ) rethrows {
    precondition(count > 0, "picture reference: no pictures")
    var (pictureSum, tokenSum): ([Double], [Double]) = ([], [])
    var (pictureShape, tokenShape): (Shape, Shape) = ([], [])
    for start in stride(from: 0, to: count, by: batchSize) {
      let batch = try images(start..<min(start + batchSize, count))
      let parts = batch.shape[0]
      pictureShape = Shape([1] + batch.shape.dimensions.dropFirst())
      Self.add(batch, parts, to: &pictureSum)
      guard let projected = withoutGradients({ Self.projected(encoder, batch) }) else { continue }
      tokenShape = [projected.shape.rows / parts, projected.shape.last]
      Self.add(projected, parts, to: &tokenSum)
    }
    func mean(_ shape: Shape, _ sum: [Double]) -> Tensor {
      Tensor(shape, sum.map { Float($0 / Double(count)) })
    }
    self.count = count
    picture = mean(pictureShape, pictureSum)
    tokens = tokenSum.isEmpty ? nil : mean(tokenShape, tokenSum)
  }

  private static func projected(_ encoder: DualEncoder, _ batch: Tensor) -> Tensor? {
    encoder.image.inspect(batch, .evaluation).map { encoder.image.projection($0.tokens, .evaluation) }
  }

  /// Adds the equal parts of a tensor up.
  private static func add(_ values: Tensor, _ parts: Int, to sum: inout [Double]) {
    let size = values.count / parts
    if sum.isEmpty { sum = [Double](repeating: 0, count: size) }
    values.read { values in
      for part in 0..<parts {
        for i in 0..<size { sum[i] += Double(values[part * size + i]) }
      }
    }
  }
}
