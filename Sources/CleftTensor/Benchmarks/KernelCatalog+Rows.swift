extension KernelCatalog {
  /// Norms, softmax and rotation of rows.
  static var rows: [KernelEntry] { layerNorms + otherRows }

  private static var layerNorms: [KernelEntry] {
    [
      KernelEntry("layer norm", "Kernels.layerNorm", reads: 1, writes: 1, columns: 2, rowValues: 2) {
        Kernels.layerNorm(
          $0[0], weight: $0.column(0), bias: $0.column(1), epsilon: 1e-6, into: $0[1], keeping: nil,
          statistics: $0.values, rows: $0.rows, width: $0.width)
      },
      KernelEntry(
        "layer norm, backward", "Kernels.layerNormBackward", reads: 2, writes: 1, columns: 1, rowValues: 2
      ) {
        Kernels.layerNormBackward(
          $0[0], weight: $0.column(0), statistics: $0.values, $0[1], into: $0[2], beta: 0, rows: $0.rows,
          width: $0.width)
      },
      KernelEntry(
        "layer norm, parameters", "Kernels.layerNormParameterGradients", reads: 2, writes: 0, columns: 4,
        rowValues: 2
      ) {
        Kernels.layerNormParameterGradients(
          $0[0], statistics: $0.values, $0[1], weight: $0.column(0), bias: $0.column(1), rows: $0.rows,
          width: $0.width)
      },
    ]
  }

  private static var otherRows: [KernelEntry] {
    [
      KernelEntry("RMS norm", "Kernels.rmsNorm", reads: 1, writes: 1, columns: 1, rowValues: 1) {
        Kernels.rmsNorm(
          $0[0], weight: $0.column(0), epsilon: 1e-6, into: $0[1], scales: $0.values, rows: $0.rows,
          width: $0.width)
      },
      KernelEntry(
        "RMS norm, backward", "Kernels.rmsNormBackward", reads: 2, writes: 1, columns: 1, rowValues: 1
      ) {
        Kernels.rmsNormBackward(
          $0[0], weight: $0.column(0), scales: $0.values, $0[1], into: $0[2], beta: 0, rows: $0.rows,
          width: $0.width)
      },
      KernelEntry("softmax", "Kernels.softmax") { sizes in
        let x = KernelOperands(rows: sizes.rows, width: sizes.width, matrixCount: 1)
        return KernelWork(
          shape: "\(x.rows)×\(x.width)", elements: x.count, bytes: 8 * x.count
        ) {
          let (first, width) = (x[0], x.width)
          parallel(x.rows, grain: 16) { rows in
            for row in rows { Kernels.softmax(first + row * width, count: width) }
          }
        }
      },
      KernelEntry("rotary", "Kernels.rotate", reads: 1, writes: 1, rowValues: KernelSizes.headSize) {
        Kernels.rotate(
          $0[0], by: $0.values, direction: 1, into: $0[1], rows: $0.rows, width: $0.width,
          headSize: KernelSizes.headSize)
      },
      KernelEntry("rows to unit length", "normalizeRows") { sizes in
        let x = Tensor(noise: [sizes.rows, sizes.width])
        return KernelWork(
          shape: "\(sizes.rows)×\(sizes.width)", elements: x.count, bytes: 8 * x.count + 4 * sizes.rows
        ) { _ = normalizeRows(x) }
      },
    ]
  }
}
