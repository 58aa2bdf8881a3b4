import CleftTensor
import Foundation

extension ChestPhantom {
  /// Paints one finding over the healthy chest and says where it lies.
  ///
  /// - Parameter difficulty: 0 plain … 1 subtle; scales contrast and extent.
  /// - Returns: boxes in body coordinates; empty for findings that are measures of the anatomy itself.
  func paint(_ finding: Finding, on canvas: inout PhantomCanvas, difficulty: Float) -> [PhantomBox] {
    var draw = key.split("finding", Finding.allCases.firstIndex(of: finding) ?? 0).generator
    let side: Float = draw.chance(0.5) ? 1 : -1
    let strength = 1 - 0.55 * difficulty
    switch finding {
    case .cardiomegaly:
      let heart = heart
      return [
        PhantomBox(
          left: heart.u - heart.a, right: heart.u + heart.a, top: heart.v - heart.b, bottom: heart.v + heart.b
        )
      ]
    case .enlargedCardiomediastinum:
      return [PhantomBox(left: -mediastinum, right: mediastinum, top: -0.6, bottom: 0)]
    case .lungOpacity: return [haze(on: &canvas, &draw, side: side, strength: strength)]
    case .lungLesion: return [nodule(on: &canvas, &draw, side: side, strength: strength)]
    case .edema: return edema(on: &canvas, &draw, strength: strength)
    case .consolidation: return [consolidation(on: &canvas, &draw, side: side, strength: strength)]
    case .pneumonia: return [pneumonia(on: &canvas, &draw, side: side, strength: strength)]
    case .atelectasis: return [atelectasis(on: &canvas, &draw, side: side, strength: strength)]
    case .pneumothorax: return [pneumothorax(on: &canvas, &draw, side: side, strength: strength)]
    case .pleuralEffusion: return [effusion(on: &canvas, &draw, side: side, strength: strength)]
    case .pleuralOther: return [pleuralThickening(on: &canvas, &draw, side: side, strength: strength)]
    case .fracture: return [fracture(on: &canvas, &draw, side: side, strength: strength)]
    case .supportDevices: return devices(on: &canvas, &draw)
    case .noFinding: return []
    }
  }

  private func haze(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let (u0, v0) = (side * Float(draw.uniform(0.32, 0.5)), Float(draw.uniform(-0.4, 0.25)))
    let reach = Float(draw.uniform(0.2, 0.3))
    let box = PhantomBox(around: u0, v0, reach: reach)
    canvas.paint(box) { old, u, v in
      let d = ((u - u0) * (u - u0) + (v - v0) * (v - v0)) / (reach * reach)
      return old + strength * 0.16 * bell(d) * air(u, v)
    }
    return box
  }

  private func nodule(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let (u0, v0) = (side * Float(draw.uniform(0.28, 0.55)), Float(draw.uniform(-0.5, 0.2)))
    let reach = Float(draw.uniform(0.055, 0.095))
    let box = PhantomBox(around: u0, v0, reach: reach * 1.3)
    canvas.paint(box) { old, u, v in
      let d = ((u - u0) * (u - u0) + (v - v0) * (v - v0)).squareRoot() / reach
      return old + strength * 0.24 * ramp(1.1 - d + 0.08 * noise.texture(u, v, 20), 0, 0.3) * air(u, v)
    }
    return box
  }

  /// Bilateral haze around the hila, thick vessels, short horizontal lines at the chest wall.
  private func edema(on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, strength: Float)
    -> [PhantomBox]
  {
    let spread = Float(draw.uniform(0.36, 0.48))
    canvas.paint(PhantomBox(left: -0.85, right: 0.85, top: -0.75, bottom: 0.75)) { old, u, v in
      let lung = air(u, v)
      if lung == 0 { return old }
      let side = abs(u) - 0.22
      let wing = bell((side * side) / (spread * spread) + (v - 0.02) * (v - 0.02) / 0.42)
      let patchy = 0.75 + 0.5 * noise.texture(u, v, 7)
      return old + strength * lung * (0.05 + 0.27 * wing * patchy)
    }
    for side: Float in [-1, 1] {
      for index in 0..<6 {
        let v0 = 0.12 + 0.05 * Float(index) + Float(draw.uniform(-0.01, 0.01))
        let wall = cage(v0) - 0.02
        stroke(
          on: &canvas, width: 0.008, strength: 0.14 * strength, from: 0, to: 1,
          point: { t in (side * (wall - 0.11 * t), v0) }, taper: false, inAir: true)
      }
    }
    return [-1, 1].map { side in
      PhantomBox(left: side * 0.3 - 0.25, right: side * 0.3 + 0.25, top: -0.4, bottom: 0.4)
    }
  }

  /// A dense lobe with one sharp border and dark airways inside.
  private func consolidation(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let isUpper = draw.chance(0.5)
    let fissure = Float(draw.uniform(-0.16, -0.06))
    let tilt = Float(draw.uniform(-0.12, 0.12))
    let extent = Float(draw.uniform(0.40, 0.52))
    canvas.paint(PhantomBox(left: side * 0.45 - 0.45, right: side * 0.45 + 0.45, top: -0.9, bottom: 0.6)) {
      old, u, v in
      if u * side <= 0 { return old }
      let edge = fissure + tilt * (abs(u) - 0.4)
      let beyond = isUpper ? edge - v : v - edge
      let lobe = ramp(beyond, 0, 0.025) * ramp(extent - beyond, 0, 0.18)
      let airways = max(0, noise.texture(u, v, 11) - 0.30)
      return old + strength * lobe * air(u, v) * (0.30 - 0.30 * airways + 0.03 * noise.value(u * 5, v * 5))
    }
    return PhantomBox(
      left: min(side * 0.1, side * 0.72), right: max(side * 0.1, side * 0.72),
      top: isUpper ? fissure - extent : fissure, bottom: isUpper ? fissure : fissure + extent)
  }

  /// Several ill-defined patches of uneven density in one lung.
  private func pneumonia(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let (u0, v0) = (side * Float(draw.uniform(0.32, 0.46)), Float(draw.uniform(-0.25, 0.22)))
    let patches = (0..<5).map { _ in
      (
        u0 + Float(draw.uniform(-0.17, 0.17)), v0 + Float(draw.uniform(-0.2, 0.2)),
        Float(draw.uniform(0.11, 0.19))
      )
    }
    let box = PhantomBox(around: u0, v0, reach: 0.42)
    canvas.paint(box) { old, u, v in
      let lung = air(u, v)
      if lung == 0 { return old }
      var sum: Float = 0
      for patch in patches {
        let d = ((u - patch.0) * (u - patch.0) + (v - patch.1) * (v - patch.1)) / (patch.2 * patch.2)
        sum = max(sum, bell(d * 0.8))
      }
      let grain = 0.72 + 0.75 * noise.texture(u, v, 13)
      return old + strength * lung * 0.30 * sum * max(0.1, grain)
    }
    return PhantomBox(around: u0, v0, reach: 0.3)
  }

  /// Plate-like bands above a raised dome.
  private func atelectasis(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let bands = 3
    let base = diaphragm(side * 0.4) - 0.10
    let rise = Float(draw.uniform(0.08, 0.14))
    for band in 0..<bands {
      let v0 = base - 0.115 * Float(band) - Float(draw.uniform(0, 0.03))
      let tilt = Float(draw.uniform(-0.06, 0.10))
      let (from, to) = (Float(draw.uniform(0.16, 0.24)), Float(draw.uniform(0.54, 0.66)))
      stroke(
        on: &canvas, width: 0.030, strength: 0.30 * strength, from: 0, to: 1,
        point: { t in (side * (from + (to - from) * t), v0 - tilt * t) }, taper: false, inAir: true)
    }
    canvas.paint(PhantomBox(left: side * 0.45 - 0.4, right: side * 0.45 + 0.4, top: base - 0.2, bottom: 0.8))
    { old, u, v in
      if u * side <= 0 { return old }
      let raised = ramp(v - (diaphragm(u) - rise), 0, 0.03) * air(u, v)
      return old + strength * 0.34 * raised
    }
    return PhantomBox(
      left: min(side * 0.15, side * 0.68), right: max(side * 0.15, side * 0.68), top: base - 0.32,
      bottom: base + 0.16)
  }

  /// A thin pleural line with empty, darker space between it and the chest wall.
  private func pneumothorax(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let gap = Float(draw.uniform(0.13, 0.22)) * (0.6 + 0.4 * strength)
    let end = Float(draw.uniform(0.1, 0.35))
    canvas.paint(PhantomBox(left: side * 0.45 - 0.45, right: side * 0.45 + 0.45, top: -0.9, bottom: 0.5)) {
      old, u, v in
      if u * side <= 0 { return old }
      let depth = min(cage(v) - abs(u), v - (apex + 1.3 * (abs(u) - 0.30) * (abs(u) - 0.30)))
      let local = gap * ramp(end - v, 0, 0.5)
      if depth < 0 || local <= 0.01 { return old }
      let empty = ramp(local - depth, 0, 0.012) * air(u, v)
      let line = bell((depth - local) * (depth - local) / 0.00030)
      let smooth = old * (1 - 0.45 * empty) - 0.02 * empty
      return smooth + 0.20 * line * (0.6 + 0.4 * strength)
    }
    return PhantomBox(
      left: min(side * 0.35, side * 0.8), right: max(side * 0.35, side * 0.8), top: -0.8, bottom: end)
  }

  /// Fluid that fills the costophrenic angle, its surface rising toward the chest wall.
  private func effusion(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let depth = Float(draw.uniform(0.30, 0.56)) * (0.55 + 0.45 * strength)
    let level = diaphragm(side * 0.5) - depth
    canvas.paint(
      PhantomBox(left: side * 0.45 - 0.45, right: side * 0.45 + 0.45, top: level - 0.25, bottom: 0.9)
    ) { old, u, v in
      if u * side <= 0 { return old }
      let wall = abs(u) / cage(v)
      let surface = level + 0.16 - 0.34 * wall * wall * wall
      let fluid = ramp(v - surface, 0, 0.06)
      // Within the rib cage, and fading into the abdomen behind the dome.
      let inside = ramp(cage(v) + 0.01 - abs(u), 0, 0.05) * ramp(diaphragm(u) + 0.30 - v, 0, 0.22)
      let target: Float = 0.76  // denser than the abdomen behind it
      let share = fluid * inside
      return old + max(0, target - old) * share * (0.75 + 0.25 * strength)
    }
    return PhantomBox(
      left: min(side * 0.2, side * 0.8), right: max(side * 0.2, side * 0.8), top: level, bottom: 0.7)
  }

  private func pleuralThickening(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let (top, bottom) = (Float(draw.uniform(-0.55, -0.3)), Float(draw.uniform(0.0, 0.25)))
    let width = Float(draw.uniform(0.06, 0.09))
    canvas.paint(PhantomBox(left: side * 0.5 - 0.4, right: side * 0.5 + 0.4, top: top, bottom: bottom)) {
      old, u, v in
      if u * side <= 0 { return old }
      let depth = cage(v) - abs(u)
      let rim = ramp(width + 0.025 * noise.value(v * 9, 2) - depth, 0, 0.02) * ramp(depth, -0.02, 0.01)
      return old + strength * 0.24 * rim * ramp(v - top, 0, 0.08) * ramp(bottom - v, 0, 0.08)
    }
    return PhantomBox(
      left: min(side * 0.55, side * 0.82), right: max(side * 0.55, side * 0.82), top: top, bottom: bottom)
  }

  private func fracture(
    on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator, side: Float, strength: Float
  ) -> PhantomBox {
    let start = apex + 0.12 + 0.145 * Float(Int(draw.uniform(1, 5)))
    let reach = cage(start + 0.12) + 0.02
    let gap = Float(draw.uniform(0.55, 0.8))
    rib(on: &canvas, side: side, start: start, reach: reach, slope: 0.26, gap: gap, strength: 0.17 * strength)
    let u0 = side * (0.07 + (reach - 0.07) * gap)
    let v0 = start - 0.05 * sin(gap * 3.1) + 0.26 * gap * gap
    stroke(
      on: &canvas, width: 0.012, strength: -0.16 * strength, from: 0, to: 1,
      point: { t in (u0 - side * 0.012, v0 - 0.06 + 0.13 * t) }, taper: false, inAir: false)
    return PhantomBox(around: u0, v0, reach: 0.1)
  }

  /// A pacemaker with leads, or a tracheal tube with a central line; electrodes with either.
  private func devices(on canvas: inout PhantomCanvas, _ draw: inout RandomGenerator) -> [PhantomBox] {
    var boxes: [PhantomBox] = []
    if draw.chance(0.5) {
      let (u0, v0) = (Float(draw.uniform(0.5, 0.58)), Float(draw.uniform(-0.62, -0.52)))
      canvas.paint(PhantomBox(around: u0, v0, reach: 0.14)) { old, u, v in
        let (a, b) = (abs(u - u0) / 0.10, abs(v - v0) / 0.085)
        let can = ramp(1 - a * a * a * a - b * b * b * b, 0, 0.12)
        return max(old, can * 0.97)
      }
      let heart = heart
      for lead in 0..<2 {
        let end = (heart.u + Float(lead) * 0.12, heart.v + 0.02 + Float(lead) * 0.14)
        stroke(
          on: &canvas, width: 0.010, strength: 0.34, from: 0, to: 1,
          point: { t in
            (
              u0 * (1 - t) * (1 - t) + 0.02 * 2 * t * (1 - t) + end.0 * t * t,
              v0 * (1 - t) * (1 - t) - 0.85 * 2 * t * (1 - t) * 0.6 + end.1 * t * t
            )
          }, taper: false, inAir: false)
      }
      boxes.append(PhantomBox(around: u0, v0, reach: 0.13))
    } else {
      let tip = Float(draw.uniform(-0.32, -0.22))
      stroke(
        on: &canvas, width: 0.016, strength: 0.24, from: 0, to: 1,
        point: { t in (-0.005 + 0.01 * t, -1 + (tip + 1) * t) }, taper: false, inAir: false)
      stroke(
        on: &canvas, width: 0.010, strength: 0.30, from: 0, to: 1,
        point: { t in (-0.42 + 0.36 * ramp(t, 0, 0.7), -0.95 + 0.9 * t * t + 0.1 * t) }, taper: false,
        inAir: false)
      boxes.append(PhantomBox(left: -0.45, right: 0.05, top: -1, bottom: 0.05))
    }
    for _ in 0..<3 {
      let (u0, v0) = (Float(draw.uniform(-0.7, 0.7)), Float(draw.uniform(-0.5, 0.5)))
      canvas.paint(PhantomBox(around: u0, v0, reach: 0.04)) { old, u, v in
        let d = ((u - u0) * (u - u0) + (v - v0) * (v - v0)).squareRoot() / 0.03
        return old + 0.22 * bell((d - 0.6) * (d - 0.6) * 6)
      }
    }
    return boxes
  }
}
