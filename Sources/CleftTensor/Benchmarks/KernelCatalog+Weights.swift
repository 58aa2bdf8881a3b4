extension KernelCatalog {
  /// Loops over the matrices of linear layers and over what their products are added to.
  static var weights: [KernelEntry] {
    [
      KernelEntry("fill rows", "Kernels.fillRows", .hidden, writes: 1, columns: 1) {
        Kernels.fillRows($0[0], with: $0.column(0), rows: $0.rows, width: $0.width)
      },
      KernelEntry("copy", "Kernels.copy", reads: 1, writes: 1) {
        Kernels.copy($0[0], into: $0[1], count: $0.count)
      },
      KernelEntry("add row", "Kernels.addRow", reads: 1, writes: 1, columns: 1) {
        Kernels.addRow($0[0], $0.column(0), into: $0[1], rows: $0.rows, width: $0.width)
      },
      KernelEntry("scale matrix", "Kernels.scaleMatrix", .weight, reads: 1, writes: 1, rowValues: 1) {
        Kernels.scaleMatrix(
          $0[0], $0.values, along: .outIn, into: $0[1], rows: $0.rows, columns: $0.width)
      },
      KernelEntry(
        "scale matrix, to bfloat16", "Kernels.scaleMatrix", .weight, reads: 1, halves: 1, rowValues: 1
      ) {
        Kernels.scaleMatrix(
          $0[0], $0.values, along: .outIn, into: $0.half(0), rows: $0.rows, columns: $0.width)
      },
      KernelEntry("row products of matrices", "Kernels.matrixDots", .weight, reads: 2, rowValues: 1) {
        Kernels.matrixDots(
          $0[0], $0[1], along: .outIn, into: $0.values, beta: 0, rows: $0.rows, columns: $0.width)
      },
    ]
  }

  /// Random values of a matrix, as weights start.
  static var random: [KernelEntry] {
    [
      KernelEntry("uniform values", "Kernels.uniform", .weight, writes: 1) { operands in
        parallel(operands.count, grain: 1 << 14) {
          Kernels.uniform(operands[0] + $0.lowerBound, $0, RandomKey(seed: 3), low: -1, high: 1)
        }
      },
      KernelEntry("normal values", "Kernels.normal", .weight, writes: 1) { operands in
        parallel(operands.count, grain: 1 << 14) {
          Kernels.normal(operands[0] + $0.lowerBound, $0, RandomKey(seed: 3), deviation: 0.02)
        }
      },
      KernelEntry("truncated normal values", "Kernels.truncatedNormal", .weight, writes: 1) { operands in
        parallel(operands.count, grain: 1 << 14) {
          _ = Kernels.truncatedNormal(
            operands[0] + $0.lowerBound, $0, RandomKey(seed: 3), deviation: 0.02)
        }
      },
    ]
  }
}
