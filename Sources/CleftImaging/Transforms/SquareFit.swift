/// The published loader's first step: the longer side becomes `side` pixels, the shorter one is centered in zeros.
public enum SquareFit {
  /// The size of the fitted picture without its padding; of equal sides the height counts as the longer one.
  ///
  /// The shorter side is cut to whole pixels, so some squares lose a column and get it back as padding, as published.
  ///
  /// - Parameter truncates: off rounds it to the nearest pixel, so that squares stay squares.
  package static func fittedSize(
    width: Int, height: Int, side: Int, truncates: Bool = true
  ) -> (width: Int, height: Int) {
    let scale = Double(side) / Double(max(width, height))
    func scaled(_ length: Int) -> Int {
      let exact = Double(length) * scale
      return max(1, Int(truncates ? exact : exact.rounded()))
    }
    return height >= width ? (scaled(width), side) : (side, scaled(height))
  }

  /// Fits a picture into a square.
  ///
  /// An odd number of padding rows or columns puts the extra one below or to the right.
  ///
  /// - Parameter truncates: off rounds the shorter side instead of cutting it to whole pixels.
  public static func apply(_ image: GrayImage, side: Int = 256, truncates: Bool = true) -> GrayImage {
    precondition(image.width > 0 && image.height > 0, "square fit: \(image.width) x \(image.height)")
    let (width, height) = fittedSize(
      width: image.width, height: image.height, side: side, truncates: truncates)
    if width == image.width && height == image.height && width == height { return image }
    let (left, top) = ((side - width) / 2, (side - height) / 2)
    return GrayImage(width: side, height: side) { square in
      if width < side || height < side { square.base.initialize(repeating: 0, count: side * side) }
      let window = TargetPlane(
        base: square.row(top) + left, width: width, height: height, stride: side)
      image.reading { AreaResize.resize($0, into: window) }
    }
  }
}
