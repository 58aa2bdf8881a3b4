import CleftFormats
import CleftTensor

/// The rows of a matrix that point most nearly in the direction of a vector.
struct NearestRows {
  /// A row with the cosine of its angle.
  struct Hit: Equatable {
    var row: Int
    var similarity: Double
  }

  /// Nearest first; of equally near ones the first row.
  private(set) var hits: [Hit] = []
  /// Rows that have no direction: all 0, or with numbers that are none.
  private(set) var directionless = 0
  private let limit: Int

  /// Rows that are in memory at a time, and that a thread takes at a time.
  private static let (blockRows, pieceRows) = (8192, 256)

  /// Looks through a file a block at a time; sums are in float64, whatever products of the model are in.
  ///
  /// - Parameter query: `[E]` as in the file, of any length but 0.
  init(_ query: [Float], in file: NumpyFile, limit: Int) throws {
    self.limit = limit
    let (width, length) = (query.count, Self.length(query))
    precondition(file.width == width, "nearest rows: \(width) numbers for rows of \(file.width)")
    for start in stride(from: 0, to: file.rowCount, by: Self.blockRows) {
      let count = min(Self.blockRows, file.rowCount - start)
      let values = file.rows(start..<start + count).array
      let pieces = try Runtime.map((count + Self.pieceRows - 1) / Self.pieceRows) { piece in
        let rows = piece * Self.pieceRows..<min((piece + 1) * Self.pieceRows, count)
        return rows.map { Self.product(values, $0 * width, query) / length }
      }
      for (place, cosine) in pieces.joined().enumerated() {
        if cosine.isFinite {
          take(Hit(row: start + place, similarity: cosine))
        } else {
          directionless += 1
        }
      }
    }
  }

  /// Length of a vector.
  static func length(_ vector: [Float]) -> Double {
    vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// The product of a row and the query, divided by the row's length; no number for a row without direction.
  private static func product(_ values: [Float], _ first: Int, _ query: [Float]) -> Double {
    values.withUnsafeBufferPointer { values in
      var (product, square) = (0.0, 0.0)
      for (column, other) in query.enumerated() {
        let value = Double(values[first + column])
        product += value * Double(other)
        square += value * value
      }
      return product / square.squareRoot()
    }
  }

  /// Puts a row into its place if it is among the nearest so far.
  private mutating func take(_ hit: Hit) {
    if hits.count == limit, let last = hits.last, hit.similarity <= last.similarity { return }
    // Behind those as near as it: they came first.
    var (low, high) = (0, hits.count)
    while low < high {
      let middle = (low + high) / 2
      if hits[middle].similarity >= hit.similarity { low = middle + 1 } else { high = middle }
    }
    hits.insert(hit, at: low)
    if hits.count > limit { hits.removeLast() }
  }
}
