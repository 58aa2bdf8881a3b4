import CleftFormats
import CleftImaging
import Foundation
import Testing

/// `cleft predict`: what a trained model says of picture files.
@Suite(.serialized) struct PredictTests {
  private struct Report: Decodable {
    struct Model: Decodable { let kind, checkpoint: String }
    struct Prompt: Decodable {
      let name: String
      let texts: [String]
      let negatives: [String]?
    }
    struct Map: Decodable {
      struct Place: Decodable { let x, y: Double }
      let prompt, method: String
      let rows, columns: Int
      let values: [Double]
      let peak: Place
      let file: String?
    }
    struct Image: Decodable {
      let path: String
      let probabilities: [String: Double]
      let logits: [String: Double]
      let maps: [Map]?
    }
    struct Skipped: Decodable { let imagePath, reason: String }
    let model: Model
    let question: String
    let prompts: [Prompt]
    let images: [Image]
    let skipped: [Skipped]
  }

  private let run = TrainedModels.pair
  private var two: [String] { Array(TrainedModels.pictures.prefix(2)) }

  private func predict(_ arguments: [String], _ run: String? = nil) throws -> Tool.Result {
    try Tool.run(
      ["predict", "--pretrained_model", run ?? self.run, "--num_workers", "1"] + arguments,
      in: Tool.scratch())
  }

  private func report(_ arguments: [String], _ run: String? = nil) throws -> Report {
    let result = try predict(arguments + ["--json"], run)
    try #require(result.status == 0, "\(arguments): \(result.errors)")
    return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
  }

  /// Path and numbers of a table whose columns begin with a word, by class.
  private func numbers(_ path: String, _ word: String) throws -> [String: [String: Double]] {
    let table = try CSVTable(path)
    let place = try table.column("path")
    let columns = table.columns.indices.filter { table.columns[$0].hasPrefix(word) }
    return try table.rows.reduce(into: [:]) { found, row in
      for column in columns {
        let name = String(table.columns[column].dropFirst(word.count))
        let value = try #require(Double(row[column]))
        found[row[place], default: [:]][name] = value
      }
    }
  }

  @Test(arguments: [false, true])
  func probabilitiesAreThoseOfTheEvaluation(_ isClassifier: Bool) throws {
    let model = isClassifier ? TrainedModels.classifier : run
    let folder = try Tool.scratch()
    let evaluated = try Tool.run(
      [
        "eval", model, "--out", folder + "/eval", "--bootstrap", "0", "--examples", "0",
        "--threshold_pictures", "0", "--retrieval_pairs", "0",
      ], in: folder)
    try #require(evaluated.status == 0, "\(evaluated.errors)")
    let csv = folder + "/mine.csv"
    let own = try predict(two + ["--csv", csv], model)
    try #require(own.status == 0, "\(own.errors)")
    for word in ["p:", "logit:"] {
      let (theirs, mine) = (try numbers(folder + "/eval/predictions.csv", word), try numbers(csv, word))
      #expect(mine.count == 2)
      for (path, values) in mine {
        let wanted = try #require(theirs[path])
        #expect(values.count == 5 && Set(values.keys) == Set(wanted.keys))
        for (name, value) in values { #expect(abs(value - (wanted[name] ?? .nan)) < 1e-4, "\(name)") }
      }
    }
  }

  @Test func typedTextsAreComparedWithEachOther() throws {
    let found = try report(two + ["--prompts", "No finding; edema;fracture;"])
    #expect(found.question == "one_of" && found.model.kind == "pair")
    #expect(found.prompts.map(\.name) == ["No finding", "edema", "fracture"])
    #expect(found.prompts.map(\.texts) == [["no finding"], ["edema"], ["fracture"]])
    #expect(found.images.map(\.path) == two && found.skipped.isEmpty)
    for image in found.images {
      #expect(abs(image.probabilities.values.reduce(0, +) - 1) < 1e-9)
      let (a, b) = (image.logits["edema"] ?? 0, image.logits["fracture"] ?? 0)
      let ratio = (image.probabilities["edema"] ?? 0) / (image.probabilities["fracture"] ?? 1)
      #expect(abs(log(ratio) - (a - b)) < 1e-6)
    }
    let written = try report(two + ["--prompts", "No finding; edema", "--as_written"])
    #expect(written.prompts.map(\.texts) == [["No finding"], ["edema"]])
  }

  @Test func withMultiLabelEachTextIsHeldAgainstItsOpposite() throws {
    let found = try report(
      two + ["--multi_label", "--prompts", "edema; no edema | edema; fracture | intact bone"])
    #expect(found.question == "each")
    #expect(found.prompts.map(\.negatives) == [["no edema"], ["edema"], ["intact bone"]])
    for image in found.images {
      let (edema, none) = (image.probabilities["edema"] ?? 0, image.probabilities["no edema"] ?? 0)
      #expect(edema > 0 && edema < 1 && abs(edema + none - 1) < 1e-6)
    }
    let dataset = try report(two + ["--multi_label"])
    #expect(dataset.prompts.count == 5 && dataset.prompts.allSatisfy { $0.negatives?.isEmpty == false })
  }

  @Test func anotherDatasetsPromptsAndAFileOfPrompts() throws {
    #expect(try report(two).prompts.count == 5)
    #expect(try report(two + ["--rsna"]).prompts.count == 2)
    let file = try Tool.scratch() + "/prompts.yaml"
    try "prompts:\n  mine: [\"{CLASS} is seen\", \"there is {CLASS}\"]\n".write(
      toFile: file, atomically: true, encoding: .utf8)
    let found = try report(two + ["--prompts", file])
    #expect(found.prompts.count == 5 && found.prompts.allSatisfy { $0.texts.count == 2 })
    #expect(found.prompts.first?.texts.last?.hasPrefix("there is ") == true)
  }

  @Test func aClassifierAnswersForItsClasses() throws {
    let found = try report(two, TrainedModels.classifier)
    #expect(found.model.kind == "classifier" && found.prompts.count == 5)
    #expect(found.prompts.allSatisfy { $0.texts.isEmpty })
    for image in found.images { #expect(abs(image.probabilities.values.reduce(0, +) - 1) < 1e-9) }
    for options in [["--prompts", "a; b"], ["--multi_label"]] {
      let refused = try predict(two + options, TrainedModels.classifier)
      #expect(refused.status == 78)
      #expect(TrainedModels.refusal(refused).contains("no text tower"), "\(refused.errors)")
    }
  }

  @Test func mapsAreDrawnOverThePictureAndToldInItsPixels() throws {
    let folder = try Tool.scratch() + "/maps"
    let prompts = ["--prompts", "edema; fracture", "--maps", folder]
    let maps = try #require(try report([two[1]] + prompts).images.first?.maps)
    let methods = Set(maps.map(\.method))
    #expect(methods == ["rollout", "similarity"] && maps.count == 2 * methods.count)
    let picture = try ImageDecoder.decode(two[1])
    let geometry = PictureGeometry(picture, pipeline: ImagePipeline(sizePixels: 56))
    for map in maps {
      #expect(map.values.count == map.rows * map.columns && map.rows > 1)
      #expect(map.values.allSatisfy { $0.isFinite })
      let best = try #require(map.values.max().flatMap { map.values.firstIndex(of: $0) })
      let across = 56 * (Double(best % map.columns) + 0.5) / Double(map.columns)
      let down = 56 * (Double(best / map.columns) + 0.5) / Double(map.rows)
      let place = geometry.picturePlace(x: across, y: down)
      #expect(abs(map.peak.x - place.x) < 1e-9 && abs(map.peak.y - place.y) < 1e-9)
      #expect((map.file == nil) == (map.method != maps[0].method))
    }
    let files = maps.compactMap(\.file)
    #expect(FileSystem.list(folder).map { "\(folder)/\($0)" } == files.sorted() && files.count == 2)
    let drawn = try ImageDecoder.decode(files[0])
    #expect(drawn.width == picture.width && drawn.height == picture.height)
    let chosen = try report([two[1]] + prompts + ["--map_method", "similarity"]).images[0].maps
    #expect(chosen?.map(\.method) == ["similarity", "similarity"])
    let covered = try report([two[1]] + prompts + ["--map_method", "occlusion"]).images[0].maps
    #expect(covered?.map(\.method) == ["occlusion", "occlusion"])
    let usual = [
      "--map_method", "similarity", "--map_reference", (two[0] as NSString).deletingLastPathComponent,
    ]
    let beside = try report([two[1]] + prompts + usual).images[0].maps
    #expect(beside?.map(\.values) != chosen?.map(\.values))
    let refused = try predict([two[0], "--maps", folder], TrainedModels.classifier)
    #expect(refused.status == 78 && TrainedModels.refusal(refused).contains("--maps"))
  }

  @Test func foldersAreLookedThroughAndWhatCannotBeReadIsSaid() throws {
    let folder = try TrainedModels.folderOfPictures(3)
    let prompts = ["--prompts", "edema; fracture"]
    let found = try report([folder] + prompts)
    let names = found.images.map { String($0.path.dropFirst(folder.count + 1)) }
    #expect(names == ["a.image", "below/1.image", "below/2.image"])
    let damaged = try TrainedModels.damagedPicture(folder)
    let stopped = try predict([folder] + prompts)
    #expect(stopped.status == 65 && stopped.errors.contains("1 other file(s)"))
    let line = TrainedModels.refusal(stopped)
    #expect(line.contains(damaged) && line.contains("--on_bad_row skip"), "\(stopped.errors)")
    let skipping = try report([folder, "/no/such.png", "--on_bad_row", "skip"] + prompts)
    #expect(skipping.images.map(\.path) == found.images.map(\.path))
    #expect(skipping.images.map(\.probabilities) == found.images.map(\.probabilities))
    #expect(Set(skipping.skipped.map(\.imagePath)) == [damaged, "/no/such.png"])
    #expect(skipping.skipped.allSatisfy { !$0.reason.isEmpty })
    let nothing = try predict([damaged, "--on_bad_row", "skip"] + prompts)
    #expect(nothing.status == 65 && TrainedModels.refusal(nothing).contains("no picture"))
  }

  @Test func onePictureIsATableAndSeveralAreLines() throws {
    let one = try predict([two[0]])
    try #require(one.status == 0, "\(one.errors)")
    let lines = one.output.split(separator: "\n").map(String.init)
    #expect(lines.first == two[0] && lines.count == 6)
    let shares = lines.dropFirst().compactMap { line in
      line.firstMatch(of: /([0-9.]+) %/).flatMap { Double($0.output.1) }
    }
    #expect(shares.count == 5 && shares == shares.sorted(by: >))
    #expect(abs(shares.reduce(0, +) - 100) < 0.3)
    let several = try predict(two + ["--top", "2"]).output.split(separator: "\n")
    #expect(several.count == 2)
    for (line, path) in zip(several, two) {
      #expect(line.hasPrefix(path) && line.filter { $0 == "%" }.count == 2)
    }
  }

  @Test func equalCommandsGiveEqualBytesHoweverManyPicturesAtATime() throws {
    let folder = try TrainedModels.folderOfPictures(5)
    let usual = try predict([folder, "--json"]).output
    #expect(try predict([folder, "--json", "--num_workers", "0"]).output == usual)
    let single = try report([folder, "--batch_size", "1"])
    let together = try report([folder])
    for (a, b) in zip(single.images, together.images) {
      for (name, value) in a.probabilities { #expect(abs(value - (b.probabilities[name] ?? 0)) < 1e-5) }
    }
  }

  @Test func aCheckpointFolderSaysItselfHowItReads() throws {
    let steps = FileSystem.list(run + "/checkpoints").filter { $0.hasPrefix("step-") }
    let newest = try #require(steps.last)
    let checkpoint = "\(run)/checkpoints/\(newest)"
    let wanted = try report(two).images.map(\.probabilities)
    #expect(try report(two, checkpoint).images.map(\.probabilities) == wanted)
    let moved = try Tool.scratch() + "/moved"
    try FileManager.default.copyItem(atPath: checkpoint, toPath: moved)
    #expect(try report(two, moved).images.map(\.probabilities) == wanted)
  }

  @Test(arguments: [
    (["--prompts", "edema"], "at least two"), (["--prompts", "edema; Edema"], "twice"),
    (["--prompts", "edema; ;a"], "empty"), (["--prompts", "a | b; c"], "--multi_label"),
    (["--prompts", "a | b | c", "--multi_label"], "TEXT | AGAINST"), (["--top", "0"], "--top"),
    (["--batch_size", "0"], "--batch_size"), (["--precision", "8"], "--precision"),
    (["--quirk", "nonsense=on"], "nonsense"), (["--map_method", "rollout"], "--maps"),
  ])
  func whatIsTypedWrongIsOneLine(_ options: [String], _ word: String) throws {
    let result = try predict(two + options)
    #expect(result.status == 64 && result.output.isEmpty)
    #expect(TrainedModels.refusal(result).contains(word), "\(options): \(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
  }

  @Test func whatIsNotThereOrCannotBeToldApart() throws {
    let empty = try Tool.scratch()
    for (arguments, word) in [(["/no/such.png"], "/no/such.png"), ([empty], "no picture")] {
      let result = try predict(arguments)
      #expect(result.status == 66)
      #expect(TrainedModels.refusal(result).contains(word), "\(result.errors)")
    }
    #expect(try Tool.run(["predict"]).status == 64)
    let unnamed = try Tool.run(["predict", two[0]])
    #expect(unnamed.status == 66 && TrainedModels.refusal(unnamed).contains("--pretrained_model"))
    #expect(try predict(two, "/no/such/run").status == 66)
    #expect(try predict(two + ["--prompts", "/no/such.yaml"]).status == 66)
    let long = String(repeating: "words without an end ", count: 80)
    let alike = try predict(two + ["--prompts", "\(long) a; \(long) b"])
    #expect(alike.status == 78)
    #expect(TrainedModels.refusal(alike).contains("the same as"), "\(alike.errors)")
  }
}
