import CleftImaging
import CleftTensor
import Foundation

/// One synthetic patient: body measures that vary between people, drawn from a key.
struct ChestPhantom {
  /// Half the inner width of the rib cage.
  var cageWidth: Float
  /// Heart width over chest width: about 0.45, above 0.55 when enlarged.
  var heartRatio: Float
  /// Half the width of the upper mediastinum.
  var mediastinum: Float
  /// Height of the dome on the picture's left and right.
  var domes: (left: Float, right: Float)
  /// Top of the lungs.
  var apex: Float
  var isFemale: Bool
  var isAP: Bool
  var age: Int
  /// Depth of contrast, 1 in the middle.
  var exposure: Float
  let noise: PhantomNoise
  let key: RandomKey

  init(key: RandomKey, heartRatio: ClosedRange<Double>, mediastinum: ClosedRange<Double>) {
    var draw = key.split("anatomy").generator
    isFemale = draw.chance(0.45)
    isAP = draw.chance(0.6)
    age = Int(min(90, max(18, 58 + 18 * draw.normal())))
    cageWidth = Float(draw.uniform(0.70, 0.80))
    self.heartRatio = Float(draw.uniform(heartRatio.lowerBound, heartRatio.upperBound)) + (isAP ? 0.01 : 0)
    self.mediastinum = Float(draw.uniform(mediastinum.lowerBound, mediastinum.upperBound))
    let base = Float(draw.uniform(0.40, 0.54))
    domes = (base - Float(draw.uniform(0.02, 0.06)), base + Float(draw.uniform(0, 0.03)))
    apex = Float(draw.uniform(-0.80, -0.72))
    exposure = Float(draw.uniform(0.85, 1.15))
    noise = PhantomNoise(key.split("noise"))
    self.key = key
  }

  /// Inner edge of the rib cage at a height.
  @inline(__always)
  func cage(_ v: Float) -> Float {
    let up = v < 0.05 ? 0.05 - v : 0
    return cageWidth * (1 - 0.55 * up * up) + 0.02 * v
  }

  /// Height of the diaphragm at a place; lower toward the chest wall.
  @inline(__always)
  func diaphragm(_ u: Float) -> Float {
    let d = (u < 0 ? -u : u) - 0.36
    return (u < 0 ? domes.left : domes.right) + 0.95 * d * d
  }

  /// How far inside a lung a point lies; negative outside.
  @inline(__always)
  func depthInLung(_ u: Float, _ v: Float) -> Float {
    let side = u < 0 ? -u : u
    let inner = side - 0.10
    let top = v - (apex + 1.3 * (side - 0.30) * (side - 0.30))
    let d = min(min(cage(v) - side, inner), min(top, diaphragm(u) - v))
    return d
  }

  /// The lungs' share at a point, 0 … 1.
  @inline(__always)
  func lung(_ u: Float, _ v: Float) -> Float { ramp(depthInLung(u, v), 0, 0.035) }

  /// The share of air at a point, 0 … 1: the lungs less what lies in front of them.
  @inline(__always)
  func air(_ u: Float, _ v: Float) -> Float {
    let lung = lung(u, v)
    if lung == 0 { return 0 }
    let heart = heart
    let (a, b) = ((u - heart.u) / heart.a, (v - heart.v - 0.10 * (u - heart.u)) / heart.b)
    return lung * (1 - 0.8 * ramp(1.02 - a * a - b * b, 0, 0.11))
  }

  /// Center and half axes of the heart.
  var heart: (u: Float, v: Float, a: Float, b: Float) {
    let half = heartRatio * cage(0.25)
    return (0.085 + 0.26 * (half - 0.33), diaphragm(0.15) - 0.16, half, 0.30 + 0.25 * (half - 0.33))
  }

  /// Paints the healthy chest.
  func paintAnatomy(on canvas: inout PhantomCanvas) {
    let noise = noise
    canvas.paint { _, u, v in
      let side = abs(u)
      let shoulder = v < -0.55 ? 0.50 + 2.2 * (v + 0.95) : 0.98 + 0.05 * v
      let body = ramp(shoulder - side, 0, 0.10)
      let neck = ramp(0.24 - side, 0, 0.06) * ramp(-0.60 - v, 0, 0.2)
      let tissue = max(body, neck) * (0.56 + 0.05 * side + 0.03 * noise.texture(u, v, 3))
      return tissue
    }
    paintLungs(on: &canvas)
    paintMediastinum(on: &canvas)
    paintBones(on: &canvas)
    paintSoftTissue(on: &canvas)
  }

  private func paintLungs(on canvas: inout PhantomCanvas) {
    let noise = noise
    var draw = key.split("lungs").generator
    let darkness = Float(draw.uniform(0.34, 0.40))
    canvas.paint(PhantomBox(left: -0.9, right: 0.9, top: -0.9, bottom: 0.9)) { old, u, v in
      let lung = lung(u, v)
      if lung == 0 {
        let under = ramp(v - diaphragm(u), 0, 0.05) * ramp(0.93 - abs(u), 0, 0.2)
        return old + 0.14 * under
      }
      let hilum = bell((abs(u) - 0.17) * (abs(u) - 0.17) * 16 + (v + 0.02) * (v + 0.02) * 9)
      let vessels = 0.05 * hilum + 0.030 * noise.texture(u, v, 9) * (0.4 + 0.8 * hilum)
      return old - lung * (darkness - vessels)
    }
    // Vessels fan out from the hilum and fade toward the chest wall.
    for side: Float in [-1, 1] {
      for index in 0..<9 {
        let angle = Float(draw.uniform(-0.15, 0.15)) + (Float(index) - 4) * 0.33
        let length = Float(draw.uniform(0.28, 0.5))
        let bend = Float(draw.uniform(-0.25, 0.25))
        let (du, dv) = (side * cos(angle), sin(angle) + 0.15)
        stroke(
          on: &canvas, width: 0.013, strength: 0.10, from: 0, to: 1,
          point: { t in
            (
              side * 0.15 + du * length * t - dv * bend * t * t * 0.3,
              -0.02 + dv * length * t + abs(du) * bend * t * t * 0.3
            )
          }, taper: true, inAir: true)
      }
    }
  }

  private func paintMediastinum(on canvas: inout PhantomCanvas) {
    let heart = heart
    let noise = noise
    let width = mediastinum
    canvas.paint(PhantomBox(left: -0.75, right: 0.85, top: -1, bottom: 1)) { old, u, v in
      var value = old
      let band = ramp(width + 0.03 * max(0, v) + 0.012 * noise.value(3, v * 5) - abs(u + 0.01), 0, 0.03)
      let knobU = (u - width - 0.005) / 0.075
      let knobV = (v + 0.30) / 0.085
      let knob = ramp(1 - knobU * knobU - knobV * knobV, 0, 0.35)
      let a = (u - heart.u) / heart.a
      let b = (v - heart.v - 0.10 * (u - heart.u)) / heart.b
      let muscle = ramp(1.02 - a * a - b * b, 0, 0.11)
      let dense = max(max(band * 0.70, knob * 0.62), muscle * (0.70 + 0.02 * noise.value(u * 3, v * 3)))
      let limit: Float = 0.70
      value = max(value, dense)
      let airway = ramp(0.030 - abs(u + 0.005), 0, 0.012) * ramp(-0.16 - v, 0, 0.05)
      value -= 0.10 * airway * (value > limit * 0.6 ? 1 : 0)
      let spine = ramp(0.075 - abs(u), 0, 0.02)
      let disc = 0.5 + 0.5 * cos(v * 38)
      return value + spine * (0.05 + 0.035 * disc)
    }
  }

  private func paintBones(on canvas: inout PhantomCanvas) {
    var draw = key.split("bones").generator
    let spacing = Float(draw.uniform(0.135, 0.155))
    let slope = Float(draw.uniform(0.20, 0.30))
    for side: Float in [-1, 1] {
      for index in 0..<9 {
        let start = apex + 0.02 + spacing * Float(index)
        let reach = cage(start + 0.12) + 0.02
        rib(on: &canvas, side: side, start: start, reach: reach, slope: slope, gap: nil)
      }
      let height = apex + 0.06 + Float(draw.uniform(-0.02, 0.02))
      stroke(
        on: &canvas, width: 0.030, strength: 0.13, from: 0, to: 1,
        point: { t in (side * (0.06 + 0.62 * t), height + 0.03 * sin(t * 4) - 0.10 * t) }, taper: false,
        inAir: false)
      let blade = Float(draw.uniform(0.0, 0.05))
      stroke(
        on: &canvas, width: 0.022, strength: 0.08, from: 0, to: 1,
        point: { t in (side * (0.74 + blade + 0.10 * t * (1 - t)), -0.55 + 0.62 * t) }, taper: false,
        inAir: false)
    }
  }

  /// One posterior rib; `gap` leaves a stepped break at that share of its length.
  func rib(
    on canvas: inout PhantomCanvas, side: Float, start: Float, reach: Float, slope: Float, gap: Float?,
    strength: Float = 0.085
  ) {
    let point: (Float) -> (Float, Float) = { t in
      (side * (0.07 + (reach - 0.07) * t), start - 0.05 * sin(t * 3.1) + slope * t * t)
    }
    guard let gap else {
      stroke(
        on: &canvas, width: 0.026, strength: strength, from: 0, to: 1, point: point, taper: false,
        inAir: false)
      return
    }
    stroke(
      on: &canvas, width: 0.028, strength: strength, from: 0, to: gap - 0.03, point: point, taper: false,
      inAir: false)
    stroke(
      on: &canvas, width: 0.028, strength: strength, from: gap + 0.03, to: 1,
      point: { t in
        let (u, v) = point(t)
        return (u, v + 0.035)
      }, taper: false, inAir: false)
  }

  private func paintSoftTissue(on canvas: inout PhantomCanvas) {
    var draw = key.split("tissue").generator
    if isFemale {
      let lift = Float(draw.uniform(-0.04, 0.06))
      for side: Float in [-1, 1] {
        canvas.paint(PhantomBox(around: side * 0.46, 0.28 + lift, reach: 0.5)) { old, u, v in
          let (a, b) = ((u - side * 0.46) / 0.38, (v - 0.26 - lift) / 0.34)
          let d = 1 - a * a - b * b
          return old + (d <= 0 ? 0 : 0.05 * ramp(d, 0, 0.25) * (v > 0.2 + lift ? 1.2 : 0.7))
        }
      }
    }
    // Gas in the stomach, under the left dome.
    let (gasU, gasV) = (Float(draw.uniform(0.34, 0.46)), domes.right + Float(draw.uniform(0.09, 0.14)))
    canvas.paint(PhantomBox(around: gasU, gasV, reach: 0.13)) { old, u, v in
      let (a, b) = ((u - gasU) / 0.12, (v - gasV) / 0.055)
      return old - 0.22 * ramp(1 - a * a - b * b, 0, 0.5) * ramp(v - diaphragm(u), 0.02, 0.05)
    }
  }

  /// A curve with soft edges.
  func stroke(
    on canvas: inout PhantomCanvas, width: Float, strength: Float, from: Float, to: Float,
    point: (Float) -> (Float, Float), taper: Bool, inAir airOnly: Bool
  ) {
    let steps = 24
    var old = point(from)
    for step in 1...steps {
      let t = from + (to - from) * Float(step) / Float(steps)
      let new = point(t)
      let reach = taper ? width * (1 - 0.75 * t) : width
      segment(
        on: &canvas, old, new, reach: reach, strength: taper ? strength * (1 - 0.6 * t) : strength, airOnly)
      old = new
    }
  }

  private func segment(
    on canvas: inout PhantomCanvas, _ a: (Float, Float), _ b: (Float, Float), reach: Float, strength: Float,
    _ airOnly: Bool
  ) {
    let (du, dv) = (b.0 - a.0, b.1 - a.1)
    let length = max(du * du + dv * dv, 1e-9)
    let box = PhantomBox(
      left: min(a.0, b.0) - reach, right: max(a.0, b.0) + reach, top: min(a.1, b.1) - reach,
      bottom: max(a.1, b.1) + reach)
    canvas.paint(box) { old, u, v in
      let t = ((u - a.0) * du + (v - a.1) * dv) / length
      // Half-open, so that neighboring segments do not both paint a point.
      if t < 0 || t >= 1 { return old }
      let (x, y) = (u - a.0 - t * du, v - a.1 - t * dv)
      let value = strength * bell((x * x + y * y) / (reach * reach))
      return old + (airOnly ? value * air(u, v) : value)
    }
  }
}
