import ArgumentParser
import CleftMetrics
import Foundation

/// Which linear probes, of which features, on which shares of the labels.
struct ProbeOptions: ParsableArguments {
  /// What is taken of the model.
  enum Feature: String, ExpressibleByArgument, CaseIterable {
    /// What the image tower gives before the projection.
    case backbone
    /// The unit vector that captions are compared with.
    case embedding
  }

  @Option(
    help: .value(
      "shares",
      "Shares of the training patients to learn from, above 0 up to 1, separated by commas; empty for none."))
  var fractions = "0.01,0.1,1"

  @Option(
    help: .value(
      "counts",
      "Few-shot: training pictures of each class, such as 1,4,16, separated by commas. Default: none."))
  var shots: String?

  @Option(
    help: .value(
      "methods", "logistic: probabilities by cross-entropy; ridge: squared error; both separated by a comma.")
  )
  var method = "logistic,ridge"

  @Option(
    help: .value(
      "name",
      "backbone: what the image tower gives before the projection; embedding: the vector that captions are compared with."
    ))
  var feature: Feature = .backbone

  @Option(help: .value("draws", "Draws of every share below 1 and of all shots, 1 ... 1000."))
  var repeats = 5

  @Flag(
    help:
      "Each class is a question of its own; pictures may have several classes, or none. A classifier trained so is always probed so."
  )
  var multi_label = false

  @Option(help: .value("draws", "Draws of test patients for 95 % intervals, 0 (none) or 100 ... 100000."))
  var bootstrap = 1000

  @Option(help: .value("number", "Seed of everything drawn, from 0."))
  var seed: UInt64 = 42

  @Option(
    help: .value("folder", "Folder for probe.json and probe.csv. Default: none, the table is printed only."))
  var out: String?

  mutating func validate() throws {
    try requireOption((1...1000).contains(repeats), "repeats", repeats, "1 ... 1000")
    try requireOption(
      bootstrap == 0 || (100...100_000).contains(bootstrap), "bootstrap", bootstrap, "0 or 100 ... 100000")
    if out == "" { throw ValidationError("--out is empty; expected a folder.") }
    _ = try methods
    if try sizes.isEmpty {
      throw ValidationError("--fractions is empty and there are no --shots; expected one of them.")
    }
  }

  /// Parts of the training set, shares first, each once, ascending.
  var sizes: [LabelShare.Size] {
    get throws {
      let shares = try numbers(fractions, "fractions", "numbers above 0 up to 1, such as 0.01,0.1,1") {
        Double($0).flatMap { $0 > 0 && $0 <= 1 ? $0 : nil }
      }
      let counts = try numbers(shots ?? "", "shots", "whole numbers 1 ... 1000000, such as 1,4,16") {
        Int($0).flatMap { (1...1_000_000).contains($0) ? $0 : nil }
      }
      return Set(shares).sorted().map { .fraction($0) } + Set(counts).sorted().map { .shots($0) }
    }
  }

  /// What probes make least, each once, in the order given.
  var methods: [ProbeMethod] {
    get throws {
      let names = ProbeMethod.allCases.map(\.rawValue).joined(separator: ", ")
      let all = try numbers(method, "method", "\(names), or both separated by a comma") {
        ProbeMethod(rawValue: $0)
      }
      try requireOption(!all.isEmpty, "method", "empty", "\(names), or both separated by a comma")
      return all.enumerated().filter { all.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }
  }

  private func numbers<Value>(
    _ text: String, _ name: String, _ expected: String, _ read: (String) -> Value?
  ) throws -> [Value] {
    if text.trimmingCharacters(in: .whitespaces).isEmpty { return [] }
    return try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      let word = part.trimmingCharacters(in: .whitespaces)
      guard let value = read(word) else {
        throw ValidationError("--\(name) has '\(word)'; expected \(expected).")
      }
      return value
    }
  }
}
