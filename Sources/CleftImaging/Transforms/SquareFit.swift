/// The published loader's first step: the longer side becomes `side` pixels, the shorter one is centered in zeros.
public enum SquareFit {
  /// Fits a picture into a square.
  ///
  /// The shorter side is cut to whole pixels, so some squares lose a column and get it back as padding, as published.
  public static func apply(_ image: GrayImage, side: Int = 256) -> GrayImage {
    let longest = max(image.width, image.height)
    let scale = Double(side) / Double(longest)
    let isTall = image.height >= image.width
    let height = isTall ? side : max(1, Int(Double(image.height) * scale))
    let width = isTall ? max(1, Int(Double(image.width) * scale)) : side
    let fitted = AreaResize.resize(image, width: width, height: height)
    if width == side && height == side { return fitted }
    var result = GrayImage(width: side, height: side)
    let (left, top) = ((side - width) / 2, (side - height) / 2)
    for y in 0..<height {
      let target = (top + y) * side + left
      result.pixels.replaceSubrange(target..<target + width, with: fitted.pixels[y * width..<(y + 1) * width])
    }
    return result
  }
}
