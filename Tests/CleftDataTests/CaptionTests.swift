import CleftData
import CleftFormats
import CleftTensor
import Foundation
import Testing

@Suite struct CaptionTests {
  /// The worked examples of the published program.
  @Test func workedExamples() {
    let first: [Finding] = [.cardiomegaly, .edema]
    #expect(
      Captions.chexpert(positives: first, hasPrefix: true) == [
        "this is a chest x ray of a patient with cardiomegaly edema"
      ])
    #expect(Captions.chexpert(positives: [], hasPrefix: true) == ["this is a chest x ray of a patient with"])
    #expect(
      Captions.chexpert(positives: [.supportDevices, .noFinding], hasPrefix: true)
        == ["this is a chest x ray of a patient with support devices no finding"])
    #expect(
      Captions.chexpert(positives: first, negatives: [.fracture], hasPrefix: true)
        == ["this is a chest x ray of a patient with cardiomegaly edema but this image has no fracture"])
    #expect(
      Captions.chexpert(positives: [], negatives: [], hasPrefix: true)
        == ["this is a chest x ray of a patient with but this image has no"])
    #expect(Captions.chexpert(positives: first, hasPrefix: false) == ["cardiomegaly edema"])
    #expect(Captions.chexpert(positives: [], hasPrefix: false).isEmpty)
  }

  @Test func reportsAreSplitAndCleaned() {
    #expect(
      Captions.sentences("With BIRADS score 4:suspicious abnormality. 1. w/CAD\nnaïve ")
        == ["with birads score 4 suspicious abnormality", "w cad nave"])
    #expect(Captions.sentences("  . 3. ").isEmpty)
  }

  @Test func promptsKeepTheirWords() {
    #expect(Captions.prompt("Pleural Effusion") == "this is a chest x ray of a patient with pleural effusion")
  }

  @Test func cellsOfALabelTable() {
    #expect(FindingState(cell: "1.0") == .positive)
    #expect(FindingState(cell: "0") == .negative)
    #expect(FindingState(cell: "-1.0") == .uncertain)
    #expect(FindingState(cell: "") == .notMentioned)
    #expect(FindingState(cell: "x") == nil)
  }
}

@Suite struct SubsamplingTests {
  @Test func pandasVector() {
    #expect(Subsampling.pandas(Array(0..<100), fraction: 0.1) == [83, 53, 70, 45, 44, 39, 22, 80, 10, 0])
    #expect([25, 35, 15].map { Subsampling.pandas(Array(0..<$0), fraction: 0.1).count } == [2, 4, 2])
  }

  @Test func pythonVectors() {
    #expect(Subsampling.python(Array(0..<100), fraction: 0.1) == [81, 14, 3, 94, 35, 31, 28, 17, 13, 86])
    #expect(Subsampling.python(Array(0..<20_000), fraction: 5.0 / 20_000) == [3648, 819, 9012, 8024, 7314])
  }
}

@Suite struct BatchScheduleTests {
  private let schedule = BatchSchedule(
    sampleCount: 23, batchSize: 3, rankCount: 2, accumulation: 2, key: .init(seed: 1))

  @Test func everyEpochIsAPermutationOfItsOwn() {
    #expect(schedule.order(ofEpoch: 0).sorted() == Array(0..<23))
    #expect(schedule.order(ofEpoch: 0) == schedule.order(ofEpoch: 0))
    #expect(schedule.order(ofEpoch: 0) != schedule.order(ofEpoch: 1))
  }

  @Test func wholeBatchesAndAShortLastGroup() {
    #expect(schedule.batchesPerEpoch == 3)
    #expect(schedule.stepsPerEpoch == 2)
    #expect(schedule.batches(ofStep: 0).count == 4)
    #expect(schedule.batches(ofStep: 1).count == 2)
    let used = (0..<2).flatMap { schedule.batches(ofStep: $0).flatMap(\.indices) }
    #expect(Set(used).count == used.count)
    #expect(schedule.batches(ofStep: 2).first?.epoch == 1)
  }
}
