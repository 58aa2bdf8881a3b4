import Foundation
import Testing

/// Options that a command line takes over from the run that it names.
@Suite struct RunOptionTests {
  /// A run folder with options and nothing else; the folder of one of its checkpoints.
  private func run(_ text: String) throws -> (run: String, checkpoint: String) {
    let run = try Tool.scratch() + "/run"
    let checkpoint = run + "/checkpoints/step-00000002"
    try FileManager.default.createDirectory(atPath: checkpoint, withIntermediateDirectories: true)
    try text.write(toFile: run + "/resolved.yaml", atomically: true, encoding: .utf8)
    return (run, checkpoint)
  }

  private func options(_ arguments: [String]) throws -> [String: String] {
    let result = try Tool.run(arguments + ["--print_config"])
    try #require(result.status == 0, "\(arguments): \(result.errors)")
    return try OptionTests.options(result.output)
  }

  @Test func aResumedRunHasItsOwnOptions() throws {
    let (run, checkpoint) = try run(
      "batch_size: 8\nsgd: true\nquirk: \"frozen_dropout=off\"\nan_option_of_old: 3\neval: false\n")
    for place in [run, run + "/", run + "/checkpoints", checkpoint] {
      let own = try options(["train", "--resume_ckpt", place])
      #expect(own["batch_size"] == "8" && own["sgd"] == "true", "\(place)")
      #expect(own["quirk"] == "\"frozen_dropout=off\"", "\(place)")
    }
    let typed = try options([
      "train", "--resume_ckpt", run, "--batch_size", "9", "--sgd=false", "--quirk", "frozen_dropout=off",
    ])
    #expect(typed["batch_size"] == "9" && typed["sgd"] == "false")
    #expect(typed["quirk"] == "\"frozen_dropout=off\"", "not twice")
    let file = (run as NSString).deletingLastPathComponent + "/own.yaml"
    try "batch_size: 7\n".write(toFile: file, atomically: true, encoding: .utf8)
    let other = try options(["train", "--config", file, "--resume_ckpt", run])
    #expect(other["batch_size"] == "7" && other["sgd"] == "true")
    // Another place, no file, and an evaluation take nothing over.
    let copied = (run as NSString).deletingLastPathComponent
    #expect(try options(["train", "--resume_ckpt", copied])["batch_size"] == "72")
    #expect(try options(["train", "--resume_ckpt", "last"])["batch_size"] == "72")
    #expect(try options(["train", "--eval", "--resume_ckpt", run])["batch_size"] == "72")
  }

  @Test func anotherDatasetIsNotMixedWithTheRuns() throws {
    let (run, _) = try run("dataset: \"chexpert\"\nrsna: true\n")
    #expect(try options(["train", "--resume_ckpt", run])["rsna"] == "true")
    let other = try options(["train", "--resume_ckpt", run, "--dataset", "embed"])
    #expect(other["rsna"] == "false" && other["dataset"] == "\"embed\"")
  }

  @Test func anEvaluationHasTheClassesAndThePrecisionOfItsRun() throws {
    for mode in ["", "img_cls_ft: true\n", "prompt_ft: true\nclass_wise: true\n"] {
      let (run, checkpoint) = try run(
        "dataset: \"chexpert\"\nfive_cls: true\nprecision: \"bf16-true\"\nbatch_size: 8\n" + mode)
      for place in [run, checkpoint] {
        let own = try options(["eval", place])
        #expect(own["five_cls"] == "true" && own["precision"] == "\"bf16-true\"", "\(mode)")
        #expect(own["batch_size"] == "72", "an option of training")
      }
      #expect(try options(["eval", run, "--five_cls=false"])["five_cls"] == "false")
      #expect(try options(["eval", run, "--five_cls"])["five_cls"] == "true")
      #expect(try options(["eval", run, "--precision", "32"])["precision"] == "\"32\"")
      let named = try options(["eval", run, "--dataset", "chexpert"])
      #expect(named["five_cls"] == "false" && named["precision"] == "\"bf16-true\"")
      #expect(try options(["eval", run, "--rsna"])["five_cls"] == "false")
    }
  }
}
