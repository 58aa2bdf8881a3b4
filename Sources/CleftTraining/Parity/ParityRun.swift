import CleftFormats
import CleftModels
import CleftNN
import CleftTensor

/// Compares this implementation with a fixture, tensor by tensor.
public struct ParityRun {
  /// All rows, forward results first.
  public let rows: [ParityRow]

  /// Runs a fixture under published behavior: forward pass, every gradient, three optimizer steps.
  ///
  /// - Parameters:
  ///   - folder: `config.json`, `inputs`, `weights` and `expected.safetensors`.
  ///   - tolerance: largest relative error. Where the fixture gives PyTorch's own float32 error, 20 times that plus
  ///     1e-6 of the largest magnitude is the bound if it is smaller.
  ///   - weights: a file to take the weights from instead of the fixture's own, in any format that is read.
  public init(folder: String, tolerance: Double, weights: String? = nil) throws {
    try self.init(folder: folder, tolerance: tolerance, weights: weights, halfErrors: nil, factor: 1)
  }

  /// - Parameters:
  ///   - halfErrors: PyTorch's bfloat16 errors, which replace the other bounds.
  ///   - factor: how many times them is allowed.
  init(
    folder: String, tolerance: Double, weights: String? = nil, halfErrors: [String: HalfError]?,
    factor: Double
  ) throws {
    let fixture = try ParityFixture(folder, weights: weights)
    let model = try fixture.makeModel()
    var results = try Self.forwardResults(fixture, model)
    for (name, values) in try Self.trainingResults(fixture, model) { results[name] = values }
    if let halfErrors {
      rows = try halfErrors.sorted { Self.rank($0.key) < Self.rank($1.key) }.map { name, error in
        try Self.compareHalf(name, results[name], fixture, error, factor)
      }
      return
    }
    rows = try fixture.expected.entries.keys.sorted { Self.rank($0) < Self.rank($1) }.map { name in
      try Self.compare(name, results[name], fixture, tolerance: tolerance)
    }
  }

  private static func rank(_ name: String) -> String {
    (name.hasPrefix("after3.") ? "2" : name.hasPrefix("grad.") ? "1" : "0") + name
  }

  /// Everything along the forward pass, in the published padded layout.
  private static func forwardResults(_ fixture: ParityFixture, _ model: DualEncoder) throws -> [String:
    [Double]]
  {
    let taps = Taps()
    let context = ForwardContext(isTraining: false, key: RandomKey(seed: 0), taps: taps)
    let padded = model.textBatch(try fixture.captions(), keepsPadding: true)
    return try withoutGradients {
      let images = model.image(try fixture.inputs.tensor("images"), context)
      let texts = model.text(padded, context)
      let result = contrastiveLoss(images: images, texts: texts, logitScale: model.logitScale)
      var values = taps.tensors.mapValues { $0.array.map(Double.init) }
      values["logits"] = result.logits.array.map(Double.init)
      values["loss"] = [Double(result.loss.item)]
      values["text_feature_index"] = padded.pooledPositions.map(Double.init)
      return values
    }
  }

  /// Gradients and updated weights of three steps on one batch, with packed captions as in training.
  private static func trainingResults(_ fixture: ParityFixture, _ model: DualEncoder) throws -> [String:
    [Double]]
  {
    let images = try fixture.inputs.tensor("images")
    let batch = model.textBatch(try fixture.captions())
    let settings = fixture.config.optimizer
    let schedule = CosineWarmup(
      peak: settings.learning_rate, floor: settings.min_lr, warmupSteps: settings.warm_up,
      cycleSteps: settings.max_steps)
    let optimizer = fixture.makeOptimizer(model)
    let modelKeys = Set(model.cells().map(\.path))
    let sources = KeyMap.translate(fixture.weights.entries.keys, modelKeys: modelKeys).sources
    let trained = model.parameters.filter(\.cell.isTrainable)
    var results: [String: [Double]] = [:]
    var losses: [Double] = []
    var rates: [Double] = []
    for step in 0..<3 {
      let context = ForwardContext(isTraining: true, key: RandomKey(seed: 0).split("step", step))
      let loss = contrastiveLoss(
        images: model.image(images, context), texts: model.text(batch, context), logitScale: model.logitScale
      ).loss
      let gradients = loss.gradients()
      if step == 0 {
        for named in trained {
          guard let gradient = gradients[named.cell.leaf], let key = sources[named.path] else { continue }
          results["grad." + key] = gradient.array.map(Double.init)
        }
      }
      losses.append(Double(loss.item))
      rates.append(schedule.rate(at: step))
      optimizer.step(gradients, learningRate: rates[step])
    }
    for named in trained {
      if let key = sources[named.path] { results["after3." + key] = named.cell.value.array.map(Double.init) }
    }
    results["step_losses"] = losses
    results["step_lrs"] = rates
    return results
  }

  /// The root mean square of the differences, relative, against PyTorch's in bfloat16.
  ///
  /// A scalar's error is one draw of the rounding: its bound is at least half a step of bfloat16 at its size.
  private static func compareHalf(
    _ name: String, _ found: [Double]?, _ fixture: ParityFixture, _ error: HalfError, _ factor: Double
  ) throws -> ParityRow {
    let expected = try fixture.expected.doubles(name)
    guard let found, found.count == expected.count else {
      return ParityRow(name: name, relativeError: .infinity, allowed: factor, passes: false)
    }
    let noise = fixture.config.zero_gradient?[String(name.dropFirst("grad.".count))]
    var (squares, count) = (0.0, 0)
    for i in expected.indices where noise.map({ i < $0[0] || i >= $0[1] }) ?? true {
      squares += (expected[i] - found[i]) * (expected[i] - found[i])
      count += 1
    }
    let scale = max(error.rms, 1e-30)
    let allowed = max(factor * error.rms_err / scale, expected.count == 1 ? 0x1p-8 : 0)
    let relative = (squares / Double(max(count, 1))).squareRoot() / scale
    return ParityRow(
      name: name, relativeError: relative.isNaN ? .infinity : relative, allowed: allowed,
      passes: relative <= allowed)
  }

  private static func compare(
    _ name: String, _ found: [Double]?, _ fixture: ParityFixture, tolerance: Double
  ) throws -> ParityRow {
    let expected =
      fixture.expected.entries[name]?.dtype.isFloatingPoint == true
      ? try fixture.expected.doubles(name) : try fixture.expected.integers(name).map(Double.init)
    guard let found, found.count == expected.count else {
      return ParityRow(name: name, relativeError: .infinity, allowed: tolerance, passes: false)
    }
    // Adam turns the rounding noise of gradients that are exactly zero into whole steps; the fixture names them.
    let noise = name.hasPrefix("after3.") ? fixture.config.zero_gradient?[String(name.dropFirst(7))] : nil
    let kept = expected.indices.filter { i in noise.map { i < $0[0] || i >= $0[1] } ?? true }
    let (largest, difference) = ParityRow.difference(kept.map { expected[$0] }, kept.map { found[$0] })
    let scale = max(largest, 1e-30)
    var allowed = tolerance
    if let check = fixture.config.f64_check?[name] {
      allowed = min(allowed, (20 * check.max_err + 1e-6 * check.max_abs) / scale)
    }
    return ParityRow(
      name: name, relativeError: difference / scale, allowed: allowed, passes: difference <= allowed * scale)
  }
}
