/// In which order, and how often, samples come up in an epoch.
public enum Sampler: Sendable, Equatable {
  /// Every sample once, shuffled by seed and epoch.
  case shuffled
  /// As many draws as samples, with replacement; every class is as likely as every other.
  ///
  /// One number a sample: its class.
  case balanced(classes: [Int])
  /// PyTorch's distributed sampler: `torch.randperm` seeded with `seed` + epoch, its head repeated until all ranks
  /// have equally many.
  case published(seed: UInt64)

  /// Balanced over the first label of each sample; samples without labels are a class of their own.
  public static func balanced(_ samples: [Sample]) -> Sampler {
    .balanced(classes: samples.map { $0.labels.first ?? -1 })
  }
}

/// Samples drawn with chances of their own.
struct WeightedDraw: Sendable {
  /// Sums of the weights up to and with each sample.
  private let sums: [Double]

  /// Weight of a sample: 1 / number of samples of its class.
  init(classes: [Int]) {
    precondition(!classes.isEmpty, "weighted draw: no samples")
    let counts = classes.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
    var sum = 0.0
    sums = classes.map { one in
      sum += 1 / Double(counts[one] ?? 1)
      return sum
    }
  }

  /// One sample; `draw` is uniform in [0, 1).
  func sample(at draw: Double) -> Int {
    let target = draw * (sums.last ?? 0)
    var (low, high) = (0, sums.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > target { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
