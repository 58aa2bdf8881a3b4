extension KernelCatalog {
  private static let mask = DropoutMask(key: RandomKey(seed: 1), probability: 0.1)

  /// Loops over elements, and sums of all of them.
  static var elementwise: [KernelEntry] { plain + activations + sums }

  private static var plain: [KernelEntry] {
    [
      KernelEntry("add", "Kernels.add", reads: 2, writes: 1) {
        Kernels.add($0[0], $0[1], into: $0[2], count: $0.count)
      },
      KernelEntry("add, one thread", "Kernels.addRows", reads: 2, writes: 1) {
        Kernels.addRows($0[0], $0[1], into: $0[2], count: $0.count)
      },
      KernelEntry("multiply", "Kernels.multiply", reads: 2, writes: 1) {
        Kernels.multiply($0[0], $0[1], into: $0[2], count: $0.count)
      },
      KernelEntry("scale", "Kernels.scale", reads: 1, writes: 1) {
        Kernels.scale($0[0], by: 0.5, into: $0[1], count: $0.count)
      },
      KernelEntry("add scaled branch", "Kernels.addScaled", reads: 2, writes: 1, columns: 1) {
        Kernels.addScaled($0[0], $0[1], $0.column(0), into: $0[2], rows: $0.rows, width: $0.width)
      },
      KernelEntry("scale columns", "Kernels.scaleColumns", reads: 1, writes: 1, columns: 1) {
        Kernels.scaleColumns($0[0], $0.column(0), into: $0[1], rows: $0.rows, width: $0.width)
      },
      KernelEntry("dropout", "Kernels.dropout", reads: 1, writes: 1) {
        Kernels.dropout($0[0], adding: nil, mask: mask, into: $0[1], rows: $0.rows, width: $0.width)
      },
      KernelEntry("dropout, residual added", "Kernels.dropout", reads: 2, writes: 1) {
        Kernels.dropout($0[0], adding: $0[1], mask: mask, into: $0[2], rows: $0.rows, width: $0.width)
      },
    ]
  }

  private static var activations: [KernelEntry] {
    [
      KernelEntry("GELU, erf", "Kernels.gelu", .hidden, reads: 1, writes: 1) {
        Kernels.gelu($0[0], into: $0[1], count: $0.count)
      },
      KernelEntry("GELU, erf, backward", "Kernels.geluBackward", .hidden, reads: 2, writes: 1) {
        Kernels.geluBackward($0[0], $0[1], into: $0[2], count: $0.count)
      },
      KernelEntry("GELU, tanh", "Kernels.geluTanh", .hidden, reads: 1, writes: 1) {
        Kernels.geluTanh($0[0], into: $0[1], count: $0.count)
      },
      KernelEntry("GELU, tanh, backward", "Kernels.geluTanhBackward", .hidden, reads: 2, writes: 1) {
        Kernels.geluTanhBackward($0[0], $0[1], into: $0[2], count: $0.count)
      },
      KernelEntry("SiLU product", "Kernels.siluProduct", .hidden, reads: 2, writes: 1) {
        Kernels.siluProduct(
          $0[0], $0[1], inputStride: $0.width, into: $0[2], rows: $0.rows, width: $0.width)
      },
      KernelEntry("SiLU product, backward", "Kernels.siluProductBackward", .hidden, reads: 3, writes: 2) {
        Kernels.siluProductBackward(
          $0[0], $0[1], inputStride: $0.width, $0[2], $0[3], $0[4], outputStride: $0.width, rows: $0.rows,
          width: $0.width)
      },
      KernelEntry("ReLU", "Kernels.relu", .hidden, reads: 1, writes: 1) {
        Kernels.relu($0[0], into: $0[1], count: $0.count)
      },
      KernelEntry("ReLU, backward", "Kernels.reluBackward", .hidden, reads: 2, writes: 1) {
        Kernels.reluBackward($0[0], $0[1], into: $0[2], count: $0.count)
      },
    ]
  }

  private static var sums: [KernelEntry] {
    [
      KernelEntry("column sums", "Kernels.columnSums", .hidden, reads: 1, writes: 0, columns: 1) {
        Kernels.columnSums($0[0], times: nil, into: $0.column(0), beta: 0, rows: $0.rows, width: $0.width)
      },
      KernelEntry("column sums of products", "Kernels.columnSums", reads: 2, writes: 0, columns: 1) {
        Kernels.columnSums($0[0], times: $0[1], into: $0.column(0), beta: 0, rows: $0.rows, width: $0.width)
      },
      KernelEntry("sum, one thread", "Kernels.longSum", reads: 1, writes: 0) {
        $0.keep(Kernels.longSum($0[0], count: $0.count))
      },
      KernelEntry("sum of squares, one thread", "Kernels.sumOfSquares", reads: 1, writes: 0) {
        $0.keep(Kernels.sumOfSquares($0[0], count: $0.count))
      },
      KernelEntry("sum of products, one thread", "Kernels.longDot", reads: 2, writes: 0) {
        $0.keep(Kernels.longDot($0[0], $0[1], count: $0.count))
      },
    ]
  }
}
