/// Loops over the matrices of linear layers and over what their products are added to.
extension Kernels {
  private static func grain(_ width: Int) -> Int { max(1, (1 << 15) / max(width, 1)) }

  /// Writes the same row `rows` times.
  static func fillRows(_ out: Pointer, with row: UnsafePointer<Float>, rows: Int, width: Int) {
    parallel(rows, grain: grain(width)) { range in
      for r in range { (out + r * width).update(from: row, count: width) }
    }
  }

  static func copy(_ source: UnsafePointer<Float>, into target: Pointer, count: Int) {
    parallel(count, grain: 1 << 16) { range in
      (target + range.lowerBound).update(from: source + range.lowerBound, count: range.count)
    }
  }

  /// `out[r, c] = a[r, c] + row[c]`.
  static func addRow(_ a: Pointer, _ row: Pointer, into out: Pointer, rows: Int, width: Int) {
    parallel(rows, grain: grain(width)) { range in
      for r in range { addRows(a + r * width, row, into: out + r * width, count: width) }
    }
  }

  /// Multiplies a stored matrix by one factor an output.
  static func scaleMatrix<From: Element, To: Element>(
    _ matrix: UnsafeMutablePointer<From>, _ factors: Pointer, along layout: WeightLayout,
    into out: UnsafeMutablePointer<To>, rows: Int, columns: Int
  ) {
    parallel(rows, grain: grain(columns)) { range in
      for row in range {
        let (source, target) = (matrix + row * columns, out + row * columns)
        if layout == .outIn {
          let factor = factors[row]
          for c in 0..<columns { target[c] = To(rounding: source[c].widened * factor) }
        } else {
          for c in 0..<columns { target[c] = To(rounding: source[c].widened * factors[c]) }
        }
      }
    }
  }

  /// For each output the sum over its row (or column) of `a ⊙ b`, `+ beta · out`.
  static func matrixDots(
    _ a: Pointer, _ b: Pointer, along layout: WeightLayout, into out: Pointer, beta: Float, rows: Int,
    columns: Int
  ) {
    guard layout == .outIn else {
      return columnSums(a, times: b, into: out, beta: beta, rows: rows, width: columns)
    }
    parallel(rows, grain: grain(columns)) { range in
      for row in range {
        let sum = dot(a + row * columns, b + row * columns, count: columns)
        out[row] = beta == 0 ? sum : out[row] + sum
      }
    }
  }
}
