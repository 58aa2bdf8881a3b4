import CleftImaging
import Foundation
import Testing

/// From the model's square to the picture, and maps over pictures.
@Suite struct MapDrawingTests {
  private static let sizes = [[300, 400], [640, 481], [256, 256], [1000, 900], [97, 131]]

  /// A body on black with one bright spot of an odd side around the middle of pixel (x, y).
  private func marked(_ width: Int, _ height: Int, x: Int, y: Int, reach: Int) -> GrayImage {
    var image = GrayImage(width: width, height: height)
    for row in height / 10..<height - height / 8 {
      for column in width / 9..<width - width / 12 { image[column, row] = 100 }
    }
    for row in y - reach...y + reach { for column in x - reach...x + reach { image[column, row] = 255 } }
    return image
  }

  @Test(arguments: sizes, [true, false]) func aMarkIsFoundWhereItIs(_ size: [Int], _ isStraight: Bool) {
    let (width, height) = (size[0], size[1])
    for (x, y) in [(width / 3, height / 4), (width / 2, height / 2), (width * 3 / 4, height * 2 / 3)] {
      let image = marked(width, height, x: x, y: y, reach: width / 24)
      let pipeline = ImagePipeline(sizePixels: 112, resizesStraight: isStraight)
      let geometry = PictureGeometry(image, pipeline: pipeline)
      let seen = pipeline.evaluation(image)
      var (sum, across, down) = (0.0, 0.0, 0.0)
      for row in 0..<112 {
        for column in 0..<112 where seen[column, row] > 110 {
          let weight = Double(seen[column, row]) - 100
          sum += weight
          across += weight * (Double(column) + 0.5)
          down += weight * (Double(row) + 0.5)
        }
      }
      let place = geometry.picturePlace(x: across / sum, y: down / sum)
      let corner = geometry.picturePlace(x: 0, y: 0)
      let next = geometry.picturePlace(x: 1, y: 1)
      // Within a third of a pixel of the model.
      #expect(abs(place.x - (Double(x) + 0.5)) < 0.34 * (next.x - corner.x) + 0.1)
      #expect(abs(place.y - (Double(y) + 0.5)) < 0.34 * (next.y - corner.y) + 0.1)
    }
  }

  @Test(arguments: sizes) func thereAndBack(_ size: [Int]) {
    let image = marked(size[0], size[1], x: size[0] / 2, y: size[1] / 2, reach: 3)
    let pipeline = ImagePipeline(sizePixels: 224, resizesStraight: false, truncatesSides: false)
    let geometry = PictureGeometry(image, pipeline: pipeline)
    for (x, y) in [(0.0, 0.0), (17.25, 31.5), (Double(size[0]), Double(size[1]))] {
      let seen = geometry.modelPlace(x: x, y: y)
      let back = geometry.picturePlace(x: seen.x, y: seen.y)
      #expect(abs(back.x - x) < 1e-9 && abs(back.y - y) < 1e-9)
    }
    let fitted = SquareFit.apply(image, side: 256, truncates: false)
    #expect(
      PictureGeometry(width: size[0], height: size[1], fitted: fitted, pipeline: pipeline) == geometry)
  }

  /// Whole pictures of the square's own size are seen as they are.
  @Test func aPictureWithoutABorderIsOnlyScaled() {
    var image = GrayImage(width: 256, height: 256, level: 90)
    image[0, 0] = 255
    image[255, 255] = 255
    let geometry = PictureGeometry(image, pipeline: ImagePipeline(sizePixels: 64))
    #expect(geometry.picturePlace(x: 64, y: 16) == (256, 64))
    #expect(geometry.modelPlace(x: 128, y: 4) == (32, 1))
  }

  // MARK: - Color

  /// Our reader gives libpng's gray of colors, by which channels are told apart.
  private func decoded(_ png: Data) throws -> GrayImage {
    try TemporaryFile.with(png, "map.png") { try ImageDecoder.decode($0) }
  }

  @Test func colorsComeBack() throws {
    let colors: [[UInt8]] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [40, 40, 40], [255, 255, 255]]
    let opaque = try ImageEncoder.png(ColorImage(width: 5, height: 1, pixels: colors.flatMap { $0 }))
    let levels = try decoded(opaque).pixels.map(Int.init)
    for (level, expected) in zip(levels, [76, 150, 29, 40, 255]) { #expect(abs(level - expected) <= 1) }
    let withAlpha = try ImageEncoder.png(
      width: 5, height: 1, channels: 4, pixels: colors.flatMap { $0 + [128] })
    #expect(try decoded(withAlpha).pixels.map(Int.init) == levels)
    // Kinds of color in the header: RGB, RGB with alpha, gray.
    #expect((opaque[25], withAlpha[25]) == (2, 6))
    #expect(try ImageEncoder.png(GrayImage(width: 2, height: 2))[25] == 0)
  }

  @Test func colorsGrowLighter() {
    var last: Float = -1
    for step in 0...100 {
      let color = HeatColors.color(Float(step) / 100)
      let luma = 0.299 * color.x + 0.587 * color.y + 0.114 * color.z
      #expect(luma > last)
      last = luma
    }
    #expect(HeatColors.color(-3) == HeatColors.color(0) && HeatColors.color(9) == HeatColors.color(1))
    #expect(HeatColors.color(.nan) == HeatColors.color(0))
  }

  // MARK: - Overlays

  @Test func aFlatMapLeavesThePicture() throws {
    let picture = marked(80, 60, x: 40, y: 30, reach: 4)
    let overlay = MapOverlay(rows: 3, columns: 3, values: [Float](repeating: 0.4, count: 9))
    #expect(try decoded(overlay.png(picture)) == picture)
  }

  @Test func heightsGoThroughTheCells() {
    let values: [Float] = [0, 1, 2, 3, 4, 8, 0, 2, 1]
    let overlay = MapOverlay(rows: 3, columns: 3, values: values)
    // The median is 2.
    for (index, value) in values.enumerated() {
      let (u, v) = ((Double(index % 3) + 0.5) / 3, (Double(index / 3) + 0.5) / 3)
      #expect(abs(overlay.height(u, v) - max(0, (value - 2) / 6)) < 1e-5)
    }
    #expect(overlay.height(1, 0.5) == overlay.height(0.9, 0.5))
  }

  @Test func colorIsWhereTheMapIsHigh() throws {
    let picture = GrayImage(width: 90, height: 90, level: 60)
    var values = [Float](repeating: 0, count: 9)
    values[5] = 1
    let seen = try decoded(MapOverlay(rows: 3, columns: 3, values: values).png(picture))
    #expect(seen[75, 45] > 100)
    for (x, y) in [(5, 5), (5, 45), (15, 85), (85, 85)] { #expect(seen[x, y] == 60) }
  }

  /// The ring on the whole picture is around the place that the geometry names.
  @Test func theWholePictureIsColoredInItsOwnPixels() throws {
    let picture = marked(300, 400, x: 200, y: 300, reach: 8)
    let geometry = PictureGeometry(picture, pipeline: ImagePipeline(sizePixels: 112))
    var values = [Float](repeating: 0, count: 64)
    values[8 * 6 + 5] = 1
    let overlay = MapOverlay(rows: 8, columns: 8, values: values)
    let seen = try decoded(overlay.png(picture, geometry: geometry))
    #expect((seen.width, seen.height) == (300, 400))
    let place = geometry.picturePlace(x: 112 * 5.5 / 8, y: 112 * 6.5 / 8)
    let changed = seen.pixels.indices.filter { seen.pixels[$0] != picture.pixels[$0] }
    let across = changed.map { Double($0 % 300) + 0.5 }.reduce(0, +) / Double(changed.count)
    let down = changed.map { Double($0 / 300) + 0.5 }.reduce(0, +) / Double(changed.count)
    #expect(abs(across - place.x) < 3 && abs(down - place.y) < 3)
    let small = try decoded(overlay.png(picture, geometry: geometry, longestSide: 100))
    #expect((small.width, small.height) == (75, 100))
  }
}
