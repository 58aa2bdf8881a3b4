import CleftFormats
import CleftNN
import CleftTensor
import Foundation

/// What a batch consists of besides its pictures, for replaying it elsewhere.
public struct TraceInputs {
  /// Tensors of numbers by name, one row a sample.
  public var tensors: [String: Tensor]
  /// Integers by name, one row a sample, all rows of a name equally long.
  public var integers: [String: [[Int]]]

  /// Collects the inputs.
  public init(tensors: [String: Tensor] = [:], integers: [String: [[Int]]] = [:]) {
    self.tensors = tensors
    self.integers = integers
  }

  /// Captions as the published program gives them to its text tower: `caption_ids` and `attention_mask` `[B, length]`,
  /// cut and padded to `length` columns.
  public static func captions(_ captions: [[Int]], length: Int, paddingID: Int) -> TraceInputs {
    func padded(_ rows: [[Int]], with value: Int) -> [[Int]] {
      rows.map { Array($0.prefix(length)) + Array(repeating: value, count: max(0, length - $0.count)) }
    }
    return TraceInputs(integers: [
      "caption_ids": padded(captions, with: paddingID),
      "attention_mask": padded(captions.map { $0.map { _ in 1 } }, with: 0),
    ])
  }
}

/// Writes the start weights, the first batches and their losses to a folder, so that other programs can replay a run.
///
/// `weights.safetensors` holds every parameter and buffer before the first step, `step{n}.batch{i}.safetensors` the
/// pictures (`images`, `[B, 3, H, W]` as the model gets them) and the other inputs of one batch, `trace.json` the model's
/// description, the options, which parameters are trained, and loss and learning rate of each step. Steps count from 1,
/// batches of a step from 0, ranks and accumulated batches in the order in which the loop takes them.
public final class RunTrace {
  private struct Step: Encodable {
    let step, batches: Int
    let loss, learning_rate: Double
  }

  private struct Contents: Encodable {
    let kind: String
    let model: AnyEncodable
    let options: [String: String]
    let trainable: [String]
    var steps: [Step] = []
  }

  private let folder: String
  private let stepCount: Int
  private var contents: Contents?
  private var firstStep: Int?
  private var batchCount = 0

  /// Makes a trace of the first `steps` steps that this process takes; nothing is written yet.
  ///
  /// - Throws: `TrainingError.badConfiguration` if the folder has files in it or no step is asked for.
  public init(folder: String, steps: Int) throws(TrainingError) {
    guard steps > 0 else {
      throw .badConfiguration(Problem("--trace_steps", found: "\(steps)", expected: "at least 1"))
    }
    guard FileSystem.list(folder).isEmpty, !FileSystem.exists(folder) || FileSystem.isFolder(folder) else {
      throw .badConfiguration(
        Problem("--trace \(folder)", found: "something there already", expected: "an empty or new folder"))
    }
    self.folder = folder
    stepCount = steps
  }

  /// Whether the batches of a step, counted from 1, belong to the trace.
  public func covers(step: Int) -> Bool {
    contents != nil && step - (firstStep ?? step) < stepCount
  }

  /// Writes the weights as they are now, with what else describes the run.
  ///
  /// - Parameter options: names and values of all options, as in `resolved.yaml`.
  /// - Throws: `FormatError.system` if the disk is full or refuses.
  public func start(
    model: any Module, description: any StoredModel, options: [(name: String, value: String)]
  ) throws(FormatError) {
    try FileSystem.makeFolder(folder)
    let cells = model.cells()
    try SafeTensorsWriter.write(
      cells.map { (key: $0.path, tensor: $0.cell.peek()) }, to: "\(folder)/weights.safetensors")
    contents = Contents(
      kind: type(of: description).kind, model: AnyEncodable(description),
      options: Dictionary(options.map { ($0.name, $0.value) }) { _, last in last },
      trainable: cells.filter(\.cell.isTrainable).map(\.path))
    try writeContents()
  }

  /// Writes one batch; batches of steps outside the trace are passed over.
  ///
  /// - Parameters:
  ///   - step: the step under way, from 1.
  ///   - index: place of the batch in its step, from 0.
  ///   - inputs: what else the batch consists of; asked for only if the batch is written.
  /// - Shapes: `images` `[B, 3, H, W]`.
  public func batch(
    step: Int, index: Int, images: Tensor, inputs: @autoclosure () -> TraceInputs
  ) throws(FormatError) {
    guard covers(step: step) else { return }
    firstStep = firstStep ?? step
    batchCount = index + 1
    let inputs = inputs()
    let tensors = inputs.tensors.sorted { $0.key < $1.key }.map { (key: $0.key, tensor: $0.value) }
    let integers = inputs.integers.sorted { $0.key < $1.key }.map { name, rows in
      IntegerTensor(name, [rows.count, rows.first?.count ?? 0], rows.flatMap { $0 })
    }
    try SafeTensorsWriter.write(
      [(key: "images", tensor: images)] + tensors, integers: integers,
      to: "\(folder)/step\(step).batch\(index).safetensors")
  }

  /// Notes what a step gave; steps outside the trace are passed over.
  ///
  /// - Parameters:
  ///   - step: the step that was just taken, from 1.
  ///   - loss: mean over its batches, as logged.
  public func step(_ step: Int, loss: Double, learningRate: Double) throws(FormatError) {
    guard covers(step: step), firstStep != nil else { return }
    contents?.steps.append(
      Step(step: step, batches: batchCount, loss: loss, learning_rate: learningRate))
    try writeContents()
  }

  /// After every step, so that a run that ends early leaves a whole trace of what it did.
  private func writeContents() throws(FormatError) {
    let text = jsonText(contents, pretty: true) + "\n"
    try FileSystem.write(Data(text.utf8), to: "\(folder)/trace.json", isDurable: false)
  }
}

/// A value of a type that only its maker knows.
private struct AnyEncodable: Encodable {
  let value: any Encodable

  init(_ value: any Encodable) { self.value = value }

  func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}
