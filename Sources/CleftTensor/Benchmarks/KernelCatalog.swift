/// Every kernel with the extents and bytes it is timed on.
///
/// A kernel that no entry names and that is not among `helpers` is noticed by a test.
package enum KernelCatalog {
  /// Groups of entries, in the order in which they run.
  static var entries: [KernelEntry] {
    [
      ("elementwise", elementwise), ("rows", rows), ("attention", attention), ("tokens", tokens),
      ("bfloat16", half), ("weights", weights), ("products", products), ("images", images),
      ("losses", losses), ("optimizers", optimizers), ("random", random),
    ].flatMap { group, entries in entries.map { $0.within(group) } }
  }

  /// Kernels without an entry of their own, and why.
  package static let helpers: [String: String] = [
    "Kernels.blockCount": "arithmetic on one number",
    "Kernels.cut": "arithmetic on one number",
    "Kernels.tileGrid": "arithmetic on a few numbers",
    "Kernels.load": "one vector",
    "Kernels.dot": "inlined into longDot",
    "Kernels.sum": "inlined into layerNorm and softmax",
    "Kernels.squaredDistance": "inlined into layerNorm",
    "Kernels.maximum": "inlined into softmax",
  ]
}

/// One line of the catalogue.
struct KernelEntry {
  private(set) var line: KernelBenchmark.Line
  /// Makes the buffers, and what runs on them.
  let prepare: (KernelSizes) -> KernelWork

  init(_ name: String, _ functions: String..., prepare: @escaping (KernelSizes) -> KernelWork) {
    line = .init(group: "", name: name, functions: functions, needsHalfProducts: false)
    self.prepare = prepare
  }

  /// A loop over matrices of equal extents.
  ///
  /// - Parameters:
  ///   - reads: float32 matrices read; they come first, then those written.
  ///   - halves: bfloat16 matrices read or written.
  ///   - columns: vectors of a number for each column that are read or written.
  ///   - rowValues: numbers for each row that are read or written.
  init(
    _ name: String, _ function: String, _ extent: MatrixExtent = .narrow, reads: Int = 0, writes: Int = 0,
    halves: Int = 0, columns: Int = 0, rowValues: Int = 0, _ body: @escaping (KernelOperands) -> Void
  ) {
    self.init(name, function) { sizes in
      let (rows, width) = sizes.matrix(extent)
      let operands = KernelOperands(
        rows: rows, width: width, matrixCount: reads + writes, halfCount: halves, columnCount: columns,
        rowValueCount: rowValues)
      let floats = operands.count * (reads + writes) + columns * width + rowValues * rows
      return KernelWork(
        shape: "\(rows)×\(width)", elements: operands.count, bytes: 4 * floats + 2 * operands.count * halves
      ) { body(operands) }
    }
  }

  func within(_ group: String) -> KernelEntry {
    var entry = self
    entry.line.group = group
    return entry
  }

  /// The same entry for a kernel that runs only where `Runtime.hasHalfProducts`.
  var needingHalfProducts: KernelEntry {
    var entry = self
    entry.line.needsHalfProducts = true
    return entry
  }
}

/// Which matrix a loop runs over.
enum MatrixExtent {
  /// Activations as wide as a block's input.
  case narrow
  /// Activations as wide as the layer within a block.
  case hidden
  /// The weight of a block's first wide layer.
  case weight
  /// Scores of 256 images and captions with each other.
  case scores
}

/// What is timed, with its buffers.
struct KernelWork {
  let shape: String
  let elements: Int
  /// Bytes that have to be read and written at least.
  let bytes: Int
  var operations: Double?
  /// Runs the kernel once; its results are left in memory.
  let run: () -> Void
}

/// Extents that follow from the rows and channels of the activations.
struct KernelSizes {
  static let headSize = 64

  let rows, width: Int

  /// Rows and columns of a matrix.
  func matrix(_ extent: MatrixExtent) -> (rows: Int, width: Int) {
    switch extent {
    case .narrow: (rows, width)
    case .hidden: (rows, hidden)
    case .weight: (hidden, width)
    case .scores: (256, 256)
    }
  }

  /// Channels within a block.
  var hidden: Int { 4 * width }
  var headCount: Int { width / Self.headSize }
  /// Tokens of an image: class token, four registers, 16 × 16 patches.
  var imageLength: Int { min(261, rows) }
  var imageCount: Int { max(1, rows / imageLength) }
  /// Patches along an image's side.
  var side: Int { max(2, Int(Double(imageLength).squareRoot())) }

  /// Tokens of each caption, a caption an image: 14 to 28, as CheXpert's are.
  var captionLengths: [Int] { (0..<imageCount).map { 14 + $0 * 14 / max(imageCount - 1, 1) } }
  /// Channels of the text tower.
  let textWidth = 768
}

/// Buffers for loops over matrices, filled with numbers from -2 to 2.
final class KernelOperands {
  let rows, width: Int
  private let matrices, columns: [Tensor]
  private let halves: [HalfMatrix]
  private let rowValues: Tensor
  private let kept = Tensor([1])

  init(
    rows: Int, width: Int, matrixCount: Int, halfCount: Int = 0, columnCount: Int = 0, rowValueCount: Int = 0
  ) {
    self.rows = rows
    self.width = width
    matrices = (0..<matrixCount).map { _ in Tensor(noise: [rows, width]) }
    halves = (0..<halfCount).map { _ in HalfMatrix(rounding: Tensor(noise: [rows, width])) }
    columns = (0..<columnCount).map { _ in Tensor(noise: [width]) }
    rowValues = Tensor(noise: [rows, max(1, rowValueCount)])
  }

  /// Elements of a matrix.
  var count: Int { rows * width }

  subscript(index: Int) -> Kernels.Pointer { matrices[index].pointer }

  func half(_ index: Int) -> UnsafeMutablePointer<BFloat16> { halves[index].pointer }

  func column(_ index: Int) -> Kernels.Pointer { columns[index].pointer }

  /// Numbers of the rows.
  var values: Kernels.Pointer { rowValues.pointer }

  /// Leaves a number in memory, so that what computes it has to run.
  func keep(_ value: Double) { kept.pointer[0] = Float(value) }
}

extension Tensor {
  private static let noiseBlock: [Float] = {
    let key = RandomKey(seed: 1)
    return (0..<1 << 14).map { Float(key.uniform(at: $0) * 4 - 2) }
  }()

  /// Numbers from -2 to 2.
  init(noise shape: Shape) {
    self.init(uninitialized: shape)
    Self.noiseBlock.withUnsafeBufferPointer { block in
      guard let base = block.baseAddress else { return }
      for start in stride(from: 0, to: shape.count, by: block.count) {
        (pointer + start).update(from: base, count: min(block.count, shape.count - start))
      }
    }
  }
}
