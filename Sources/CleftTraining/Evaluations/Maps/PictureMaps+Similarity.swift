import CleftModels
import CleftNN
import CleftTensor

extension PictureMaps {
  /// Patch–text similarity: each patch's token behind the projection, times the prompt, over the length of the picture's own
  /// projection.
  ///
  /// Where the picture's vector is the mean of its tokens and the projection is linear, this takes the cosine apart: the mean
  /// over all tokens, special ones included, is the cosine of picture and prompt (less the mean of those with the other
  /// prompts). With a class token it is the similarity that a patch's own token has, after the norm that the class token goes
  /// through; with an MLP as projection, that of a picture all of whose tokens were this one. With a reference, each patch is
  /// held against the mean of its place.
  ///
  /// - Source: Zhou et al. 2022, arXiv 2112.01071 (tokens through the projection of the whole).
  func similarity(_ image: Tensor) -> [PictureMap]? {
    withoutGradients {
      guard let seen = encoder.image.inspect(image, .evaluation) else { return nil }
      let tokens = encoder.image.projection(seen.tokens, .evaluation)
      let length = encoder.image.projection(seen.feature, .evaluation).sumOfSquares.squareRoot()
      let share = length > 0 ? Float(1 / length) : 0
      let usual = reference?.tokens
      precondition(
        usual == nil || usual?.shape == tokens.shape,
        "similarity: reference [\(usual?.shape ?? [])] for tokens [\(tokens.shape)]")
      return meanContrasts.map { direction in
        let column = Tensor([1, direction.count], direction)
        var values = matmul(tokens, column, transposingB: true).array
        if let usual {
          for (place, value) in matmul(usual, column, transposingB: true).array.enumerated() {
            values[place] -= value
          }
        }
        return PictureMap(
          rows: seen.rows, columns: seen.columns, values: values[seen.patches].map { $0 * share })
      }
    }
  }
}
