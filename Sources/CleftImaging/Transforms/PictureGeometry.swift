/// Where the square that the model sees lies in a picture.
///
/// Places are in pixels, across and down from the upper left corner; the middle of the first pixel is at 0.5. The picture is
/// the decoded one, turned upright by its Exif data.
public struct PictureGeometry: Sendable, Equatable {
  /// Size of the picture.
  public let width, height: Int
  /// Side of the model's square in pixels.
  public let side: Int
  /// The picture within the fitted square: place of its corner, and size.
  private let left, top, fittedWidth, fittedHeight: Int
  /// What is cut out of the fitted square.
  private let rows, columns: Range<Int>
  /// Side of the cut after its resize, and what is cropped away in front of the model's square.
  private let resizedSide, margin: Int

  /// The way of a picture through a pipeline's evaluation.
  public init(_ picture: GrayImage, pipeline: ImagePipeline) {
    self.init(
      width: picture.width, height: picture.height,
      fitted: SquareFit.apply(picture, side: ImagePipeline.fitSide, truncates: pipeline.truncatesSides),
      pipeline: pipeline)
  }

  /// The way of a picture that is fitted already, as `cleft prepare` stores it.
  ///
  /// - Parameter width: size of the picture itself.
  public init(width: Int, height: Int, fitted: GrayImage, pipeline: ImagePipeline) {
    let size = SquareFit.fittedSize(
      width: width, height: height, side: fitted.width, truncates: pipeline.truncatesSides)
    self.width = width
    self.height = height
    side = pipeline.sizePixels
    (fittedWidth, fittedHeight) = (size.width, size.height)
    (left, top) = ((fitted.width - size.width) / 2, (fitted.height - size.height) / 2)
    (rows, columns) = OtsuCut.box(fitted)
    resizedSide = pipeline.resizedSide
    margin = pipeline.cropMargin
  }

  /// Where a place of the model's square lies in the picture; in the padding, outside of it.
  public func picturePlace(x: Double, y: Double) -> (x: Double, y: Double) {
    func back(_ place: Double, _ cut: Range<Int>, _ start: Int, _ fitted: Int, _ length: Int) -> Double {
      let inCut = (place + Double(margin)) / Double(resizedSide) * Double(cut.count)
      return (inCut + Double(cut.lowerBound - start)) * Double(length) / Double(fitted)
    }
    return (back(x, columns, left, fittedWidth, width), back(y, rows, top, fittedHeight, height))
  }

  /// Where a place of the picture lies in the model's square; what the model does not see, outside of it.
  public func modelPlace(x: Double, y: Double) -> (x: Double, y: Double) {
    func forth(_ place: Double, _ cut: Range<Int>, _ start: Int, _ fitted: Int, _ length: Int) -> Double {
      let inCut = place * Double(fitted) / Double(length) - Double(cut.lowerBound - start)
      return inCut / Double(cut.count) * Double(resizedSide) - Double(margin)
    }
    return (forth(x, columns, left, fittedWidth, width), forth(y, rows, top, fittedHeight, height))
  }
}
