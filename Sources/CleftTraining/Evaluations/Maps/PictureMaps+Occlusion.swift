import CleftModels
import CleftNN
import CleftTensor

extension PictureMaps {
  /// Cells down and across.
  static let occlusionGrid = 8
  /// Covered pictures that go through the tower at once.
  private static let batchSize = 16

  /// Occlusion: how far the log-odds of a prompt fall when one place after the other is covered.
  ///
  /// A place is covered by what is usual there, or without a reference by the picture's mean level. Looks into every tower,
  /// by 65 passes.
  ///
  /// - Source: Zeiler and Fergus 2013, arXiv 1311.2901, §4.2.
  func occlusion(_ image: Tensor) -> [PictureMap] {
    withoutGradients {
      let (grid, cells) = (Self.occlusionGrid, Self.occlusionGrid * Self.occlusionGrid)
      let cover = reference?.picture ?? Tensor(image.shape, repeating: Self.mean(image))
      precondition(cover.shape == image.shape, "occlusion: [\(cover.shape)] over [\(image.shape)]")
      let whole = logOdds(encoder.image(image, .evaluation).array)
      var values = [[Float]](repeating: [], count: promptCount)
      for start in stride(from: 0, to: cells, by: Self.batchSize) {
        let batch = stackedRows(
          (start..<min(start + Self.batchSize, cells)).map {
            Self.covered(image, by: cover, row: $0 / grid, column: $0 % grid)
          })
        for embedding in Self.rows(encoder.image(batch, .evaluation)) {
          for (prompt, odds) in logOdds(embedding).enumerated() {
            values[prompt].append(whole[prompt] - odds)
          }
        }
      }
      return values.map { PictureMap(rows: grid, columns: grid, values: $0) }
    }
  }

  /// An image with one cell replaced.
  private static func covered(_ image: Tensor, by cover: Tensor, row: Int, column: Int) -> Tensor {
    let result = image.copied()
    let (height, width) = (image.shape[2], image.shape[3])
    let lines = row * height / occlusionGrid..<(row + 1) * height / occlusionGrid
    let places = column * width / occlusionGrid..<(column + 1) * width / occlusionGrid
    result.withMutablePointer { target in
      cover.read { source in
        for channel in 0..<image.shape[1] {
          for y in lines {
            let first = (channel * height + y) * width + places.lowerBound
            (target + first).update(from: source + first, count: places.count)
          }
        }
      }
    }
    return result
  }

  private static func mean(_ image: Tensor) -> Float {
    image.read { values in
      var sum = 0.0
      for i in 0..<image.count { sum += Double(values[i]) }
      return Float(sum / Double(max(1, image.count)))
    }
  }
}
