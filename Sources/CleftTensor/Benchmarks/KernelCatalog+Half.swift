extension KernelCatalog {
  /// Activations in bfloat16 between products: from float32 and back, and the loops that read or write them.
  static var half: [KernelEntry] { conversions + halfActivations + halfNorms }

  private static let mask = DropoutMask(key: RandomKey(seed: 1), probability: 0.1)

  private static var conversions: [KernelEntry] {
    [
      KernelEntry("round to bfloat16", "Kernels.convert", .hidden, reads: 1, halves: 1) {
        Kernels.convert($0[0], into: $0.half(0), count: $0.count)
      },
      KernelEntry("widen bfloat16", "Kernels.convert", .hidden, writes: 1, halves: 1) {
        Kernels.convert($0.half(0), into: $0[0], count: $0.count)
      },
      KernelEntry("column sums, bfloat16", "Kernels.columnSums", .hidden, halves: 1, columns: 1) {
        Kernels.columnSums(
          $0.half(0), times: nil, into: $0.column(0), beta: 0, rows: $0.rows, width: $0.width)
      },
      KernelEntry("round float32 to bfloat16", "GradientKernels.roundToHalf") { sizes in
        let x = Tensor(noise: [sizes.rows, sizes.hidden])
        let pairs = [(source: x, target: Tensor(x.shape))]
        return KernelWork(shape: "\(sizes.rows)×\(sizes.hidden)", elements: x.count, bytes: 8 * x.count) {
          _ = GradientKernels.roundToHalf(pairs)
        }
      },
    ]
  }

  private static var halfActivations: [KernelEntry] {
    [
      KernelEntry("GELU, erf, bfloat16", "Kernels.gelu", .hidden, halves: 2) {
        Kernels.gelu($0.half(0), into: $0.half(1), count: $0.count)
      },
      KernelEntry("GELU, erf, backward, bfloat16", "Kernels.geluBackward", .hidden, halves: 3) {
        Kernels.geluBackward($0.half(0), $0.half(1), into: $0.half(2), count: $0.count)
      },
      KernelEntry("GELU, tanh, bfloat16", "Kernels.geluTanh", .hidden, halves: 2) {
        Kernels.geluTanh($0.half(0), into: $0.half(1), count: $0.count)
      },
      KernelEntry("GELU, tanh, backward, bfloat16", "Kernels.geluTanhBackward", .hidden, halves: 3) {
        Kernels.geluTanhBackward($0.half(0), $0.half(1), into: $0.half(2), count: $0.count)
      },
      KernelEntry("dropout, bfloat16", "Kernels.dropout", halves: 2) {
        Kernels.dropout(
          $0.half(0), adding: nil, mask: mask, into: $0.half(1), rows: $0.rows, width: $0.width)
      },
    ]
  }

  private static var halfNorms: [KernelEntry] {
    [
      KernelEntry(
        "layer norm, to bfloat16, kept", "Kernels.layerNorm", reads: 1, halves: 2, columns: 2, rowValues: 2
      ) {
        Kernels.layerNorm(
          $0[0], weight: $0.column(0), bias: $0.column(1), epsilon: 1e-6, into: $0.half(0),
          keeping: $0.half(1), statistics: $0.values, rows: $0.rows, width: $0.width)
      },
      KernelEntry(
        "layer norm again, bfloat16", "Kernels.normalized", halves: 2, columns: 2, rowValues: 2
      ) {
        Kernels.normalized(
          $0.half(0), weight: $0.column(0), bias: $0.column(1), statistics: $0.values, into: $0.half(1),
          rows: $0.rows, width: $0.width)
      },
      KernelEntry(
        "layer norm, backward, bfloat16", "Kernels.layerNormBackward", writes: 1, halves: 2, columns: 1,
        rowValues: 2
      ) {
        Kernels.layerNormBackward(
          $0.half(0), weight: $0.column(0), statistics: $0.values, $0.half(1), into: $0[0], beta: 0,
          rows: $0.rows, width: $0.width)
      },
      KernelEntry(
        "layer norm, parameters, bfloat16", "Kernels.layerNormParameterGradients", halves: 2, columns: 4,
        rowValues: 2
      ) {
        Kernels.layerNormParameterGradients(
          $0.half(0), statistics: $0.values, $0.half(1), weight: $0.column(0), bias: $0.column(1),
          rows: $0.rows, width: $0.width)
      },
    ]
  }
}
