import Foundation

/// Rotates pairs of channels by angles that grow with the position.
///
/// Within each head, channel `i` and channel `i + D/2` turn by `position · base^(-2i/D)`.
///
/// - Shapes: `x` `[rows, H·D]`, `positions` one for each row → `[rows, H·D]`.
/// - Saves: cosines and sines of each row.
/// - Numerics: angles in float32, as Hugging Face computes them.
/// - Source: Su et al. 2021, arXiv 2104.09864; rotate-half convention of LLaMA.
public func rotary(_ x: Tensor, positions: [Int], headSize: Int, base: Float) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(
    positions.count == rows && width % headSize == 0 && headSize % 2 == 0,
    "rotary: [\(x.shape)] with \(positions.count) positions, heads of \(headSize)")
  let half = headSize / 2
  let table = Tensor(uninitialized: [rows, headSize])
  let frequencies = (0..<half).map { 1 / powf(base, Float(2 * $0) / Float(headSize)) }
  table.withMutablePointer { table in
    for (row, position) in positions.enumerated() {
      for i in 0..<half {
        let angle = Float(position) * frequencies[i]
        table[row * headSize + i] = cosf(angle)
        table[row * headSize + half + i] = sinf(angle)
      }
    }
  }
  let result = Tensor(uninitialized: x.shape)
  with(x, table, result) {
    Kernels.rotate($0, by: $1, direction: 1, into: $2, rows: rows, width: width, headSize: headSize)
  }
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(gradient, table, out) {
      Kernels.rotate($0, by: $1, direction: -1, into: $2, rows: rows, width: width, headSize: headSize)
    }
    sink.add(0, out)
  }
}

extension Kernels {
  /// Turns each head's pairs by the row's angles; `direction` -1 turns back.
  static func rotate(
    _ x: Pointer, by table: Pointer, direction: Float, into out: Pointer, rows: Int, width: Int, headSize: Int
  ) {
    let half = headSize / 2
    parallel(rows, grain: max(1, 32_768 / max(width, 1))) { range in
      for row in range {
        let (cosines, sines) = (table + row * headSize, table + row * headSize + half)
        for head in stride(from: row * width, to: (row + 1) * width, by: headSize) {
          let (a, b) = (x + head, x + head + half)
          let (ya, yb) = (out + head, out + head + half)
          for i in 0..<half {
            let sine = direction * sines[i]
            ya[i] = a[i] * cosines[i] - b[i] * sine
            yb[i] = b[i] * cosines[i] + a[i] * sine
          }
        }
      }
    }
  }
}
