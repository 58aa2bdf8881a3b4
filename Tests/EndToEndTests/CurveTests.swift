import Foundation
import Testing

/// Training as the built program does it against curves that PyTorch computed from the same start and the same batches.
///
/// `Tests/Fixtures/curves/curves.json` is written by `Scripts/bench/curves --write_fixtures`; start weights, films and order
/// follow from the seeds in its command lines.
@Suite(.serialized) struct CurveTests {
  struct Case: Decodable, CustomTestStringConvertible, Sendable {
    var name: String
    var arguments: [String]
    /// PyTorch's loss of each step.
    var losses: [Double]
    /// PyTorch's loss of the same batches under the start weights.
    var untrained_losses: [Double]

    var testDescription: String { name }
  }

  struct Curves: Decodable, Sendable {
    var relative_tolerance: Double
    var synth: [String]
    var first_stage: [String]
    var cases: [Case]
  }

  struct Failure: Error, CustomStringConvertible { let description: String }

  static let curves: Curves = {
    let path = Tool.root.appendingPathComponent("Tests/Fixtures/curves/curves.json")
    guard let data = try? Data(contentsOf: path),
      let curves = try? JSONDecoder().decode(Curves.self, from: data)
    else { return Curves(relative_tolerance: 0, synth: [], first_stage: [], cases: []) }
    return curves
  }()

  /// Films, and the run folder of the first stage that prompt tuning starts from.
  static let workspace: Result<(data: String, first: String), any Error> = Result {
    let folder = try Tool.scratch()
    let made = try Tool.run(["synth", "--out", folder + "/data"] + curves.synth)
    guard made.status == 0 else { throw Failure(description: made.errors) }
    let place = (data: folder + "/data", first: "")
    return (place.data, try train(curves.first_stage, place))
  }

  /// The folder of a new run.
  private static func train(_ arguments: [String], _ place: (data: String, first: String)) throws -> String {
    let logs = try Tool.scratch()
    let filled = arguments.map {
      $0.replacingOccurrences(of: "{data}", with: place.data)
        .replacingOccurrences(of: "{first}", with: place.first)
    }
    let result = try Tool.run(["train"] + filled + ["--log_dir", logs, "--experiment_name", "curve"])
    guard result.status == 0 else { throw Failure(description: result.errors) }
    let runs = try FileManager.default.contentsOfDirectory(atPath: logs + "/CLEFT")
    guard runs.count == 1 else { throw Failure(description: "\(runs.count) run folders in \(logs)") }
    return "\(logs)/CLEFT/\(runs[0])"
  }

  /// `train_loss` of each step, in order.
  private func losses(_ run: String) throws -> [Double] {
    let text = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
    return try text.split(separator: "\n").compactMap { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["train_loss"] as? Double
    }
  }

  @Test func theFixturesHoldEveryMethodAndEveryOptimizer() {
    let names = Self.curves.cases.map(\.name)
    for method in ["lora", "ia3", "prefix", "adalora", "full", "prompt_ft", "img_cls_ft"] {
      #expect(names.contains { $0.hasPrefix("\(method)-") }, "\(method)")
    }
    for part in ["-adamw-", "-sgd-", "-adafactor-", "-3"] {
      #expect(names.contains { $0.contains(part) }, "\(part)")
    }
    #expect(Self.curves.relative_tolerance <= 1e-3 && Self.curves.relative_tolerance > 0)
    for curve in Self.curves.cases {
      #expect(curve.losses.count == 20, "\(curve.name)")
      let moves = zip(curve.losses, curve.untrained_losses).map { abs($0 - $1) / abs($1) }
      #expect(moves.max() ?? 0 > 0.2, "\(curve.name): a curve that training does not bend")
    }
  }

  @Test(arguments: CurveTests.curves.cases)
  func aCurveIsPyTorchs(_ curve: Case) throws {
    let found = try losses(Self.train(curve.arguments, Self.workspace.get()))
    try #require(found.count == curve.losses.count)
    for (step, pair) in zip(found, curve.losses).enumerated() {
      let difference = abs(pair.0 - pair.1) / abs(pair.1)
      #expect(
        difference <= Self.curves.relative_tolerance,
        "step \(step + 1): \(pair.0), PyTorch \(pair.1), relative difference \(difference)")
    }
  }

  @Test(arguments: [
    "lora-adamw-1", "prefix-adamw-1", "prompt_ft-adamw-1", "img_cls_ft-adamw-1",
  ])
  func recomputingBlocksChangesNoBit(_ name: String) throws {
    let curve = try #require(Self.curves.cases.first { $0.name == name })
    let place = try Self.workspace.get()
    let kept = try Self.train(curve.arguments, place)
    let recomputed = try Self.train(curve.arguments + ["--grad_ckpt"], place)
    #expect(try losses(kept) == losses(recomputed))
    let file = "checkpoints/step-00000020/model.safetensors"
    let weights = try Data(contentsOf: URL(fileURLWithPath: "\(kept)/\(file)"))
    #expect(try weights == Data(contentsOf: URL(fileURLWithPath: "\(recomputed)/\(file)")))
  }

  @Test func aTraceHoldsWhatAReplayNeeds() throws {
    let curve = try #require(Self.curves.cases.first { $0.name == "lora-adamw-1" })
    let trace = try Tool.scratch() + "/trace"
    let place = try Self.workspace.get()
    let run = try Self.train(curve.arguments + ["--trace", trace, "--trace_steps", "3"], place)
    let contents = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: trace + "/trace.json")))
    let steps = try #require((contents as? [String: Any])?["steps"] as? [[String: Any]])
    #expect(steps.compactMap { $0["step"] as? Int } == [1, 2, 3])
    #expect(steps.compactMap { $0["loss"] as? Double } == Array(try losses(run).prefix(3)))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: trace).sorted() == [
        "step1.batch0.safetensors", "step2.batch0.safetensors", "step3.batch0.safetensors", "trace.json",
        "weights.safetensors",
      ])
    // A trace is never written over another one.
    #expect(throws: Failure.self) { try Self.train(curve.arguments + ["--trace", trace], place) }
  }
}
