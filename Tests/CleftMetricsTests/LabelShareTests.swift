import CleftMetrics
import CleftTensor
import Testing

@Suite struct LabelShareTests {
  /// 400 patients with one to three pictures; class 2 is rare.
  private static let rows: (patients: [Int], targets: ProbeTargets) = {
    var generator = RandomKey(seed: 12).generator
    var (patients, labels) = ([Int](), [[Int]]())
    for patient in 0..<400 {
      for _ in 0..<1 + Int(3 * generator.uniform()) {
        patients.append(patient)
        labels.append([patient % 100 == 7 ? 2 : generator.chance(0.3) ? 1 : 0])
      }
    }
    return (patients, ProbeTargets(question: .oneOf, classCount: 3, labels: labels))
  }()

  private func share(_ seed: UInt64) -> LabelShare {
    LabelShare(Self.rows.targets, patients: Self.rows.patients, key: RandomKey(seed: seed))
  }

  private func patients(_ rows: [Int]) -> Set<Int> { Set(rows.map { Self.rows.patients[$0] }) }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func sharesAreNestedAndKeepPatientsWhole(_ seed: UInt64) {
    let share = share(seed)
    let parts = [0.01, 0.05, 0.1, 0.5, 1].map { share.rows(.fraction($0)) }
    for (small, large) in zip(parts, parts.dropFirst()) { #expect(Set(small).isSubset(of: large)) }
    for part in parts {
      let own = patients(part)
      #expect(part == Self.rows.patients.indices.filter { own.contains(Self.rows.patients[$0]) })
    }
    #expect(parts[4].count == Self.rows.patients.count)
  }

  @Test func sharesHaveTheirSizeAndEveryClass() {
    for (fraction, expected) in [(0.01, 4), (0.1, 40), (0.5, 200)] {
      let rows = share(4).rows(.fraction(fraction))
      #expect(abs(patients(rows).count - expected) <= 2)
      #expect(Set(rows.map { Self.rows.targets.labels[$0][0] }) == [0, 1, 2])
    }
    // Half of the four patients with the rare class.
    let rare = Set(
      share(4).rows(.fraction(0.5)).filter { Self.rows.targets.labels[$0] == [2] }.map {
        Self.rows.patients[$0]
      })
    #expect(rare.count == 2)
  }

  @Test func drawsFollowFromTheKey() {
    #expect(share(5).rows(.fraction(0.1)) == share(5).rows(.fraction(0.1)))
    #expect(share(5).rows(.fraction(0.1)) != share(6).rows(.fraction(0.1)))
    #expect(share(5).rows(.shots(4)) == share(5).rows(.shots(4)))
    #expect(share(5).rows(.shots(4)) != share(6).rows(.shots(4)))
  }

  @Test func shotsAreSoManyPicturesOfEachClassAndNested() {
    let share = share(7)
    var last: Set<Int> = []
    for shots in [1, 2, 4] {
      let rows = share.rows(.shots(shots))
      for label in 0..<3 { #expect(rows.count { Self.rows.targets.labels[$0] == [label] } == shots) }
      // No second picture of a patient while there are others.
      for label in 0..<3 {
        let own = rows.filter { Self.rows.targets.labels[$0] == [label] }
        #expect(patients(own).count == shots)
      }
      #expect(last.isSubset(of: rows))
      last = Set(rows)
    }
  }

  @Test func aClassWithTooFewPicturesGivesAllOfThem() {
    let all = Self.rows.targets.labels.count { $0 == [2] }
    let rows = share(8).rows(.shots(100))
    #expect(rows.count { Self.rows.targets.labels[$0] == [2] } == all)
    #expect(share(8).classesShort(of: 100) == [2])
    #expect(share(8).classesShort(of: 1).isEmpty)
  }

  @Test func whereClassesAreAskedByThemselvesPicturesWithoutAnyAreDrawnToo() {
    let targets = ProbeTargets(
      question: .each, classCount: 2, labels: (0..<40).map { $0 % 4 == 0 ? [] : $0 % 4 == 1 ? [0, 1] : [0] })
    let rows = LabelShare(targets, patients: Array(0..<40), key: RandomKey(seed: 1)).rows(.shots(3))
    #expect(rows.count { targets.labels[$0].isEmpty } == 3)
    #expect(rows.count { targets.labels[$0].contains(1) } >= 3)
    #expect(rows.count { targets.labels[$0].contains(0) } >= 3)
  }
}
