import Foundation

/// The standard normal distribution, and how much wider Student's is.
package enum NormalDistribution {
  /// Share below `z`.
  package static func cumulative(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

  /// The point below which a share lies; infinite at 0 and 1.
  ///
  /// - Source: a first guess by Abramowitz and Stegun 26.2.23, then Halley's steps to the last bits.
  package static func quantile(_ share: Double) -> Double {
    if share <= 0 { return -.infinity }
    if share >= 1 { return .infinity }
    if share > 0.5 { return -quantile(1 - share) }
    let t = (-2 * log(share)).squareRoot()
    let above = 2.515517 + t * (0.802853 + t * 0.010328)
    let below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    var z = above / below - t
    for _ in 0..<3 {
      let step = (cumulative(z) - share) * (2 * Double.pi).squareRoot() * exp(z * z / 2)
      z -= step / (1 + z * step / 2)
    }
    return z
  }

  /// Student's two-sided 95 % bound, 1.96 for many degrees of freedom.
  ///
  /// - Numerics: exact for 1 and 2, else within 0.2 % (3) to 1e-6 (30 and more).
  /// - Source: Abramowitz and Stegun 26.7.5.
  package static func studentBound(degreesOfFreedom count: Int) -> Double {
    precondition(count > 0, "Student's distribution: \(count) degrees of freedom")
    if count == 1 { return tan(Double.pi * 0.475) }
    if count == 2 { return 0.95 * (2 / (1 - 0.95 * 0.95)).squareRoot() }
    let z = quantile(0.975)
    let (s, n) = (z * z, Double(count))
    let first = z * (s + 1) / 4
    let second = z * (3 + s * (16 + s * 5)) / 96
    let third = z * (-15 + s * (17 + s * (19 + s * 3))) / 384
    let fourth = z * (-945 + s * (-1920 + s * (1482 + s * (776 + s * 79)))) / 92160
    return z + (first + (second + (third + fourth / n) / n) / n) / n
  }
}
