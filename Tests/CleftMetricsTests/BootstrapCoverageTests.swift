import CleftMetrics
import CleftTensor
import Foundation
import Testing

/// Whether 95 % intervals hold the truth in about 95 of 100 cases.
@Suite struct BootstrapCoverageTests {
  /// Binormal scores: two classes whose scores are normal, so far apart that the AUC is known.
  struct Setting: Sendable, CustomTestStringConvertible {
    var samples: Int
    var auc, positives: Double
    /// Samples of a patient, who have half of their variance in common.
    var perPatient: Int

    var testDescription: String {
      "\(samples) samples, AUC \(auc), \(positives) positive, \(perPatient) a patient"
    }
  }

  /// The interval of one synthetic test set's AUC.
  private func interval(_ setting: Setting, _ key: RandomKey) -> Interval? {
    let distance = NormalDistribution.quantile(setting.auc) * 2.0.squareRoot()
    let clusters = (0..<setting.samples).map { $0 / setting.perPatient }
    let labels = key.split("labels")
    let isPositive = clusters.indices.map { index in
      // Two of three samples have their patient's finding.
      let source = setting.perPatient > 1 && index % 3 > 0 ? clusters[index] : setting.samples + index
      return labels.uniform(at: source) < setting.positives
    }
    let shared = setting.perPatient > 1 ? 0.5.squareRoot() : 0
    let own = (1 - shared * shared).squareRoot()
    let (patients, noise) = (
      normals(key.split("patients"), setting.samples), normals(key.split("noise"), setting.samples)
    )
    let scores = clusters.indices.map { index in
      shared * patients[clusters[index]] + own * noise[index] + (isPositive[index] ? distance : 0)
    }
    let ranked = RankedScores(scores: scores, isPositive: isPositive)
    let found = Bootstrap(draws: 250, key: key.split("bootstrap")).resample(clusters: clusters) { weights in
      [ranked.auc(weights: weights)]
    }
    return found.interval(of: 0).interval
  }

  @Test(arguments: [
    Setting(samples: 60, auc: 0.75, positives: 0.5, perPatient: 1),
    Setting(samples: 60, auc: 0.95, positives: 0.5, perPatient: 1),
    Setting(samples: 150, auc: 0.95, positives: 0.4, perPatient: 3),
    Setting(samples: 150, auc: 0.8, positives: 0.3, perPatient: 2),
    Setting(samples: 240, auc: 0.95, positives: 0.3, perPatient: 1),
  ])
  func intervalsHoldTheTruth(_ setting: Setting) {
    let root = RandomKey(seed: 2)
    let intervals = (0..<200).compactMap { interval(setting, root.split("set", $0)) }
    #expect(intervals.count >= 196)
    let held = intervals.count { $0.lower <= setting.auc && setting.auc <= $0.upper }
    let share = Double(held) / Double(intervals.count)
    #expect(share >= 0.91 && share <= 0.98)
  }
}
