import CleftModels
import CleftNN

/// Goes through a tower step by step and notes what each takes.
struct CostModelWalk {
  typealias Work = CostModel.Work

  /// Rows of the tower.
  let rows: Int
  private let part, attentionPart: CostModel.Part
  private let precision: CostModel.Precision
  private let isTraining: Bool
  private(set) var work: [Work] = []
  /// Whether anything so far is trained, so that backward comes this far.
  var isTracked = false
  /// Bytes kept for backward.
  var kept = 0.0
  /// Most bytes of a step that backward frees again.
  private(set) var workspace = 0.0
  /// What the last step has made.
  private var last = Made()

  /// The result of a step.
  private struct Made {
    /// Channels, of all layers that read the same rows.
    var width = 0
    /// Whether it is in bfloat16.
    var isHalf = false
    /// Whether backward has it anyway: it is kept by who made it, or is made again from what is kept.
    var isAtHand = false
    /// Whether it is made again.
    var isMadeAgain = false
  }

  /// Bytes of a kept element that the operation rounds if precision says so.
  private var keptSize: Double { precision == .halfTrue ? 2 : 4 }

  init(
    rows: Int, parts part: CostModel.Part, attention: CostModel.Part? = nil,
    _ precision: CostModel.Precision, _ isTraining: Bool
  ) {
    (self.rows, self.part, attentionPart) = (rows, part, attention ?? part)
    (self.precision, self.isTraining) = (precision, isTraining)
  }

  // MARK: - Layers

  /// Linear layers over the same `rows` rows (the tower's by default), and their adapters.
  ///
  /// - Parameter halves: whether the result stays in bfloat16 where the products take such factors.
  mutating func linear(_ layers: [LinearCount], rows other: Int? = nil, halves: Bool = false) {
    let rows = other ?? self.rows
    let (wasTracked, input) = (isTracked, last)
    var isHalfResult = halves
    for (index, layer) in layers.enumerated() {
      let isHalf = precision.roundsProducts && layer.isWide
      let wantsInput = wasTracked || layer.trainsInputFactors
      isHalfResult = isHalfResult && isHalf && layer.corrections.isEmpty
      product(part, rows, layer.input, layer.output, isHalf, inputs: wantsInput, weights: layer.isTrained)
      if isHalf {
        roundings(layer, rows, wantsInput, roundsInput: !input.isHalf, roundsGradient: !isHalfResult)
      }
      move(.forward, elements: 2 * layer.factorPasses * rows * layer.input)
      if layer.trainsAnything { move(.inputs, elements: 3 * layer.factorPasses * rows * layer.input) }
      for correction in layer.corrections { add(correction, layer, rows, wasTracked) }
      if layer.isTrained, isTraining, index == 0 {
        if !(input.isAtHand && wasTracked) { kept += Double(rows * layer.input) * keptSize }
        if input.isMadeAgain { move(.inputs, elements: 2 * rows * layer.input, isHalf: input.isHalf) }
      }
      isTracked = isTracked || layer.trainsAnything
    }
    last = Made(width: layers.reduce(0) { $0 + $1.output }, isHalf: isHalfResult)
    let width = layers.first?.input ?? 0
    // The gradient of the result, of what it was made from, and of the stream.
    let live = 2 * max(last.width, width) + 2 * min(last.width, width)
    workspace = max(workspace, Double(rows * live) * (isHalfResult || input.isHalf ? 3 : 4))
  }

  private mutating func product(
    _ part: CostModel.Part, _ rows: Int, _ input: Int, _ output: Int, _ isHalf: Bool, inputs: Bool,
    weights: Bool
  ) {
    let factor = isHalf ? 2.0 : 4.0
    func add(_ pass: CostModel.Pass, _ m: Int, _ n: Int, _ k: Int) {
      let (m, n, k) = (Double(m), Double(n), Double(k))
      work.append(
        Work(
          part: part, pass: pass, kind: isHalf ? .halfProduct : .product, operations: 2 * m * n * k,
          bytes: factor * (m * k + k * n) + 4 * m * n))
    }
    add(.forward, rows, output, input)
    if inputs, isTraining { add(.inputs, rows, input, output) }
    if weights, isTraining { add(.weights, input, output, rows) }
  }

  /// Four bytes read and two written for each element that becomes a factor; trained matrices once in each direction.
  private mutating func roundings(
    _ layer: LinearCount, _ rows: Int, _ wantsInput: Bool, roundsInput: Bool, roundsGradient: Bool
  ) {
    if roundsInput { move(.forward, bytes: 6 * Double(rows * layer.input)) }
    let matrix = layer.isTrained ? 6 * Double(layer.input * layer.output) : 0
    move(.forward, bytes: matrix)
    guard wantsInput || layer.isTrained else { return }
    move(.inputs, bytes: matrix + (roundsGradient ? 6 * Double(rows * layer.output) : 0))
  }

  private mutating func add(_ low: LinearCount.LowRank, _ layer: LinearCount, _ rows: Int, _ wasTracked: Bool)
  {
    let isHalf = precision.roundsProducts && low.rank >= 32 && layer.isWide
    let narrowIsTracked = wasTracked || low.trainsInner
    product(
      .adapters, rows, layer.input, low.rank, isHalf, inputs: wasTracked, weights: low.trainsInner)
    product(
      .adapters, rows, low.rank, layer.output, isHalf, inputs: narrowIsTracked, weights: low.trainsOuter)
    if low.hasMagnitude {
      product(.adapters, rows, layer.input, layer.output, false, inputs: wasTracked, weights: false)
      product(.adapters, layer.output, layer.input, low.rank, false, inputs: false, weights: false)
    }
    // The input with dropout; the correction scaled and added.
    move(.forward, elements: rows * (2 * layer.input + 5 * layer.output))
    move(.inputs, elements: rows * (2 * layer.output + (wasTracked ? 5 * layer.input : 0)))
    guard isTraining else { return }
    if low.trainsInner { kept += Double(rows * layer.input) * (isHalf ? 2 : keptSize) }
    if low.trainsOuter { kept += Double(rows * low.rank) * (isHalf ? 2 : 4) }
  }

  // MARK: - Other steps

  /// Takes a step of a block; a product in front of a join adds to the stream, which is float32.
  mutating func take(_ step: CostModelStep, before next: CostModelStep?, _ block: CostModelBlock) {
    let halves = block.halves && precision == .halfTrue
    switch step {
    case .linear(let paths):
      var joins = false
      if case .join = next { joins = true }
      linear(paths.compactMap { block.layers[$0] }, halves: halves && !joins)
    case .attention: attention(block)
    case .activation(let isGated):
      let (read, written) = (last.width, isGated ? last.width / 2 : last.width)
      move(.forward, elements: rows * (read + written), isHalf: last.isHalf)
      keep(rows * read)
      move(.inputs, elements: rows * (2 * read + written), isHalf: last.isHalf)
      last = Made(width: written, isHalf: last.isHalf, isAtHand: !isGated, isMadeAgain: !isGated)
    case .norm(let path):
      let isTrained = block.trains(path)
      isTracked = isTracked || isTrained
      move(.forward, elements: 2 * rows * block.width)
      // The input and the gradient, and the stream's gradient, to which is added.
      move(.inputs, elements: (isTrained ? 4 : 2) * rows * block.width, isHalf: halves)
      move(.inputs, elements: 2 * rows * block.width)
      keep(rows * block.width)
      last = Made(
        width: block.width, isHalf: halves, isAtHand: block.remakesNorms, isMadeAgain: block.remakesNorms)
    case .join(let scale):
      isTracked = isTracked || (scale.map { block.trains($0) } ?? false)
      // The stream is copied to where the product adds to it, or added to the branch by itself.
      move(.forward, elements: (block.fusesJoins ? 2 : 3) * rows * block.width)
      if !block.fusesJoins { move(.inputs, elements: 2 * rows * block.width) }
      last = Made(width: block.width)
    }
  }

  private mutating func attention(_ block: CostModelBlock) {
    isTracked = isTracked || block.trainsPrefix
    let (width, scores) = (Double(block.attentionWidth), block.scoreCount)
    let bytes = (last.isHalf ? 2 : 4) * Double(rows) * (Double(last.width) + width)
    work.append(
      Work(
        part: attentionPart, pass: .forward, kind: .attention, operations: 4 * scores * width, bytes: bytes))
    if isTracked, isTraining {
      work.append(
        Work(
          part: attentionPart, pass: .inputs, kind: .attention, operations: 10 * scores * width,
          bytes: 2 * bytes))
    }
    // In bfloat16 the result is kept too, so that backward need not sum over the keys again.
    keep(rows * (last.width + (last.isHalf ? block.attentionWidth : 0)))
    last = Made(width: block.attentionWidth, isHalf: last.isHalf, isAtHand: last.isHalf)
  }

  /// A projection behind a tower; whether backward passes it.
  mutating func head(_ head: any UnaryLayer, behind tracked: Bool) -> Bool {
    isTracked = tracked
    last = Made()
    let layers = LinearCount.layers(in: head).sorted { $0.key < $1.key }.map(\.value)
    for layer in (head as? Linear).map({ [LinearCount($0)] }) ?? layers { linear([layer]) }
    return isTracked
  }

  /// Scores of all pairs, and their gradients in the sides that are trained.
  mutating func loss(_ embeddingSize: Int, trackedSides: Int) {
    let (pairs, width) = (rows, embeddingSize)
    product(part, pairs, width, pairs, false, inputs: trackedSides > 0, weights: false)
    if trackedSides > 1, isTraining, let first = work.last { work.append(first) }
  }

  // MARK: - Notes

  /// Notes elements read or written.
  mutating func move(_ pass: CostModel.Pass, elements: Int, isHalf: Bool = false) {
    move(pass, bytes: (isHalf ? 2 : 4) * Double(elements))
  }

  private mutating func move(_ pass: CostModel.Pass, bytes: Double) {
    guard bytes > 0, pass == .forward || (isTracked && isTraining) else { return }
    work.append(Work(part: part, pass: pass, kind: .movement, operations: 0, bytes: bytes))
  }

  private mutating func keep(_ elements: Int) {
    if isTracked, isTraining { kept += Double(elements) * keptSize }
  }

  /// Notes products of a part that is no block.
  mutating func product(rows: Int, input: Int, output: Int, weights: Bool) {
    product(
      part, rows, input, output, precision.roundsProducts && min(input, output) >= 32, inputs: false,
      weights: weights)
  }

  /// Notes a product that is never rounded.
  mutating func exactProduct(rows: Int, input: Int, output: Int, weights: Bool) {
    product(part, rows, input, output, false, inputs: weights, weights: false)
  }

  /// Notes that the forward work since `start` is done once more in backward.
  mutating func recompute(since start: Int) {
    work += work[start...].filter { $0.pass == .forward }.map { work in
      var again = work
      again.pass = .recompute
      return again
    }
  }

  /// How much has been noted.
  var count: Int { work.count }
}
