import CleftFormats
import CleftTraining
import Foundation
import Testing

/// Numbers that go wrong: what is called odd, and what happens then.
@Suite struct StepGuardTests {
  private func progress(_ losses: [Double]) -> RunProgress {
    var progress = RunProgress()
    progress.recentLosses = losses
    return progress
  }

  private func config(
    onNotFinite: StepGuard.Policy = .stop, onSpike: StepGuard.Policy = .skip
  ) -> StepGuard.Config {
    var config = StepGuard.Config()
    (config.onNotFinite, config.onSpike, config.spikeDeviations) = (onNotFinite, onSpike, 4)
    return config
  }

  @Test func aLossFarAboveTheNewestIsASpike() {
    let calm = progress((0..<40).map { 2 + 0.1 * Double($0 % 3) })
    let stepGuard = StepGuard(config())
    #expect(stepGuard.spike(loss: 2.3, calm, []) == nil)
    #expect(stepGuard.spike(loss: 1.0, calm, []) == nil, "a fall is no spike")
    let spike = stepGuard.spike(loss: 4, calm, ["t:1"])
    #expect(spike?.isSpike == true && spike?.origins == ["t:1"])
    #expect(stepGuard.spike(loss: 400, progress([2, 2]), []) == nil, "two losses say nothing")
    #expect(StepGuard(config(onSpike: .off)).spike(loss: 400, calm, []) == nil)
  }

  @Test func aFlatCurveIsNotFullOfSpikes() {
    let flat = progress(Array(repeating: 3, count: 50))
    #expect(StepGuard(config()).spike(loss: 3.1, flat, []) == nil)
    #expect(StepGuard(config()).spike(loss: 3.5, flat, []) != nil)
  }

  @Test func stoppingNamesStepSamplesAndWhatToDo() {
    var progress = RunProgress()
    let odd = OddStep(what: "the gradient of a.b is not finite", origins: (1...6).map { "t.csv:\($0)" })
    let error = #expect(throws: TrainingError.self) {
      try StepGuard(config()).decide(odd, step: 7, &progress, RunLog())
    }
    let text = error?.description ?? ""
    for part in ["step 7", "a.b", "t.csv:1", "t.csv:4 and 2 more", "--on_nan skip"] {
      #expect(text.contains(part), "\(text)")
    }
    #expect(error?.exitStatus == .badData)
    #expect(progress.skippedSteps == 0)
  }

  @Test func skippingCountsAndDoesNotGoOnForever() throws {
    var progress = RunProgress()
    let stepGuard = StepGuard(config(onNotFinite: .skip))
    let odd = OddStep(what: "loss nan is not finite", origins: ["t:1"])
    for step in 1...9 { #expect(try stepGuard.decide(odd, step: step, &progress, RunLog())) }
    #expect(progress.skippedSteps == 9 && progress.consecutiveSkips == 9)
    #expect(throws: TrainingError.self) { try stepGuard.decide(odd, step: 10, &progress, RunLog()) }
    stepGuard.accept(loss: 1, &progress)
    #expect(progress.consecutiveSkips == 0 && progress.recentLosses == [1])
    #expect(try stepGuard.decide(odd, step: 11, &progress, RunLog()))
  }

  @Test func onlyTheNewestLossesAreKept() {
    var progress = RunProgress()
    for loss in 0..<250 { StepGuard(config()).accept(loss: Double(loss), &progress) }
    #expect(progress.recentLosses.count == 100)
    #expect(progress.recentLosses.last == 249)
  }

  @Test func aWarningLetsTheStepCount() throws {
    var progress = RunProgress()
    let odd = OddStep(what: "loss 9 is far", origins: ["t:1"], isSpike: true)
    #expect(try StepGuard(config(onSpike: .warn)).decide(odd, step: 3, &progress, RunLog()) == false)
    #expect(progress.skippedSteps == 0)
  }
}
