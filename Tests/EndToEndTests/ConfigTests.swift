import Foundation
import Testing

/// Options from files: the shipped recipes, `--config`, `--print_config`, and the commands that README shows.
@Suite struct ConfigTests {
  private static let folder = Tool.root.appendingPathComponent("Configs").path

  private func resolved(_ arguments: [String]) throws -> String {
    let result = try Tool.run(arguments + ["--print_config"])
    try #require(result.status == 0, "\(arguments): \(result.errors)")
    return result.output
  }

  private func file(_ text: String) throws -> String {
    let path = try Tool.scratch() + "/options.yaml"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func everyShippedRecipeIsReadAndReproducesItself() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder).filter {
      $0.hasSuffix(".yaml")
    }
    let expected = [
      "cleft-img-cls-ft", "cleft-pretrain", "cleft-prompt-ft", "quickstart-pretrain", "quickstart-prompt-ft",
      "reference-eval-chexpert", "reference-eval-rsna", "reference-pretrain", "reference-prompt-ft",
    ]
    for name in expected { #expect(names.contains("\(name).yaml"), "\(name)") }
    for name in names {
      let path = "\(Self.folder)/\(name)"
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.hasPrefix("# "), "\(name) says what it is")
      let shown = try resolved(["train", "--config", path])
      #expect(try resolved(["train", "--config", file(shown)]) == shown, "\(name)")
      // Every line of the file has its effect.
      let options = try OptionTests.options(shown)
      for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        let value = try #require(options[parts[0]]).trimmingCharacters(in: ["\""])
        #expect(value == parts[1] || Double(value) == Double(parts[1]), "\(name): \(line)")
      }
    }
  }

  @Test(arguments: [
    ("reference-pretrain", [String](), 0), ("reference-prompt-ft", ["--pretrained_encoder", "CKPT"], 1),
    ("reference-eval-chexpert", ["--pretrained_model", "CKPT"], 2),
    ("reference-eval-rsna", ["--pretrained_model", "CKPT"], 3),
  ])
  func aReferenceRecipeIsThePublishedCommand(_ name: String, _ extra: [String], _ index: Int) throws {
    let fromFile = try resolved(["train", "--config", "\(Self.folder)/\(name).yaml"] + extra)
    let typed = try resolved(["train"] + Self.published[index] + ["--compat", "reference"] + extra)
    #expect(fromFile == typed)
  }

  /// The four published commands, behind `python train.py` and without the path of a checkpoint.
  private static let published: [[String]] = {
    let recipe = """
      --batch_size 72 --learning_rate 4e-5 --experiment_name lora_linear_proj_learn_scale_pool_img_aug_swdcy \
      --devices 4 --strategy ddp_find_unused_parameters_true --llm_type gpt --precision bf16-true --peft lora \
      --accumulate_grad_batches 1 --grad_ckpt --weight_decay 0.1 --warm_up 4000 --emb_dim 512 --max_steps 40000 \
      --linear_proj --pool_feat
      """
    let tuning = """
      --batch_size 72 --learning_rate 1e-4 --experiment_name prompt_tuning_ft_vit_slr --devices 4 \
      --strategy ddp_find_unused_parameters_true --llm_type gpt --precision bf16-true \
      --accumulate_grad_batches 1 --ctx_init caption --peft lora --max_steps 8000 --weight_decay 1e-3 \
      --warm_up 100 --emb_dim 512 --linear_proj --pool_feat --grad_ckpt --min_lr 1e-5 --data_pct 1.0 \
      --freeze_llm --sgd --prompt_ft --ctx_length 30
      """
    return [recipe, tuning, recipe + " --eval --five_cls", recipe + " --eval --five_cls --rsna"].map {
      $0.split(separator: " ").map(String.init)
    }
  }()

  @Test func aPrintedConfigurationOfManyOptionsReproducesItself() throws {
    let shown = try resolved([
      "train", "--dataset", "manifest", "--train_csv", "a b.csv", "--label_columns", "Edema, Effusion",
      "--experiment_name", "a \"b\" \\ #c: d", "--on_spike", "off", "--init_lora_weights", "true", "--peft",
      "lora",
      "--max_time", "36:00:00", "--separator", "\t", "--no_lrd", "--target_modules", "c_attn,c_proj",
      "--learning_rate", "3e-7", "--seed", "18446744073709551615", "--log_dir", "off", "--num_heads", "2",
    ])
    #expect(try resolved(["train", "--config", file(shown)]) == shown)
    let options = try OptionTests.options(shown)
    #expect(options["on_spike"] == "\"off\"" && options["init_lora_weights"] == "\"true\"")
    #expect(options["separator"] == "\"\\t\"" && options["log_dir"] == "\"off\"")
    // What starts, watches or prints a run does not belong to what reproduces it.
    for name in ["config", "print_config", "json", "picture", "resume_ckpt", "dry_run", "dev", "trace"] {
      #expect(options[name] == nil, "\(name)")
    }
  }

  @Test func filesComeInOrderAndWhatIsTypedWins() throws {
    let first = try file("batch_size: 3\nsgd: true\nlinear-proj: yes\nexperiment_name: one\n# a comment\n")
    let second = try file("batch_size: 4\nlinear_proj: false\nexperiment_name: \"\"\npeft:\n")
    let options = try OptionTests.options(
      resolved(["train", "--max_steps", "9", "--config", first, "--config=" + second, "--sgd=false"]))
    #expect(options["batch_size"] == "4" && options["max_steps"] == "9")
    #expect(options["linear_proj"] == "false" && options["sgd"] == "false")
    #expect(options["experiment_name"] == "\"\"" && options["peft"] == nil)
    let typed = try OptionTests.options(resolved(["train", "--batch_size", "5", "--config", second]))
    #expect(typed["batch_size"] == "5", "what is typed wins, also in front")
    let list = try file("dataset: manifest\ntrain_csv: a.csv\nlabel_columns: [Edema, 'Pleural Effusion']\n")
    #expect(
      try OptionTests.options(resolved(["train", "--config", list]))["label_columns"]
        == "\"Edema,Pleural Effusion\"")
    #expect(try resolved(["train", "--config", file("# nothing\n")]) == resolved(["train"]))
  }

  @Test(arguments: [
    ("lerning_rate: 1\n", 64, ["lerning_rate", "Nearest: learning_rate"]),
    ("config: other.yaml\n", 64, ["--config twice"]),
    ("sgd: perhaps\n", 64, ["sgd", "'perhaps'", "true or false"]),
    ("sgd: {a: 1}\n", 64, ["sgd", "nested"]), ("batch_size: [[1]]\n", 64, ["batch_size", "nested"]),
    ("batch_size: many\n", 64, ["yaml: batch_size: the value 'many'", "--batch_size"]),
    ("sgd: true\nlora_dropout: 2\n", 64, ["yaml: lora_dropout: ", "0 ..< 1"]),
    ("on_nan: perhaps\n", 64, ["yaml: on_nan: ", "'skip'"]), ("- a\n- b\n", 78, ["no map"]),
    ("a: [\n", 78, ["not YAML"]),
  ])
  func aFileThatMeansNothingIsRefusedByItsName(_ text: String, _ status: Int32, _ parts: [String]) throws {
    let path = try file(text)
    let result = try Tool.run(["train", "--config", path, "--print_config"])
    #expect(result.status == status, "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    for part in parts { #expect(result.errors.contains(part), "\(part): \(result.errors)") }
    #expect(result.errors.contains(path), "\(result.errors)")
  }

  @Test func aValueThatWasTypedIsNotTheFilesFault() throws {
    let path = try file("batch_size: 4\n")
    let result = try Tool.run(["train", "--config", path, "--batch_size", "many"])
    #expect(result.status == 64 && result.errors.contains("'many'"), "\(result.errors)")
    #expect(!result.errors.contains(path), "\(result.errors)")
  }

  @Test func anOptionWithNothingBehindItIsSaid() throws {
    let path = try file("batch_size:\npeft: null\nmax_steps: 7\n")
    let result = try Tool.run(["train", "--config", path, "--print_config"])
    #expect(result.status == 0)
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 1 && lines[0].hasPrefix("warning: \(path): batch_size: "), "\(result.errors)")
    #expect(try OptionTests.options(result.output)["batch_size"] == "72")
  }

  @Test func aFileThatIsNotThereIsMissing() throws {
    #expect(try Tool.run(["train", "--config", "/no/such/file.yaml"]).status == 66)
    #expect(try Tool.run(["train", "--config"]).status == 66)
  }

  /// Commands in README: indented lines, and what stands between backticks in the text.
  private func commandsOfREADME() throws -> [[String]] {
    let text = try String(contentsOf: Tool.root.appendingPathComponent("README.md"), encoding: .utf8)
      .replacing("\\\n", with: " ")
    var commands = text.split(separator: "\n").filter { $0.hasPrefix("    cleft ") }.map {
      String($0.dropFirst(4))
    }
    commands += text.matches(of: /`(cleft [^`]+)`/).map { String($0.output.1).replacing("\n", with: " ") }
    return commands.map(words).filter { $0.count > 1 && $0[1] != "COMMAND" }
  }

  /// Splits a line as a shell would, up to a comment, a pipe or a redirection; dots that leave something out are left out.
  private func words(_ line: String) -> [String] {
    var words: [String] = []
    var (word, quote): (String, Character?) = ("", nil)
    var hasWord = false
    func isPlaceholder(_ rest: Substring) -> Bool { rest.prefixMatch(of: /<[a-z_]+>/) != nil }
    for index in line.indices {
      let character = line[index]
      switch (character, quote) {
      case (let mark, nil) where mark == "'" || mark == "\"": (quote, hasWord) = (mark, true)
      case (let mark, let open?) where mark == open: quote = nil
      case ("#", nil) where !hasWord, ("|", nil), (";", nil): return words
      case (">", nil) where !word.hasPrefix("<"), ("<", nil) where !isPlaceholder(line[index...]):
        return words
      case (" ", nil):
        if hasWord, word != "…" { words.append(word) }
        (word, hasWord) = ("", false)
      default: (word, hasWord) = (word + String(character), true)
      }
    }
    return hasWord && word != "…" ? words + [word] : words
  }

  @Test func everyCommandOfREADMEIsOneThatThereIs() throws {
    let commands = try commandsOfREADME()
    #expect(commands.count >= 20, "\(commands.count) commands")
    #expect(commands.count { ["train", "eval"].contains($0[1]) } >= 6)
    for command in commands where !command.contains("--help") {
      if ["train", "eval"].contains(command[1]) {
        let shown = command.contains("--config") ? nil : try resolved(Array(command.dropFirst()))
        #expect(shown != "", "\(command)")
        continue
      }
      // The benchmarks are commands of a command.
      let path = Array(command.dropFirst().prefix(command[1] == "bench" ? 2 : 1))
      let page = try Tool.run(path + ["--help"])
      #expect(page.status == 0, "\(command): \(page.errors)")
      for word in command where word.hasPrefix("--") {
        let name = word.prefix { $0 != "=" }
        let isThere =
          page.output.contains(" \(name) ") || page.output.contains(" \(name)\n")
          || page.output.contains("[\(name)")
        #expect(isThere, "\(path) has no \(name)")
      }
    }
  }
}
