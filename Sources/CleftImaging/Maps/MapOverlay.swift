import Foundation

/// A map of numbers drawn over the picture that it belongs to.
///
/// What is above the map's median is colored, the more the higher; the rest of the picture stays as it is. A ring marks the
/// middle of the highest cell.
public struct MapOverlay: Sendable {
  private let rows, columns: Int
  /// 0 at the median and below, 1 at the highest value.
  private let heights: [Float]
  /// Row and column of the highest cell; nil where no cell stands out.
  private let peak: (row: Int, column: Int)?

  /// Strength of the color where the map is highest.
  private static let strongest: Float = 0.75

  /// Makes an overlay of a map over the model's square, `rows` times `columns` values, row by row.
  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(
      rows > 0 && columns > 0 && values.count == rows * columns,
      "map overlay: \(values.count) values for \(rows) x \(columns)")
    self.rows = rows
    self.columns = columns
    let median = values.sorted()[values.count / 2]
    let highest = values.max() ?? median
    let isFlat = !(highest > median)
    heights = values.map { isFlat ? 0 : max(0, ($0 - median) / (highest - median)) }
    peak = isFlat ? nil : values.firstIndex(of: highest).map { ($0 / columns, $0 % columns) }
  }

  /// Bytes of a PNG of the map over what the model sees.
  public func png(_ picture: GrayImage) throws(ImagingError) -> Data {
    try ImageEncoder.png(drawn(over: picture) { ($0 / Double(picture.width), $1 / Double(picture.height)) })
  }

  /// Bytes of a PNG of the map over the whole picture, made smaller where its longer side is above a limit.
  public func png(
    _ picture: GrayImage, geometry: PictureGeometry, longestSide: Int = 1024
  ) throws(ImagingError) -> Data {
    let small = picture.fitting(longestSide: longestSide)
    let (across, down) = (
      Double(picture.width) / Double(small.width), Double(picture.height) / Double(small.height)
    )
    let side = Double(geometry.side)
    return try ImageEncoder.png(
      drawn(over: small) { x, y in
        let place = geometry.modelPlace(x: x * across, y: y * down)
        return (place.x / side, place.y / side)
      })
  }

  /// - Parameter place: share of the model's square across and down for a place of the picture in pixels.
  private func drawn(over picture: GrayImage, _ place: (Double, Double) -> (Double, Double)) -> ColorImage {
    var image = ColorImage(picture)
    // Both axes are scaled and shifted alone.
    let across = (0..<picture.width).map { place(Double($0) + 0.5, 0.5).0 }
    let down = (0..<picture.height).map { place(0.5, Double($0) + 0.5).1 }
    for (y, v) in down.enumerated() where v >= 0 && v <= 1 {
      for (x, u) in across.enumerated() where u >= 0 && u <= 1 {
        let height = height(u, v)
        if height <= 0 { continue }
        let share = Self.strongest * height
        image[x, y] = image[x, y] * (1 - share) + HeatColors.color(height) * share
      }
    }
    if let peak {
      let center = (
        (Double(peak.column) + 0.5) / Double(columns), (Double(peak.row) + 0.5) / Double(rows)
      )
      ring(&image, across, down, center)
    }
    return image
  }

  /// The map between its cells' middles: a smooth curve through them (Catmull–Rom), held to 0 … 1; outside the outermost
  /// middles it stays as it is there.
  package func height(_ u: Double, _ v: Double) -> Float {
    let (x, y) = (Self.taps(u, columns), Self.taps(v, rows))
    var sum: Float = 0
    for (row, down) in zip(y.indices, y.weights) {
      for (column, across) in zip(x.indices, x.weights) {
        sum += down * across * heights[row * columns + column]
      }
    }
    return max(0, min(1, sum))
  }

  private static func taps(_ share: Double, _ count: Int) -> (indices: [Int], weights: [Float]) {
    let place = max(0, min(Double(count - 1), share * Double(count) - 0.5))
    let first = Int(place)
    let t = Float(place - Double(first))
    let (t2, t3) = (t * t, t * t * t)
    let outer = (0.5 * (-t + 2 * t2 - t3), 0.5 * (-t2 + t3))
    let inner = (0.5 * (2 - 5 * t2 + 3 * t3), 0.5 * (t + 4 * t2 - 3 * t3))
    return (
      (first - 1...first + 2).map { max(0, min(count - 1, $0)) }, [outer.0, inner.0, inner.1, outer.1]
    )
  }

  /// A white ring between two dark ones.
  private func ring(
    _ image: inout ColorImage, _ across: [Double], _ down: [Double], _ center: (Double, Double)
  ) {
    guard let x = Self.nearest(across, center.0), let y = Self.nearest(down, center.1) else { return }
    let radius = max(3, Double(min(image.width, image.height)) / 28)
    let width = max(1, radius / 5)
    let reach = Int(radius + 2 * width) + 1
    for row in max(0, y - reach)...min(image.height - 1, y + reach) {
      for column in max(0, x - reach)...min(image.width - 1, x + reach) {
        let (dx, dy) = (Double(column - x), Double(row - y))
        let distance = abs((dx * dx + dy * dy).squareRoot() - radius)
        if distance <= width / 2 {
          image[column, row] = SIMD3(repeating: 255)
        } else if distance <= 1.5 * width {
          image[column, row] = SIMD3(repeating: 20)
        }
      }
    }
  }

  /// The pixel whose place is nearest, nil where the place is beyond the picture.
  private static func nearest(_ places: [Double], _ wanted: Double) -> Int? {
    guard let first = places.first, let last = places.last, places.count > 1 else { return nil }
    let step = (last - first) / Double(places.count - 1)
    let index = ((wanted - first) / step).rounded()
    return index >= 0 && index < Double(places.count) ? Int(index) : nil
  }
}

extension GrayImage {
  /// The picture with its longer side at most `longestSide` pixels, as OpenCV's `INTER_AREA` makes it; a small one as it is.
  public func fitting(longestSide: Int) -> GrayImage {
    if max(width, height) <= longestSide { return self }
    let size = SquareFit.fittedSize(width: width, height: height, side: longestSide, truncates: false)
    return GrayImage(width: size.width, height: size.height) { target in
      reading { AreaResize.resize($0, into: target) }
    }
  }
}
