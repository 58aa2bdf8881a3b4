import ArgumentParser
import CleftData
import CleftFormats
import CleftTensor
import CleftTraining

/// What the numbers of an evaluation rest on, for its page.
struct EvaluationProvenance {
  let options: TrainOptions
  let subject: EvaluationSubject

  typealias Fact = EvaluationReport.Provenance

  /// Model, data, options, machine, in this order; equal for equal evaluations.
  func facts(_ dataset: ImageTextDataset) throws -> [Fact] {
    subject.facts.map { Fact("model", $0.name, $0.value) } + (try dataFacts(dataset)) + optionFacts
      + machineFacts
  }

  private func dataFacts(_ dataset: ImageTextDataset) throws -> [Fact] {
    var facts = [
      Fact("data", "table", dataset.table),
      Fact("data", "table SHA-256", try SHA256.ofFile(dataset.table)),
      Fact("data", "pictures and labels SHA-256", dataset.fingerprint),
      Fact("data", "pictures", "\(dataset.samples.count)"),
    ]
    facts += dataset.leftOut.sorted { $0.key < $1.key }.map { Fact("data", "left out: \($0)", "\($1)") }
    if !dataset.badRows.isEmpty { facts.append(Fact("data", "bad rows", "\(dataset.badRows.count)")) }
    return facts
  }

  /// Options that differ from their defaults.
  private var optionFacts: [Fact] {
    guard let plain = try? TrainCommand.parse([]) else { return [] }
    let usual = Dictionary(
      TrainOptions(model: plain.model, data: plain.data, optimizer: plain.optimizer, run: plain.run_)
        .forEvaluation().options.resolved.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    return options.resolved.filter { usual[$0.name] != $0.value && $0.value != "null" }.map {
      Fact("options", $0.name, $0.value)
    }
  }

  private var machineFacts: [Fact] {
    [
      Fact("machine", "processor", Processor.name), Fact("machine", "threads", "\(Runtime.threadCount)"),
      Fact("machine", "cleft", Cleft.configuration.version),
      Fact("machine", "OpenBLAS", Runtime.blasConfiguration),
      Fact("machine", "oneDNN", Runtime.oneDNNVersion),
    ]
  }
}
