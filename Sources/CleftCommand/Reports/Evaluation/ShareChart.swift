import CleftMetrics
import Foundation

/// Axes from 0 to 100 % in both directions, and what is drawn between them.
struct ShareChart {
  /// What the drawing shows, for those who do not see it.
  let label: String
  let horizontal, vertical: String
  /// Width of the drawing; a small one has numbers at the ends of its axes alone.
  var width = 368.0
  var height = 330.0
  /// Room below the axes for something else.
  var below = 0.0

  private var isSmall: Bool { width < 300 }
  private var left: Double { isSmall ? 30 : 50 }
  private var right: Double { isSmall ? 14 : 18 }
  private var top: Double { 10 }
  private var bottom: Double { (isSmall ? 32 : 44) + below }

  /// Place of a share on the horizontal axis.
  func x(_ share: Double) -> Double { left + (width - left - right) * min(1, max(0, share)) }

  /// Place of a share on the vertical axis.
  func y(_ share: Double) -> Double { top + (height - top - bottom) * (1 - min(1, max(0, share))) }

  /// Where the room below the axes begins.
  var floor: Double { height - below }

  /// The drawing.
  func svg(_ parts: [String]) -> String {
    """
    <svg role="img" aria-label="\(label.escaped)" viewBox="0 0 \(Self.text(width)) \(Self.text(height))" \
    width="\(Self.text(width))" height="\(Self.text(height))">
    \((axes + parts).joined(separator: "\n"))
    </svg>
    """
  }

  private var axes: [String] {
    let shares = isSmall ? [0, 1] : [0, 0.2, 0.4, 0.6, 0.8, 1]
    let lines = (isSmall ? [0, 0.5, 1] : shares).map { share in
      line(x(0), y(share), x(1), y(share), "grid") + line(x(share), y(0), x(share), y(1), "grid")
    }
    let numbers = shares.map { share in
      let percent = MetricText.fixed(100 * share, 0)
      return text(x(0) - 6, y(share) + 4, percent, "end") + text(x(share), y(0) + 15, percent, "middle")
    }
    let middle = (y(0) + y(1)) / 2
    let names = [
      text((x(0) + x(1)) / 2, y(0) + (isSmall ? 28 : 34), horizontal, "middle"),
      """
      <text class="n" transform="translate(\(isSmall ? 14 : 13) \(Self.text(middle))) rotate(-90)" \
      text-anchor="middle">\(vertical.escaped)</text>
      """,
    ]
    return lines + numbers + names
  }

  /// A straight line between places.
  func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) -> String {
    """
    <line class="\(style)" x1="\(Self.text(x1))" y1="\(Self.text(y1))" x2="\(Self.text(x2))" y2="\(Self.text(y2))"/>
    """
  }

  /// Soft text at a place.
  func text(_ x: Double, _ y: Double, _ text: String, _ anchor: String) -> String {
    """
    <text class="n" x="\(Self.text(x))" y="\(Self.text(y))" text-anchor="\(anchor)">\(text.escaped)</text>
    """
  }

  /// A curve, without points too near to each other to be told apart.
  func curve(_ points: [CurvePoint], _ attributes: String, title: String) -> String {
    var places: [(x: Double, y: Double)] = []
    for (index, point) in points.enumerated() {
      let place = (x: x(point.x), y: y(point.y))
      if let last = places.last, index + 1 < points.count, abs(place.x - last.x) + abs(place.y - last.y) < 0.6
      {
        continue
      }
      places.append(place)
    }
    let list = places.map { "\(Self.text($0.x)),\(Self.text($0.y))" }.joined(separator: " ")
    return "<polyline \(attributes) points=\"\(list)\"><title>\(title.escaped)</title></polyline>"
  }

  /// A place to a tenth.
  static func text(_ value: Double) -> String {
    let text = String(format: "%.1f", value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
