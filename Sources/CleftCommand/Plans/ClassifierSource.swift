import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining

/// A classifier, ready to train or to evaluate.
struct LoadedClassifier {
  let model: ImageClassifier
  var description: ClassifierDescription
  /// What was left out of the files it came from, one line each.
  var notes: [String] = []
}

/// What a file or a checkpoint says of its image tower.
struct ImagePart {
  var vision: any ImageTowerConfig
  var pooling: ImagePooling
  var adapter: AdapterDescription?
}

/// Builds the classifier that the options name; no text tower and no tokenizer is looked for.
struct ClassifierSource {
  let options: ModelOptions
  let quirks: Quirks
  let seed: UInt64
  var totalSteps: Int?

  private var key: RandomKey { RandomKey(seed: seed).split("parameters") }

  /// What a new classifier is to tell apart.
  struct Classes {
    var names: [String]
    /// Outputs, where another number than that of the classes is asked for.
    var outputCount: Int?
    var isMultiLabel: Bool
  }

  /// The classifier of a run, all of it; options that change no shape are heeded, others must agree.
  ///
  /// - Parameter path: a checkpoint or run folder.
  func checkpoint(_ path: String) throws -> LoadedClassifier {
    if FileSystem.exists(path), !FileSystem.isFolder(path) {
      throw TrainingError.badConfiguration(
        Problem(
          "--pretrained_model \(path)", found: "a file", expected: "the run folder of a classifier",
          hint: "--pretrained_encoder takes the image tower of a file."))
    }
    let folder = try Checkpoint.locate(path)
    _ = try Checkpoint.readState(folder)
    let stored = try StoredModelCatalog.read(folder)
    guard var description = stored as? ClassifierDescription else {
      throw TrainingError.badConfiguration(
        Problem(
          "--pretrained_model \(path)", found: "a \(type(of: stored).kind) of towers",
          expected: "a classifier's run", hint: "--pretrained_encoder takes its image tower."))
    }
    let config = description.classifier
    try requireAgreement(ImagePart(vision: config.vision, pooling: config.pooling), path)
    try refuse(newModelOptions + [("--img_peft", options.adapters.img_peft != nil)], path)
    try heedOptions(&description.classifier.vision)
    let model = try description.makeModel()
    try Checkpoint.load(folder, into: model, modelFolder: options.model_dir)
    return LoadedClassifier(model: model, description: description)
  }

  /// The classifier to train: a run's, or a fresh one on an image tower of a checkpoint, of a file or of random values;
  /// then adapted and frozen.
  func trainable(_ classes: Classes) throws -> LoadedClassifier {
    let loaded = try start(classes)
    loaded.model.seed(key)
    let tower = loaded.model.image.model
    if let adapter = loaded.description.imageAdapter {
      // Under an adapter only its own parameters are trained in the tower.
      for named in tower.parameters {
        named.cell.isTrainable = named.path.contains(adapter.config.parameterMark)
      }
    }
    // The classifier goes on being trained: a linear probe.
    if options.freeze_vit { tower.setTrainable(false) }
    // A frozen tower keeps nothing for backward, so there is nothing to compute again.
    tower.recomputesBlocks = options.grad_ckpt && tower.parameters.contains { $0.cell.isTrainable }
    return loaded
  }

  private func start(_ classes: Classes) throws -> LoadedClassifier {
    if let path = options.pretrained_model {
      let loaded = try checkpoint(path)
      try requireSame(classes, loaded.description, path)
      return loaded
    }
    try requireImageSettings()
    guard let path = options.pretrained_encoder else { return try fresh(classes) }
    let isFile = FileSystem.exists(path) && !FileSystem.isFolder(path)
    return isFile ? try file(path, classes) : try run(path, classes)
  }

  // MARK: - Where the image tower comes from

  private func fresh(_ classes: Classes) throws -> LoadedClassifier {
    let files = try TowerFiles(options: options, quirks: quirks, needsText: false)
    let part = ImagePart(
      vision: try files.imageConfig(), pooling: options.pool_feat ? .mean : .cls,
      adapter: try options.adapters.imageAdapter(totalSteps: totalSteps))
    return try build(part, classes, startsFresh: true) { tower, config in
      let notes = try files.load(into: tower, config)
      if options.random_vit { RandomVisionStart.apply(to: tower, key.split("random vit")) }
      return notes
    }
  }

  private func file(_ path: String, _ classes: Classes) throws -> LoadedClassifier {
    let file = try PairFile(path, options: options, quirks: quirks, needsText: false)
    let part = try file.imagePart()
    try requireAgreement(part, path)
    try refuse(newModelOptions, path)
    return try build(part, classes, path: path) { tower, _ in try file.load(into: tower) }
  }

  private func run(_ path: String, _ classes: Classes) throws -> LoadedClassifier {
    let folder = try Checkpoint.locate(path)
    _ = try Checkpoint.readState(folder)
    let part: ImagePart
    switch try StoredModelCatalog.read(folder) {
    case let pair as ModelDescription:
      part = ImagePart(
        vision: pair.encoder.vision, pooling: pair.encoder.pooling, adapter: pair.imageAdapter)
    case let classifier as ClassifierDescription:
      part = ImagePart(
        vision: classifier.classifier.vision, pooling: classifier.classifier.pooling,
        adapter: classifier.imageAdapter)
    case let other:
      throw TrainingError.badConfiguration(
        Problem(
          "--pretrained_encoder \(path)", found: "a \(type(of: other).kind)",
          expected: "a model with an image tower"))
    }
    try requireAgreement(part, path)
    try refuse(newModelOptions + [("--img_encoder", options.img_encoder != nil)], path)
    return try build(part, classes, path: path) { tower, _ in
      try Checkpoint.load(folder, into: tower, modelFolder: options.model_dir)
      return []
    }
  }

  /// A classifier whose tower `fill` gives its values; an adapter of the tower's own comes with its values, one that the
  /// options ask for is put on top.
  private func build(
    _ part: ImagePart, _ classes: Classes, path: String? = nil, startsFresh: Bool = false,
    _ fill: (any ImageTower, any ImageTowerConfig) throws -> [String]
  ) throws -> LoadedClassifier {
    var part = part
    let hasOwn = part.adapter != nil && !startsFresh
    if hasOwn { try refuse([("--img_peft", options.adapters.img_peft != nil)], path ?? "") }
    part.adapter = try part.adapter ?? options.adapters.imageAdapter(totalSteps: totalSteps)
    try heedOptions(&part.vision)
    let description = ClassifierDescription(
      classifier: ImageClassifierConfig(
        vision: part.vision, pooling: part.pooling, classNames: classes.names,
        outputCount: classes.outputCount,
        // As published, the BERT path alone.
        normalizesOutputs: options.llm_type == "bert" && quirks.isReference),
      imageAdapter: part.adapter, isMultiLabel: classes.isMultiLabel)
    let model = try description.makePlainModel()
    model.seed(key)
    if hasOwn { try description.adapt(model, startsFresh: false) }
    let notes = try fill(model.image.model, part.vision)
    if !hasOwn { try description.adapt(model, startsFresh: true) }
    return LoadedClassifier(model: model, description: description, notes: notes)
  }

  // MARK: - Options

  private func heedOptions(_ vision: inout any ImageTowerConfig) throws {
    if let size = options.image_size { vision.imageSizePixels = size }
    try ModelSource(options: options, quirks: quirks, seed: seed).setVision(&vision)
  }

  /// Options that only a tower from `--model` or from a file of its own heeds.
  private var newModelOptions: [(name: String, isGiven: Bool)] {
    [
      ("--model", options.model != nil), ("--random_vit", options.random_vit),
      ("--baseline_vit", options.baseline_vit),
    ]
  }

  private func refuse(_ given: [(name: String, isGiven: Bool)], _ path: String) throws(TrainingError) {
    for option in given where option.isGiven {
      throw .badConfiguration(
        Problem(option.name, found: "with \(path), which has its own image tower", expected: "without it"))
    }
  }

  private func requireAgreement(_ part: ImagePart, _ path: String) throws(TrainingError) {
    guard options.pool_feat, part.pooling != .mean else { return }
    throw .badConfiguration(
      Problem("--pool_feat", found: "mean pooling", expected: "\(part.pooling) pooling as in \(path)"))
  }

  /// Settings of an adapter want an adapter of the image tower: there is no other.
  private func requireImageSettings() throws(AdapterError) {
    for setting in options.adapters.settings where setting.isGiven && options.adapters.img_peft == nil {
      throw .badSetting(
        Problem(setting.name, found: "without an adapter to set", expected: "--img_peft with it"))
    }
  }

  private func requireSame(
    _ classes: Classes, _ own: ClassifierDescription, _ path: String
  ) throws(TrainingError) {
    func fail(_ place: String, _ found: String, _ expected: String) -> TrainingError {
      .badConfiguration(
        Problem(
          place, found: found, expected: "\(expected) as in \(path)",
          hint: "--pretrained_encoder takes the image tower alone, with a new classifier."))
    }
    if classes.names != own.classifier.classNames {
      throw fail(
        "classes", classes.names.joined(separator: ", "), own.classifier.classNames.joined(separator: ", "))
    }
    if let count = classes.outputCount, count != own.classifier.outputCount {
      throw fail("--num_classes", "\(count)", "\(own.classifier.outputCount)")
    }
    if classes.isMultiLabel != own.isMultiLabel {
      throw fail(
        "--multi_label_loss", classes.isMultiLabel ? "given" : "not given",
        own.isMultiLabel ? "given" : "not given")
    }
  }
}
