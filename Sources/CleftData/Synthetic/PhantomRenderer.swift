import CleftImaging
import CleftTensor
import Foundation

/// A synthetic radiograph with what it shows.
public struct PhantomImage: Sendable {
  /// The picture.
  public let image: GrayImage
  /// `M` or `F`; years; `AP` or `PA`.
  public let sex: String, age: Int, view: String
  /// Pixels in which each finding lies.
  public let boxes: [(finding: Finding, rows: Range<Int>, columns: Range<Int>)]
}

/// Draws procedural chest radiographs: thorax, lungs, heart, ribs, diaphragm, and findings that look like what they are.
public enum PhantomRenderer {
  /// Draws one radiograph.
  ///
  /// - Parameters:
  ///   - patient: decides the body.
  ///   - study: decides position, exposure and noise.
  ///   - findings: what the body shows.
  ///   - difficulty: 0 plain … 1 subtle.
  public static func render(
    patient: RandomKey, study: RandomKey, findings: [Finding], difficulty: Double,
    sizePixels: ClosedRange<Double>
  ) -> PhantomImage {
    let hard = difficulty
    let phantom = ChestPhantom(
      key: patient,
      heartRatio: findings.contains(.cardiomegaly)
        ? 0.62 - 0.06 * hard...0.74 - 0.10 * hard : 0.40...0.46 + 0.02 * hard,
      mediastinum: findings.contains(.enlargedCardiomediastinum)
        ? 0.20 - 0.04 * hard...0.25 - 0.06 * hard : 0.10...0.125)
    var draw = study.split("position").generator
    let width = Int(draw.uniform(sizePixels.lowerBound, sizePixels.upperBound))
    let height = Int(draw.uniform(sizePixels.lowerBound, sizePixels.upperBound))
    var canvas = PhantomCanvas(
      width: width, height: height, angle: Float(draw.uniform(-0.05, 0.05)),
      scale: Float(draw.uniform(0.95, 1.06)),
      shift: (Float(draw.uniform(-0.04, 0.04)), Float(draw.uniform(-0.04, 0.04))))
    phantom.paintAnatomy(on: &canvas)
    var boxes: [(finding: Finding, rows: Range<Int>, columns: Range<Int>)] = []
    for finding in Finding.allCases where findings.contains(finding) {
      for box in phantom.paint(finding, on: &canvas, difficulty: Float(difficulty)) {
        let (rows, columns) = canvas.pixels(box)
        boxes.append((finding, rows, columns))
      }
    }
    canvas.blur(passes: 1)
    let image = expose(canvas, phantom, key: study.split("exposure"))
    return PhantomImage(
      image: image, sex: phantom.isFemale ? "F" : "M", age: phantom.age, view: phantom.isAP ? "AP" : "PA",
      boxes: boxes)
  }

  /// Attenuation to gray levels: contrast curve, uneven field, quantum noise, collimator edges, side marker.
  private static func expose(_ canvas: PhantomCanvas, _ phantom: ChestPhantom, key: RandomKey) -> GrayImage {
    var draw = key.generator
    let gain = Float(draw.uniform(0.95, 1.10)) * (0.9 + 0.1 * phantom.exposure)
    let offset = Float(draw.uniform(-0.03, 0.04))
    let gamma = Float(draw.uniform(0.85, 1.15))
    let grain = Float(draw.uniform(0.008, 0.02))
    let lean = (Float(draw.uniform(-0.05, 0.05)), Float(draw.uniform(-0.05, 0.05)))
    let (width, height) = (canvas.width, canvas.height)
    let frame = (
      left: Int(draw.uniform(0, 0.03) * Double(width)),
      right: width - Int(draw.uniform(0, 0.03) * Double(width)),
      top: Int(draw.uniform(0, 0.03) * Double(height)),
      bottom: height - Int(draw.uniform(0, 0.03) * Double(height))
    )
    let curve = (0...1024).map { powf(Float($0) / 1024, gamma) }
    var image = GrayImage(width: width, height: height)
    for y in frame.top..<frame.bottom {
      for x in frame.left..<frame.right {
        let i = y * width + x
        let bits = key.bits(at: i)
        let noise =
          Float(Int32(truncatingIfNeeded: bits)) * 0x1p-31 + Float(Int32(truncatingIfNeeded: bits >> 32))
          * 0x1p-31
        let field = 1 + lean.0 * (Float(x) / Float(width) - 0.5) + lean.1 * (Float(y) / Float(height) - 0.5)
        let linear = canvas.values[i] * gain * field + offset
        // Above 0.66 the film's shoulder flattens the curve.
        let value = min(max(linear < 0.66 ? linear : 0.66 + 0.45 * (linear - 0.66), 0), 1)
        let shown = curve[Int(value * 1024)] + grain * noise
        image.pixels[i] = UInt8(min(max(shown * 255, 0), 255))
      }
    }
    mark(&image, x: frame.right - width / 9, y: frame.top + height / 14, size: max(2, height / 110))
    return image
  }

  /// The letter L, as technicians tape it on.
  private static func mark(_ image: inout GrayImage, x: Int, y: Int, size: Int) {
    let rows: [String] = ["#...", "#...", "#...", "#...", "####"]
    for (v, row) in rows.enumerated() {
      for (u, cell) in row.enumerated() where cell == "#" {
        for dy in 0..<size {
          for dx in 0..<size {
            let (px, py) = (x + u * size + dx, y + v * size + dy)
            if px >= 0, px < image.width, py >= 0, py < image.height { image[px, py] = 235 }
          }
        }
      }
    }
  }
}
