import CleftFormats
import CleftTraining
import Testing

/// Courses of the learning rate against worked values.
@Suite struct ScheduleTests {
  private func isEqual(_ rate: Double, _ expected: Double) -> Bool {
    abs(rate - expected) <= 1e-12 * abs(expected)
  }

  /// Every worked value of the published schedule.
  @Test(arguments: [
    (0, 1e-8), (1, 1.99975e-8), (2, 2.9995e-8), (100, 1.00975e-6), (3999, 3.99900025e-5), (4000, 4e-5),
    (4001, 3.999999992386469e-5), (8000, 3.879415395261424e-5), (20000, 2.3477095312450277e-5),
    (22000, 2.0005e-5), (39999, 1.0000076135315346e-8), (40000, 1e-8), (40001, 1.99975e-8), (44000, 4e-5),
  ])
  func pretraining(_ step: Int, _ rate: Double) throws {
    let schedule = CosineWarmup(peak: 4e-5, floor: 1e-8, warmupSteps: 4000, cycleSteps: 40000)
    #expect(isEqual(schedule.rate(at: step), rate))
  }

  @Test(arguments: [
    (0, 1e-5), (1, 1.09e-5), (2, 1.18e-5), (100, 1e-4), (101, 9.999999644181868e-5),
    (4000, 5.589469844492816e-5), (4050, 5.5e-5), (8000, 1e-5), (8001, 1.09e-5),
    (20000, 5.589469844492816e-5), (40000, 1e-5),
  ])
  func promptTuning(_ step: Int, _ rate: Double) {
    let schedule = CosineWarmup(peak: 1e-4, floor: 1e-5, warmupSteps: 100, cycleSteps: 8000)
    #expect(isEqual(schedule.rate(at: step), rate))
  }

  @Test func withoutWarmUpTheFirstStepIsStillSlow() {
    let schedule = CosineWarmup(peak: 1, floor: 0.1, warmupSteps: 0, cycleSteps: 10)
    #expect(schedule.rate(at: 0) == 0.1)
    #expect(isEqual(schedule.rate(at: 1), 0.1 + 0.9 * 0.975_528_258_147_576_8))
    #expect(isEqual(schedule.rate(at: 5), 0.55))
    #expect(schedule.rate(at: 10) == 1)
    #expect(schedule.rate(at: 11) == schedule.rate(at: 1))
  }

  @Test(arguments: [
    (0, 0.1), (1, 0.325), (3, 0.775), (4, 1), (5, 0.85), (7, 0.55), (9, 0.25), (10, 0.1), (11, 0.325),
    (24, 1),
  ])
  func aLineGoesDownAndStartsAgain(_ step: Int, _ rate: Double) {
    let schedule = LinearWarmup(peak: 1, floor: 0.1, warmupSteps: 4, cycleSteps: 10)
    #expect(isEqual(schedule.rate(at: step), rate))
  }

  @Test func aLineWithoutWarmUpStartsSlowlyOnce() {
    let schedule = LinearWarmup(peak: 1, floor: 0.1, warmupSteps: 0, cycleSteps: 10)
    #expect(schedule.rate(at: 0) == 0.1)
    #expect(isEqual(schedule.rate(at: 1), 0.91))
    #expect(schedule.rate(at: 10) == 1)
  }

  @Test(arguments: [(0, 0.1), (1, 0.325), (3, 0.775), (4, 1), (5, 1), (10, 1), (40_000, 1)])
  func aConstantRateStays(_ step: Int, _ rate: Double) {
    #expect(isEqual(ConstantWarmup(peak: 1, floor: 0.1, warmupSteps: 4).rate(at: step), rate))
  }

  /// What every course has in common.
  @Test(arguments: ScheduleCatalog.all.map(\.name))
  func everyCourseStartsAtTheFloorAndMeetsThePeakAfterTheWarmUp(_ name: String) throws {
    for warmup in [0, 1, 7] {
      let schedule = try ScheduleCatalog.named(name).make(
        peak: 2, floor: 0.5, warmupSteps: warmup, cycleSteps: 50)
      let rates = (0..<120).map { schedule.rate(at: $0) }
      #expect(rates[0] == 0.5)
      #expect(rates[50 + warmup] == 2)
      if warmup > 0 { #expect(rates[warmup] == 2) }
      #expect(rates.allSatisfy { $0 >= 0.5 && $0 <= 2 })
    }
  }

  @Test func theCatalogueMakesWhatItsNamesSay() throws {
    #expect(ScheduleCatalog.all.map(\.name) == ["cosine", "linear", "constant"])
    func make(_ name: String) throws -> any LearningRateSchedule {
      try ScheduleCatalog.named(name).make(peak: 2, floor: 1, warmupSteps: 3, cycleSteps: 9)
    }
    #expect(
      try make("cosine") as? CosineWarmup == CosineWarmup(peak: 2, floor: 1, warmupSteps: 3, cycleSteps: 9))
    #expect(
      try make("linear") as? LinearWarmup == LinearWarmup(peak: 2, floor: 1, warmupSteps: 3, cycleSteps: 9))
    #expect(try make("constant") as? ConstantWarmup == ConstantWarmup(peak: 2, floor: 1, warmupSteps: 3))
  }

  @Test func anUnknownNameListsTheKnownOnes() {
    let error = #expect(throws: TrainingError.self) { try ScheduleCatalog.named("cosin") }
    #expect(error?.description == "--schedule: 'cosin'; expected one of cosine, linear, constant.")
  }
}
