import CleftTraining
import Foundation
import Testing

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Fixtures").path

/// PyTorch's outputs, loss, gradients and weights after three steps.
@Suite(.tags(.parity)) struct ParityTests {
  @Test(arguments: [("lora", 102), ("full", 84), ("prompt_ft", 59), ("ia3", 69), ("prefix", 63)])
  func everyTensorIsWithinTheFixturesBounds(_ name: String, _ count: Int) throws {
    let run = try ParityRun(folder: "\(fixtures)/\(name)", tolerance: 1e-4)
    #expect(run.rows.count == count)
    for row in run.rows { #expect(row.passes, "\(row.name): \(row.relativeError), allowed \(row.allowed)") }
  }

  @Test func aTighterBoundFails() throws {
    #expect(try !ParityRun(folder: "\(fixtures)/lora", tolerance: 1e-12).passes)
  }

  @Test func aFolderThatIsNoFixtureIsNamed() {
    #expect(throws: TrainingError.self) { try ParityRun(folder: "/no/such/folder", tolerance: 1e-4) }
  }
}

extension Tag {
  @Tag static var parity: Self
  @Tag static var endToEnd: Self
}
