extension GrayImage {
  /// Pictures in rows of `columns`, each centered in a cell of the size of the largest, on dark gray (level 40).
  ///
  /// The gap runs around and between the cells. Fewer pictures than columns make a narrower sheet.
  public static func contactSheet(_ images: [GrayImage], columns: Int, gap: Int = 4) -> GrayImage {
    precondition(
      !images.isEmpty && columns > 0 && gap >= 0,
      "contact sheet: \(images.count) pictures in \(columns) columns, gap \(gap)")
    let across = min(columns, images.count)
    let down = (images.count + across - 1) / across
    let cellWidth = images.reduce(0) { max($0, $1.width) }
    let cellHeight = images.reduce(0) { max($0, $1.height) }
    let width = across * (cellWidth + gap) + gap
    let height = down * (cellHeight + gap) + gap
    return GrayImage(width: width, height: height) { sheet in
      sheet.base.initialize(repeating: 40, count: width * height)
      for (index, image) in images.enumerated() {
        let left = gap + index % across * (cellWidth + gap) + (cellWidth - image.width) / 2
        let top = gap + index / across * (cellHeight + gap) + (cellHeight - image.height) / 2
        image.reading { source in
          for y in 0..<source.height {
            (sheet.row(top + y) + left).update(from: source.row(y), count: source.width)
          }
        }
      }
    }
  }
}
