import Foundation

/// The curves of one number over all runs, as a drawing.
struct RunChart {
  let title: String
  let axis: RunAxis
  let curves: [RunCurve]
  /// Where the axis ends, so that all charts of a page do alike.
  let range: ClosedRange<Double>
  /// Whether single values jump so much that their means are the curve.
  var isSmoothed = false
  /// Whether powers of ten suit the values better where they span several.
  var mayBeLogarithmic = false

  /// How charts, their grid and their legend look.
  static let css = """

    .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem }
    .chart { margin: 0; break-inside: avoid } .chart figcaption { padding-bottom: .3rem; min-height: 2.9em }
    .chart svg { width: 100%; height: auto }
    .chart polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }
    .chart polyline.faint { stroke-width: 1; opacity: .25 } .chart circle { stroke: none }
    .grid { stroke: var(--rule) } .legend { list-style: none; margin: 0 0 1rem; padding: 0 }
    .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem } .legend li { overflow-wrap: anywhere }
    .sample { display: inline-block; vertical-align: middle; flex: none }
    @media print { .charts { grid-template-columns: 1fr 1fr } .chart svg text { font-size: 13.5px } }

    """

  private static let (width, height) = (420.0, 270.0)
  private static let (top, bottom, right) = (8.0, 40.0, 16.0)

  /// The figure; empty without a value.
  func html() -> String {
    let drawn = curves.filter { !$0.points.isEmpty }
    let smooth = isSmoothed ? drawn.map { $0.smoothed() } : drawn.map { _ in nil }
    let lines = zip(drawn, smooth).map { $1?.curve ?? $0 }
    guard let y = scale(drawn, lines) else { return "" }
    let x = ChartScale(range, tickCount: 5, isTight: true)
    let left = 14 + 7 * Double(y.ticks.map { y.label($0).count }.max() ?? 1)
    let frame = Frame(
      left: left, top: Self.top, width: Self.width - left - Self.right,
      height: Self.height - Self.top - Self.bottom, x: x, y: y)
    let faint = zip(drawn, smooth).filter { $1 != nil }.map { raw, _ in path(raw, frame, isFaint: true) }
    let bold = lines.map { path($0, frame, isFaint: false) }
    return """
      <figure class="chart"><figcaption>\(caption(drawn, smooth.compactMap { $0?.width }, y).escaped)</figcaption>
      <svg role="img" aria-label="\(title.escaped)" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))">
      \((axes(frame) + faint + bold).joined(separator: "\n"))
      </svg></figure>
      """
  }

  private func caption(_ drawn: [RunCurve], _ widths: [Int], _ y: ChartScale) -> String {
    var text = title
    if let least = widths.min(), let most = widths.max() {
      text += "; bold: means over \(least == most ? "\(least)" : "\(least) to \(most)") values"
    }
    if y.isLogarithmic { text += "; powers of ten" }
    let outside = drawn.flatMap(\.points).filter { !y.ends.contains($0.y) }.count
    return outside == 0 ? text : text + "; \(outside) value\(outside == 1 ? "" : "s") beyond the scale"
  }

  /// The scale of the values: all of the bold lines, and the faint ones without rare peaks.
  private func scale(_ drawn: [RunCurve], _ lines: [RunCurve]) -> ChartScale? {
    var values = lines.flatMap { $0.points.map(\.y) }
    if isSmoothed {
      for curve in drawn {
        let sorted = curve.points.map(\.y).sorted()
        let cut = sorted.count / 200
        values += [sorted[cut], sorted[sorted.count - 1 - cut]]
      }
    }
    let positive = values.filter { $0 > 0 }.sorted()
    if mayBeLogarithmic, let least = positive.first, let most = positive.last {
      let peaks = drawn.compactMap { $0.points.map(\.y).max() }.filter { $0 > 0 }
      let spread = (peaks.max() ?? 1) / (peaks.min() ?? 1)
      // A tenth of the values in the lowest thousandth, or peaks far from each other, vanish on a plain scale.
      if spread >= 10 || most / positive[positive.count / 10] >= 1000 {
        return ChartScale(logarithmic: least...most, tickCount: 6)
      }
    }
    return Self.range(values).map { ChartScale($0, tickCount: 5) }
  }

  private static func range(_ values: [Double]) -> ClosedRange<Double>? {
    guard let least = values.min(), let most = values.max() else { return nil }
    return least...most
  }

  private func axes(_ frame: Frame) -> [String] {
    let (right, bottom) = (frame.left + frame.width, frame.top + frame.height)
    let horizontal = frame.y.ticks.map { tick in
      let place = frame.vertical(tick)
      return """
        <line class="grid" x1="\(text(frame.left))" y1="\(text(place))" x2="\(text(right))" y2="\(text(place))"/>\
        <text class="n" x="\(text(frame.left - 6))" y="\(text(place + 4))" text-anchor="end">\
        \(frame.y.label(tick))</text>
        """
    }
    let vertical = frame.x.ticks.map { tick in
      let place = frame.horizontal(tick)
      return """
        <line class="grid" x1="\(text(place))" y1="\(text(bottom))" x2="\(text(place))" y2="\(text(bottom + 4))"/>\
        <text class="n" x="\(text(place))" y="\(text(bottom + 17))" text-anchor="middle">\
        \(frame.x.label(tick))</text>
        """
    }
    let name = """
      <text class="n" x="\(text(frame.left + frame.width / 2))" y="\(text(bottom + 34))" text-anchor="middle">\
      \(axis.title)</text>
      """
    return horizontal + vertical + [name]
  }

  private func path(_ curve: RunCurve, _ frame: Frame, isFaint: Bool) -> String {
    let thin = curve.thinned()
    let shown = frame.y.isLogarithmic ? thin.points.filter { $0.y > 0 } : thin.points
    let places = shown.map { "\(text(frame.horizontal($0.x))),\(text(frame.vertical($0.y)))" }
    let attributes =
      isFaint ? "class=\"faint c\(curve.run % 8)\"" : RunCurve.attributes(curve.run)
    let label = "<title>\(RunComparison.label(curve.run)) \(curve.name.escaped)</title>"
    var drawing = "<polyline \(attributes) points=\"\(places.joined(separator: " "))\">\(label)</polyline>"
    if !isFaint, shown.count <= 25 {
      // Few values are seen as such; one alone would not be seen at all.
      drawing += shown.map {
        """
        <circle \(RunCurve.attributes(curve.run)) fill="currentColor" cx="\(text(frame.horizontal($0.x)))" \
        cy="\(text(frame.vertical($0.y)))" r="2.5">\(label)</circle>
        """
      }.joined()
    }
    return drawing
  }

  private func text(_ value: Double) -> String {
    let text = String(format: "%.1f", value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// Where values lie in the drawing.
  private struct Frame {
    let left, top, width, height: Double
    let x, y: ChartScale

    func horizontal(_ value: Double) -> Double { left + width * x.fraction(value) }

    /// What lies beyond the scale is drawn at its edge.
    func vertical(_ value: Double) -> Double { top + height * (1 - min(1, max(0, y.fraction(value)))) }
  }
}
