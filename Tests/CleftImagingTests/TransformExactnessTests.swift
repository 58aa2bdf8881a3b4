import CleftImaging
import CleftTensor
import Foundation
import Testing

/// Pictures by formula, the same as `picture` in Fixtures/transforms/make.py.
private func generatedPicture(_ kind: Substring, _ width: Int, _ height: Int, seed: Int) -> GrayImage {
  var state = UInt64(seed)
  return GrayImage(
    width: width, height: height,
    pixels: (0..<width * height).map { index in
      let (x, y) = (index % width, index / width)
      switch kind {
      case "noise":
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 56)
      case "ramp": return UInt8(truncatingIfNeeded: x * 7 + y * 3 + seed)
      default:
        let (across, down) = (2 * x + 1 - width, 2 * y + 1 - height)
        let fall = across * across * 300 / (width * width) + down * down * 300 / (height * height)
        return UInt8(min(max(200 - fall + (x * 31 + y * 17 + seed) % 11, 0), 255))
      }
    })
}

private func checksum(_ image: GrayImage) -> String {
  var value: UInt64 = 0xCBF2_9CE4_8422_2325
  image.pixels.withUnsafeBufferPointer {
    for level in $0 { value = (value ^ UInt64(level)) &* 0x100_0000_01B3 }
  }
  let digits = String(value, radix: 16)
  return "\(image.width)x\(image.height):" + String(repeating: "0", count: 16 - digits.count) + digits
}

/// Byte for byte what OpenCV, Pillow and torchvision make of generated pictures.
@Suite struct TransformExactnessTests {
  private static func rows(_ file: String) throws -> [[Substring]] {
    try String(contentsOfFile: "\(fixtures)/transforms/\(file).csv", encoding: .utf8)
      .split(separator: "\n").dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false) }
  }

  private static func result(_ operation: String, _ image: GrayImage, _ values: [Double]) throws -> String {
    switch operation {
    case "fit": return checksum(SquareFit.apply(image, side: Int(values[0])))
    case "otsu":
      let (rows, columns) = OtsuCut.box(image)
      let numbers = [rows.lowerBound, rows.upperBound, columns.lowerBound, columns.upperBound]
      return ([OtsuCut.threshold(image)] + numbers).map(String.init).joined(separator: ":")
    case "evaluation": return checksum(ImagePipeline(sizePixels: Int(values[0])).evaluation(image))
    case "bilinear":
      return checksum(BilinearResize.apply(image, width: Int(values[0]), height: Int(values[1])))
    case "brightness": return checksum(Photometric.brightness(image, factor: Float(values[0])))
    case "contrast": return checksum(Photometric.contrast(image, factor: Float(values[0])))
    default:
      try #require(operation == "affine")
      let matrix = Affine.inverseMatrix(
        angle: values[0], translation: (values[1], values[2]), scale: values[3],
        center: (Double(image.width) / 2, Double(image.height) / 2))
      return checksum(Affine.apply(image, matrix))
    }
  }

  private static func picture(_ row: [Substring]) throws -> GrayImage {
    let (width, height) = (try #require(Int(row[2])), try #require(Int(row[3])))
    return generatedPicture(row[1], width, height, seed: try #require(Int(row[4])))
  }

  @Test(arguments: [
    ("fit", 42), ("otsu", 42), ("evaluation", 42), ("bilinear", 93), ("brightness", 93),
    ("contrast", 93), ("affine", 93),
  ])
  func equalsTheLibraries(_ operation: String, _ count: Int) throws {
    let rows = try Self.rows("pinned").filter { $0[0] == operation }
    #expect(rows.count == count)
    for row in rows {
      let values = row[5].split(separator: " ").compactMap { Double($0) }
      let found = try Self.result(operation, Self.picture(row), values)
      #expect(found == row[6], "\(row.joined(separator: ","))")
    }
  }

  /// torch adds up with fused multiply-add, so sums next to half a level may round the other way.
  @Test func blurEqualsTorchvision() throws {
    let rows = try Self.rows("blur")
    #expect(rows.count == 90)
    var (compared, different) = (0, 0)
    for row in rows {
      let found = Photometric.blur(try Self.picture(row), sigma: try #require(Float(row[5]))).pixels
      let digits = Array(row[6].utf8)
      try #require(digits.count == 2 * found.count)
      for (index, level) in found.enumerated() {
        let text = String(decoding: digits[2 * index..<2 * index + 2], as: UTF8.self)
        let expected = try #require(Int(text, radix: 16))
        #expect(abs(Int(level) - expected) <= 1, "\(row[..<6].joined(separator: ",")): pixel \(index)")
        different += Int(level) == expected ? 0 : 1
        compared += 1
      }
    }
    #expect(compared == 35_532 && different <= 1, "\(different) of \(compared) pixels")
  }

  /// Pictures narrower than the kernel, which the published blur refuses, and wider than a vector.
  @Test(arguments: [(1, 1), (2, 3), (3, 1), (15, 4), (16, 5), (17, 6), (35, 20)])
  func blurEqualsItsDefinition(_ width: Int, _ height: Int) {
    let image = generatedPicture("noise", width, height, seed: 5)
    func reflected(_ index: Int, _ count: Int) -> Int {
      var place = index
      while place < 0 || place >= count {
        place = count == 1 ? 0 : place < 0 ? -place : 2 * count - 2 - place
      }
      return place
    }
    for sigma: Float in [0.1, 0.6, 1, 2] {
      let kernel = Photometric.blurKernel(sigma: sigma).map(Double.init)
      let found = Photometric.blur(image, sigma: sigma)
      for index in 0..<width * height {
        var sum = 0.0
        for v in 0..<7 {
          let y = reflected(index / width + v - 3, height)
          for u in 0..<7 {
            sum += kernel[v] * kernel[u] * Double(image[reflected(index % width + u - 3, width), y])
          }
        }
        #expect(abs(Double(found.pixels[index]) - sum) < 0.5001, "sigma \(sigma), pixel \(index)")
      }
    }
  }

  @Test func inputLevelsAreExactInAllThreeChannels() {
    let image = GrayImage(width: 16, height: 16, pixels: (0...255).map { UInt8($0) })
    let tensor = ImagePipeline.tensor([image, image.mirrored])
    #expect(tensor.shape == [2, 3, 16, 16])
    let values = tensor.array
    for channel in 0..<3 {
      for level in 0..<256 {
        let expected = (Float(level) / 255 - 0.5) / 0.5
        #expect(values[channel * 256 + level] == expected)
        #expect(values[(3 + channel) * 256 + level / 16 * 16 + 15 - level % 16] == expected)
      }
    }
  }
}

/// The random part: what is drawn, in which order, and what the draws do.
@Suite struct TrainingTransformTests {
  private let image = GrayImage(
    width: 90, height: 70, pixels: (0..<6300).map { UInt8(truncatingIfNeeded: ($0 * $0) >> 5) })

  /// Runs are reproduced from their keys, so these pictures stay as they are from release to release.
  @Test(arguments: [
    (
      56,
      ["f6f308de0690bdd2", "54aa555d8926f42a", "e41c1eb652b2e802", "45f3a58d97df2604", "6c08396409a905ad"]
    ),
    (
      224,
      ["a9f33ce00cc0b14a", "d9bca58a8d3510e4", "19ef965adc6e6ba3", "347f86c13c389a6e", "362bf902effb5e42"]
    ),
  ])
  func augmentedPicturesOfKnownKeysStay(_ side: Int, _ expected: [String]) {
    let pipeline = ImagePipeline(sizePixels: side)
    let seen = pipeline.evaluation(image)
    for (index, digits) in expected.enumerated() {
      let found = pipeline.augmented(seen, key: RandomKey(seed: 1).split("pin", index))
      #expect(checksum(found) == "\(side)x\(side):\(digits)", "key \(index)")
    }
  }

  /// Replays every draw and, for the first keys, applies the operations one by one in the published order.
  @Test func operationsFollowThePublishedOrderAndProbabilities() {
    let pipeline = ImagePipeline(sizePixels: 32)
    let seen = pipeline.evaluation(image)
    var (jittered, brightFirst, blurred, flipped) = (0, 0, 0, 0)
    for index in 0..<2000 {
      let key = RandomKey(seed: 9).split("order", index)
      var draw = key.generator
      var steps: [(GrayImage) -> GrayImage] = []
      if draw.uniform() <= 0.4 {
        jittered += 1
        let (bright, strong) = (Float(draw.uniform(0.8, 1.2)), Float(draw.uniform(0.8, 1.2)))
        let isBrightFirst = draw.uniform() < 0.5
        steps = [
          { Photometric.brightness($0, factor: bright) }, { Photometric.contrast($0, factor: strong) },
        ]
        if isBrightFirst { brightFirst += 1 } else { steps.reverse() }
      }
      if draw.uniform() <= 0.4 {
        blurred += 1
        let sigma = Float(draw.uniform(0.1, 2))
        steps.append { Photometric.blur($0, sigma: sigma) }
      }
      let angle = draw.uniform(-10, 10)
      // A sixteenth of the side: 14 pixels of 224.
      let right = draw.uniform(-2, 2).rounded(.toNearestOrEven)
      let down = draw.uniform(-2, 2).rounded(.toNearestOrEven)
      let matrix = Affine.inverseMatrix(
        angle: angle, translation: (right, down), scale: draw.uniform(0.8, 1.1), center: (16, 16))
      steps.append { Affine.apply($0, matrix) }
      if draw.uniform() < 0.5 {
        flipped += 1
        steps.append { $0.mirrored }
      }
      guard index < 100 else { continue }
      #expect(pipeline.augmented(seen, key: key) == steps.reduce(seen) { $1($0) }, "key \(index)")
    }
    // Four standard deviations of a fair count.
    #expect(abs(jittered - 800) < 88 && abs(blurred - 800) < 88 && abs(flipped - 1000) < 90)
    #expect(abs(2 * brightFirst - jittered) < 4 * 29)
  }
}

@Suite struct ContactSheetTests {
  @Test func picturesAreCenteredInCellsOfTheLargest() {
    let wide = GrayImage(width: 3, height: 1, level: 200)
    let tall = GrayImage(width: 1, height: 2, level: 100)
    let sheet = GrayImage.contactSheet([wide, tall, tall], columns: 2, gap: 1)
    #expect((sheet.width, sheet.height) == (9, 7))
    var expected = GrayImage(width: 9, height: 7, level: 40)
    for x in 1...3 { expected[x, 1] = 200 }
    for y in 1...2 { expected[6, y] = 100 }
    for y in 4...5 { expected[2, y] = 100 }
    #expect(sheet == expected)
  }

  @Test func fewerPicturesThanColumnsMakeANarrowerSheet() {
    let sheet = GrayImage.contactSheet([GrayImage(width: 5, height: 6, level: 9)], columns: 8)
    #expect((sheet.width, sheet.height) == (13, 14))
    #expect(sheet.cropped(rows: 4..<10, columns: 4..<9) == GrayImage(width: 5, height: 6, level: 9))
    #expect(sheet.pixels.filter { $0 == 40 }.count == 13 * 14 - 30)
  }
}
