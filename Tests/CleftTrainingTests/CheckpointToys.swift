import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// A model of a matrix that may come from a file, a trained layer and running statistics.
final class CheckpointToy: Module {
  @Parameter var base: Tensor
  @Parameter var weight: Tensor
  @Parameter var bias: Tensor
  @Buffer var mean: Tensor

  init(width: Int = 32) {
    _base = Parameter("base", [64, width], .zeros)
    _weight = Parameter("weight", [48, width], .constant(1))
    _bias = Parameter("bias", [48], .constant(0.5))
    _mean = Buffer("mean", [48], .zeros)
  }

  /// Gradients of a sum of outputs with respect to everything trained.
  func gradients() -> Gradients {
    let input = Tensor([1, weight.shape[1]], repeating: 0.5)
    let ones = Tensor([1, 48], repeating: 1)
    return matmul(linear(input, weight, bias), ones, transposingB: true).reshaped([]).gradients()
  }
}

/// How to build a toy again.
struct CheckpointToyDescription: StoredModel {
  static let kind = "toy"
  var width = 32
  func makeWholeModel() throws -> any Module { CheckpointToy(width: width) }
}

/// A folder for one test, with a base file in it.
struct CheckpointFolder {
  let path: String
  var run: String { path + "/run" }
  var checkpoints: String { run + "/checkpoints" }
  var baseFile: String { path + "/base.safetensors" }

  static func with(_ body: (CheckpointFolder) throws -> Void) throws {
    let folder = CheckpointFolder(
      path: FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)").path)
    try FileSystem.makeFolder(folder.run)
    defer { FileSystem.remove(folder.path) }
    try body(folder)
  }

  static let baseValues = (0..<64 * 32).map { Float($0) * 0.25 }

  /// A toy whose base matrix is frozen and comes from the base file, under another key.
  func toy(writesFile: Bool = true) throws -> CheckpointToy {
    if writesFile {
      try SafeTensorsWriter.write([("inner.base", Tensor([64, 32], Self.baseValues))], to: baseFile)
    }
    let file = try WeightsFiles.open(baseFile)
    let toy = CheckpointToy()
    try toy.load(
      from: baseFile, keys: ["base": [64, 32]], isStrict: false,
      origin: { file.origin(of: "inner." + $0) }
    ) { try file.number("inner." + $0) }
    toy.$base.isTrainable = false
    return toy
  }

  func contents(_ toy: CheckpointToy, step: Int = 1, storesBase: Bool = false) -> Checkpoint.Contents {
    Checkpoint.Contents(
      model: toy, description: CheckpointToyDescription(), optimizer: nil, tokenizerJSON: nil,
      state: RunState(step: step, settings: [:]), storesBase: storesBase)
  }

  /// A keeper of a toy's checkpoints.
  func keeper(_ toy: CheckpointToy, _ retention: RetentionPolicy, warn: @escaping (String) -> Void = { _ in })
    -> CheckpointKeeper
  {
    CheckpointKeeper(folder: checkpoints, retention: retention, warn: warn) { [self] step, progress in
      var contents = contents(toy, step: step)
      contents.state.progress = progress
      return contents
    }
  }

  /// Progress with one validated number.
  static func progress(_ step: Int, _ loss: Double, _ name: String = "val_loss") -> RunProgress {
    var progress = RunProgress()
    progress.validation = [name: loss]
    progress.validationStep = step
    return progress
  }

  /// Names in the checkpoints' folder.
  var names: [String] { FileSystem.list(checkpoints) }

  /// Scores by step as `best_ckpts.yaml` has them, best first.
  func best() throws -> [String] {
    let text = String(decoding: try FileSystem.read(run + "/best_ckpts.yaml"), as: UTF8.self)
    return text.split(separator: "\n").map { line in
      String(line.replacing("\"", with: "").split(separator: "/").last ?? "")
    }
  }
}
