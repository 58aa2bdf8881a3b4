import Foundation

/// How values are spread, in buckets whose widths grow by a tenth from one to the next.
///
/// Values that are not finite fall into no bucket and are not counted.
///
/// - Source: TensorFlow's `histogram.cc`; equal to `make_histogram` of `torch.utils.tensorboard` with its own buckets
///   for magnitudes below 1e20. Larger ones, which that leaves out, are in a last bucket here.
public struct HistogramSummary: Sendable, Equatable {
  /// Smallest and largest value.
  public private(set) var min = Double.infinity, max = -Double.infinity
  /// Number of values, their sum and the sum of their squares.
  public private(set) var count = 0.0, sum = 0.0, squares = 0.0
  /// Right ends of the buckets from the first that has a value to the last, behind the left end of the first.
  public private(set) var limits: [Double] = []
  /// Values in each bucket; the first, left of all values, is empty.
  public private(set) var counts: [Double] = []

  /// Counts values.
  ///
  /// - Returns: nil if none of them is finite.
  public init?(_ values: some Sequence<Float>) {
    let edges = Self.edges
    var found = [Double](repeating: 0, count: edges.count)
    for value in values where value.isFinite {
      let value = Double(value)
      min = Swift.min(min, value)
      max = Swift.max(max, value)
      count += 1
      sum += value
      squares += value * value
      found[Self.bucket(of: value, edges)] += 1
    }
    guard let first = found.firstIndex(where: { $0 > 0 }), let last = found.lastIndex(where: { $0 > 0 })
    else {
      return nil
    }
    limits = Array(edges[first...last + 1])
    counts = [0] + found[first...last]
  }

  /// The bucket that starts at the last edge not above `value`.
  private static func bucket(of value: Double, _ edges: [Double]) -> Int {
    var (low, high) = (0, edges.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if edges[middle] <= value { low = middle } else { high = middle }
    }
    return low
  }

  /// Ends of the buckets: 0, ±1e-12 and on by a tenth up to 1e20, and what a number can reach.
  private static let edges: [Double] = {
    var positive: [Double] = []
    var edge = 1e-12
    while edge < 1e20 {
      positive.append(edge)
      edge *= 1.1
    }
    positive.append(.greatestFiniteMagnitude)
    return positive.reversed().map { -$0 } + [0] + positive
  }()

  /// The message `HistogramProto`.
  var message: Data {
    ProtobufWriter.message { histogram in
      histogram.double(1, min)
      histogram.double(2, max)
      histogram.double(3, count)
      histogram.double(4, sum)
      histogram.double(5, squares)
      histogram.doubles(6, limits)
      histogram.doubles(7, counts)
    }
  }
}
