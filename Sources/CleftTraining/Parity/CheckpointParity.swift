import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import Foundation

/// PyTorch checkpoints of the pair in the folder `lora` beside this one, against what PyTorch read and computed.
struct CheckpointParity {
  let rows: [ParityRow]

  private struct Expected: Decodable {
    var tensors, values: Int
    var loss: Double
    var logits: [[Double]]
  }

  init(_ folder: String, _ tolerance: Double) throws {
    let path = folder + "/expected.json"
    let data = try FileSystem.read(path)
    guard let files = try? JSONDecoder().decode([String: Expected].self, from: data) else {
      throw TrainingError.badData(Problem(path, found: "not a list of checkpoints and their results"))
    }
    let pair = folder + "/../lora"
    var rows: [ParityRow] = []
    for (name, expected) in files.sorted(by: { $0.key < $1.key })
    where FileSystem.exists("\(folder)/\(name)") {
      let file = try WeightsFiles.open("\(folder)/\(name)")
      let values = file.entries.values.reduce(0) { $0 + $1.shape.count }
      rows.append(
        ParityRow(
          "\(name): tensors, values", expected: [Double(expected.tensors), Double(expected.values)],
          found: [Double(file.entries.count), Double(values)], tolerance: 0))
      let fixture = try ParityFixture(pair, weights: "\(folder)/\(name)")
      let model = try fixture.makeModel()
      let result = try withoutGradients {
        contrastiveLoss(
          images: model.image(try fixture.inputs.tensor("images"), .evaluation),
          texts: model.text(model.textBatch(try fixture.captions()), .evaluation),
          logitScale: model.logitScale)
      }
      rows.append(
        ParityRow(
          "\(name): loss", expected: [expected.loss], found: [Double(result.loss.item)], tolerance: tolerance)
      )
      rows.append(
        ParityRow(
          "\(name): logits", expected: expected.logits.flatMap { $0 },
          found: result.logits.array.map(Double.init), tolerance: tolerance))
    }
    self.rows = rows
  }
}

/// A tokenizer's files against the ids its library gave: `goldens.json` with `strings` and `padded`.
struct TokenizerParity {
  let rows: [ParityRow]

  private struct Goldens: Decodable {
    struct Text: Decodable {
      var text: String
      var ids: [Int]
    }
    struct Padded: Decodable {
      var text: String
      var max_length: Int
      var input_ids: [Int]
      var attention_mask: [Int]
    }
    var strings: [Text]
    var padded: [Padded]?
  }

  init(_ folder: String) throws {
    let path = folder + "/goldens.json"
    let data = try FileSystem.read(path)
    guard let goldens = try? JSONDecoder().decode(Goldens.self, from: data) else {
      throw TrainingError.badData(Problem(path, found: "no list of strings and ids"))
    }
    let tokenizer = try TokenizerFiles.read(folder)
    func row(_ name: String, _ expected: [Int], _ found: [Int]) -> ParityRow {
      ParityRow(
        name: name, relativeError: expected == found ? 0 : .infinity, allowed: 0, passes: expected == found)
    }
    rows =
      goldens.strings.map { row("\"\($0.text)\"", $0.ids, tokenizer.encode($0.text)) }
      + (goldens.padded ?? []).map { golden in
        let ids = tokenizer.encodeWithSpecials(golden.text, limit: golden.max_length)
        let rest = golden.max_length - ids.count
        return row(
          "padded \"\(golden.text)\"", golden.input_ids + golden.attention_mask,
          ids + Array(repeating: tokenizer.paddingID, count: rest) + Array(repeating: 1, count: ids.count)
            + Array(repeating: 0, count: rest))
      }
  }
}
