/// How much each place of a picture speaks for a prompt.
public struct PictureMap: Sendable, Codable, Equatable {
  /// Cells down and across the square that the model sees.
  public let rows, columns: Int
  /// One number a cell, row by row, top first; larger is more for the prompt.
  public let values: [Float]

  /// Makes a map.
  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(
      rows > 0 && columns > 0 && values.count == rows * columns,
      "map: \(values.count) values for \(rows) x \(columns)")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// Row and column of the largest value; of equal ones the first.
  public var peak: (row: Int, column: Int) {
    var best = 0
    for index in values.indices where values[index] > values[best] { best = index }
    return (best / columns, best % columns)
  }

  /// The middle of the highest cell, across and down, as shares of the model's square.
  public var peakPlace: (x: Double, y: Double) {
    ((Double(peak.column) + 0.5) / Double(columns), (Double(peak.row) + 0.5) / Double(rows))
  }
}
