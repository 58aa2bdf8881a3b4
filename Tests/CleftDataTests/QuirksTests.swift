import CleftData
import CleftFormats
import Testing

/// The catalogue of quirks, and how `--compat` and `--quirk` choose among them.
@Suite struct QuirksTests {
  @Test func thereAreFifty() {
    #expect(QuirkCatalog.all.compactMap(\.number) == Array(1...50))
    #expect(QuirkCatalog.all.map(\.quirk) == Quirk.allCases, "one line each, in one order")
    #expect(Set(QuirkCatalog.all.map(\.summary)).count == QuirkCatalog.all.count)
    for entry in QuirkCatalog.all {
      let name = entry.quirk.rawValue
      #expect(name.allSatisfy { $0 == "_" || $0.isLowercase || $0.isNumber }, "\(name)")
      for text in [entry.summary, entry.instead] { #expect(!text.isEmpty && text.last != ".", "\(name)") }
    }
  }

  @Test func whichAreInForceByThemselves() {
    #expect(
      Quirk.allCases.filter(Quirks.fixed.has)
        == QuirkCatalog.all.filter { $0.kind == .modelling }.map(\.quirk))
    let expected: [Quirk] = [
      .resize224, .rankNegatives, .freshLogitScale, .sineFrequencies, .staticAdaLoRA, .lastWeights,
      .frozenDropout,
      .noNegatives, .rsnaValidatesOnTraining, .anomalyStop, .duplicateNegatives, .lostColumn,
    ]
    #expect(Quirk.allCases.filter(Quirks.fixed.has) == expected)
    for quirk in Quirk.allCases {
      let kind = QuirkCatalog.entry(quirk).kind
      #expect(Quirks.reference.has(quirk) == (kind == .modelling || kind == .defect), "\(quirk.title)")
    }
    for quirk in [Quirk.checkpointDetach, .decayedLogitScale, .labelShift, .poolFirst, .maskInEvaluation] {
      #expect(!Quirks.fixed.has(quirk) && Quirks.reference.has(quirk), "\(quirk.title)")
    }
  }

  @Test(arguments: Quirk.allCases)
  func eachIsSwitchedOrRefused(_ quirk: Quirk) throws {
    let entry = QuirkCatalog.entry(quirk)
    for isReference in [false, true] {
      let off = try Quirks(isReference: isReference, changes: ["\(quirk.rawValue)=off"])
      #expect(!off.has(quirk) && off.choice(quirk) == false)
      #expect(
        Quirk.allCases.filter { $0 != quirk }.allSatisfy {
          off.has($0) == Quirks(isReference: isReference).has($0)
        })
      let change = ["\(quirk.rawValue)=on"]
      if entry.kind.canBeOn {
        #expect(try Quirks(isReference: isReference, changes: change).has(quirk))
      } else {
        let error = #expect(throws: DataError.self) { try Quirks(isReference: isReference, changes: change) }
        #expect(error?.exitStatus == .badConfiguration)
        let text = error?.description ?? ""
        #expect(text.contains(entry.summary) && text.contains(entry.instead) && !text.contains("\n"))
      }
    }
  }

  @Test func namesNumbersListsAndTheLastWord() throws {
    func quirks(_ changes: String...) throws -> Quirks { try Quirks(isReference: false, changes: changes) }
    #expect(try quirks("Q3=on").has(.checkpointDetach) && quirks("ckpt-detach=ON").has(.checkpointDetach))
    let several = try quirks("resize224=off, q12 = on", "mask-in-evaluation=on")
    #expect(!several.has(.resize224) && several.has(.labelShift) && several.has(.maskInEvaluation))
    #expect(try !quirks("resize224=on,resize224=off").has(.resize224))
    #expect(try quirks("resize224=off", "q1=on").has(.resize224))
    #expect(try quirks().choice(.resize224) == nil && quirks() == .fixed)
  }

  @Test(arguments: [
    ("resize225=off", "Nearest: resize224"), ("q51=on", "'q51'"), ("frozen_drop=off", "frozen_dropout"),
    ("resize224", "no state"), ("resize224=maybe", "'maybe'"), ("", "''"), ("resize224=off,", "''"),
  ])
  func whatIsNoQuirk(_ text: String, _ expected: String) {
    let error = #expect(throws: DataError.self) { try Quirks(isReference: false, changes: [text]) }
    #expect(error?.description.contains(expected) == true && error?.exitStatus == .badConfiguration)
  }
}
