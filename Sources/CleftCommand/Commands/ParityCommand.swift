import ArgumentParser
import CleftFormats
import CleftTensor
import CleftTraining
import Foundation

/// `cleft parity`: compares this program with PyTorch's answers.
struct ParityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity",
    abstract: "Compare outputs, loss, gradients and optimizer steps with a fixture from PyTorch.",
    discussion: """
      A fixture folder holds config.json, inputs.safetensors, weights.safetensors and expected.safetensors of a pair of \
      towers; or base_config.json, weights and PEFT folders of a text tower; or image_config.json and weights of an \
      image tower; or checkpoints with expected.json; or a tokenizer with goldens.json; or pictures. Runs under published behavior. Exit code 1 if a tensor is out of bounds.
      """)

  @Argument(help: "Fixture folders.") var folders: [String]
  @Option(help: "Largest relative error; a fixture's own bound holds where it is smaller.") var tolerance =
    1e-4
  @Option(help: "Weights of the same model in another file: safetensors or a PyTorch checkpoint.")
  var weights: String?
  @Option(
    help: """
      With bfloat16 products: file of PyTorch's own bfloat16 errors, against which the root mean square error of every \
      tensor is held.
      """)
  var bf16_errors: String?
  @Option(help: "With --bf16_errors: how many times PyTorch's error is allowed.") var factor = 2.0
  @Flag(help: "Print results as one JSON object.") var json = false

  mutating func validate() throws {
    if !(tolerance > 0 && tolerance.isFinite) {
      throw ValidationError("--tolerance is \(tolerance); expected above 0.")
    }
  }

  func run() throws {
    if bf16_errors != nil { Runtime.productType = .bfloat16 }
    var results: [String: [ParityRow]] = [:]
    for folder in folders {
      let rows =
        try bf16_errors.map { try ParityCatalog.halfRows(folder, bounds: $0, factor: factor) }
        ?? ParityCatalog.rows(folder, tolerance: tolerance, weights: weights)
      results[folder] = rows
      if json { continue }
      for row in rows {
        let error = String(format: "%.2e", row.relativeError), allowed = String(format: "%.2e", row.allowed)
        print("\(row.passes ? "ok  " : "FAIL") \(error) of \(allowed)  \(row.name)")
      }
      let failed = rows.filter { !$0.passes }.count
      print("\(folder): \(rows.count - failed) of \(rows.count) within bounds")
    }
    if json { print(jsonText(results)) }
    if results.values.contains(where: { $0.contains { !$0.passes } }) { throw ExitCode(1) }
  }
}
