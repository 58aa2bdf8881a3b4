import ArgumentParser
import Foundation

/// What the curves of runs are drawn over.
enum RunAxis: String, ExpressibleByArgument, CaseIterable {
  case step, epoch, hours

  /// Below the axis.
  var title: String {
    switch self {
    case .step: "optimizer steps"
    case .epoch: "epochs"
    case .hours: "hours of training"
    }
  }

  /// Where a step of a run lies; nil if the run does not say.
  func place(of step: Double, in run: RunRecord) -> Double? {
    switch self {
    case .step: step
    case .epoch: run.clock.stepsPerEpoch.map { step / $0 }
    case .hours: run.clock.hours(at: step)
    }
  }

  /// Why a run cannot be drawn over this axis.
  var obstacle: String {
    switch self {
    case .step: "no steps"
    case .epoch: "its numbers show no whole epoch"
    case .hours: "its numbers do not say how long it took"
    }
  }
}

/// One direction of a chart: values to places, and the numbers beside it.
struct ChartScale {
  /// Values at both ends.
  let ends: ClosedRange<Double>
  let isLogarithmic: Bool
  let ticks: [Double]
  private let decimals: Int

  /// A scale whose ends are ticks, or for `isTight` the least and the largest value.
  init(_ values: ClosedRange<Double>, tickCount: Int, isTight: Bool = false) {
    isLogarithmic = false
    var (low, high) = (values.lowerBound, values.upperBound)
    if high - low <= abs(high) * 1e-9 {
      // One value alone stands in the middle.
      let room = high == 0 ? 1 : abs(high) * 0.1
      (low, high) = (low - room, high + room)
    }
    let unit = Self.niceUnit((high - low) / Double(max(1, tickCount)))
    let first = isTight ? (low / unit).rounded(.up) : (low / unit).rounded(.down)
    let last = isTight ? (high / unit).rounded(.down) : (high / unit).rounded(.up)
    ticks = first <= last ? (0...Int(last - first)).map { (first + Double($0)) * unit } : []
    ends = isTight ? low...high : first * unit...last * unit
    decimals = max(0, Int(-log10(unit).rounded(.down)))
  }

  /// A scale of powers of ten around positive values.
  init(logarithmic values: ClosedRange<Double>, tickCount: Int) {
    isLogarithmic = true
    let first = Int(log10(values.lowerBound).rounded(.down))
    let last = max(first + 1, Int(log10(values.upperBound).rounded(.up)))
    let distance = max(1, Int((Double(last - first) / Double(max(1, tickCount))).rounded(.up)))
    ticks = stride(from: first, through: last, by: distance).map { pow(10, Double($0)) }
    ends = pow(10, Double(first))...pow(10, Double(last))
    decimals = 0
  }

  /// 1, 2 or 5 times a power of ten, at least `width`.
  private static func niceUnit(_ width: Double) -> Double {
    let power = pow(10, log10(width).rounded(.down))
    return ([1, 2, 5].map { $0 * power }.first { $0 >= width * 0.999_999 }) ?? 10 * power
  }

  /// 0 at the lower end, 1 at the upper one.
  func fraction(_ value: Double) -> Double {
    isLogarithmic
      ? (log10(value) - log10(ends.lowerBound)) / (log10(ends.upperBound) - log10(ends.lowerBound))
      : (value - ends.lowerBound) / (ends.upperBound - ends.lowerBound)
  }

  /// A tick's number: `0.05`, `1500`, `20k`, `1e-5`.
  func label(_ tick: Double) -> String {
    if tick == 0 { return "0" }
    let most = max(abs(ends.lowerBound), abs(ends.upperBound))
    if isLogarithmic || most < 1e-3 {
      let exponent = Int(log10(abs(tick)).rounded(.down))
      let factor = (tick / pow(10, Double(exponent)) * 100).rounded() / 100
      return "\(String(format: "%g", factor))e\(exponent)"
    }
    for (size, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where most >= 10 * size {
      return "\(String(format: "%g", tick / size))\(letter)"
    }
    return String(format: "%.\(decimals)f", tick)
  }
}
