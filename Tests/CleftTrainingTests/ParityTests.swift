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

  /// The same weights out of a Lightning checkpoint, under the names of PEFT from 0.7 on.
  @Test func aLightningCheckpointGivesTheSameNumbers() throws {
    let run = try ParityRun(
      folder: "\(fixtures)/lora", tolerance: 1e-4, weights: "\(fixtures)/ckpt/tiny.ckpt")
    #expect(run.rows.filter { !$0.passes }.isEmpty)
  }

  /// The same weights in bfloat16, under the names of PEFT 0.6: PyTorch's own loss of the widened weights.
  @Test func aHalfPrecisionCheckpointIsWidened() throws {
    let run = try ParityRun(
      folder: "\(fixtures)/lora", tolerance: 1e-4, weights: "\(fixtures)/ckpt/tiny_bf16_peft06.ckpt")
    let expected = try JSONDecoder().decode(
      [String: CheckpointGolden].self,
      from: Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/ckpt/expected.json")))
    let golden = try #require(expected["tiny_bf16_peft06.ckpt"]?.loss)
    let plain = try #require(expected["tiny.ckpt"]?.loss)
    let row = try #require(run.rows.first { $0.name == "loss" })
    #expect(abs(row.relativeError - abs(golden - plain) / plain) < 1e-5)
  }

  /// PEFT's folders of each method, and what transformers computed with them.
  @Test func everyPeftFolderGivesPeftsHiddenStates() throws {
    let rows = try ParityCatalog.rows("\(fixtures)/adapters", tolerance: 1e-5, weights: nil)
    #expect(rows.count == 6)
    for row in rows { #expect(row.passes, "\(row.name): \(row.relativeError)") }
  }

  /// A fixed small output of `Scripts/bench/interchange`: files of transformers, PEFT, timm and torchvision.
  @Test(arguments: [
    ("small-gpt2", 12), ("small-llama", 8), ("small-bert", 5), ("small-pissa", 5),
    ("small-pissa-residual", 3),
    ("small-vit-registers", 2), ("small-vit-swiglu", 2), ("small-vit-patch-mean", 1), ("small-resnet", 1),
    ("small-swin", 1),
  ])
  func everyLibrarysFilesGiveItsNumbers(_ name: String, _ count: Int) throws {
    let rows = try ParityCatalog.rows("\(fixtures)/interchange/\(name)", tolerance: 1e-4, weights: nil)
    #expect(rows.count == count)
    for row in rows { #expect(row.passes, "\(row.name): \(row.relativeError)") }
  }

  @Test func everyCheckpointGivesItsOwnNumbers() throws {
    let rows = try ParityCatalog.rows("\(fixtures)/ckpt", tolerance: 1e-4, weights: nil)
    #expect(rows.count == 6)
    for row in rows { #expect(row.passes, "\(row.name): \(row.relativeError)") }
  }

  @Test func everyPictureGivesItsLevels() throws {
    let rows = try ParityCatalog.rows("\(fixtures)/images", tolerance: 1e-4, weights: nil)
    #expect(rows.count == 50)
    for row in rows { #expect(row.passes, "\(row.name): \(row.relativeError)") }
  }

  private struct CheckpointGolden: Decodable { var loss: Double }

  @Test func aTighterBoundFails() throws {
    #expect(try ParityRun(folder: "\(fixtures)/lora", tolerance: 1e-12).rows.contains { !$0.passes })
  }

  @Test func aFolderThatIsNoFixtureIsNamed() {
    #expect(throws: TrainingError.self) { try ParityRun(folder: "/no/such/folder", tolerance: 1e-4) }
  }
}

extension Tag {
  @Tag static var parity: Self
  @Tag static var endToEnd: Self
}
