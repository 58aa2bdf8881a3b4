extension KernelCatalog {
  private static let patchSize = 14

  /// Images to tokens and back, rows out of tables.
  static var tokens: [KernelEntry] {
    [
      KernelEntry("patchify", "patchify") { sizes in
        let side = sizes.side * patchSize
        let images = Tensor(noise: [sizes.imageCount, 3, side, side])
        return work("\(sizes.imageCount)×3×\(side)×\(side)", images.count, moved: 2 * images.count) {
          _ = patchify(images, size: patchSize)
        }
      },
      KernelEntry("assemble tokens", "assembleTokens") { sizes in
        let (batch, width, count) = (sizes.imageCount, sizes.width, sizes.side * sizes.side)
        let patches = Tensor(noise: [batch * count, width])
        let (positions, cls) = (Tensor(noise: [count + 1, width]), Tensor(noise: [width]))
        let registers = Tensor(noise: [4, width])
        let elements = batch * (5 + count) * width
        let read = patches.count + positions.count + 5 * width
        return work("\(batch * (5 + count))×\(width)", elements, moved: elements + read) {
          _ = assembleTokens(
            patches: patches, positions: positions, classToken: cls, registers: registers, batch: batch)
        }
      },
      KernelEntry("mean over tokens", "meanOverSequences") { sizes in
        let x = Tensor(noise: [sizes.imageCount * sizes.imageLength, sizes.width])
        let moved = x.count + sizes.imageCount * sizes.width
        return work("\(x.shape.rows)×\(sizes.width)", x.count, moved: moved) {
          _ = meanOverSequences(x, count: sizes.imageCount)
        }
      },
      KernelEntry("swap inner axes", "Kernels.swapInnerAxes") { sizes in
        let (side, batch) = (sizes.side * patchSize, sizes.imageCount)
        let (x, y) = (Tensor(noise: [batch, 3, side * side]), Tensor([batch, side * side, 3]))
        return work("\(batch)×3×\(side * side)", x.count, moved: 2 * x.count) {
          Kernels.swapInnerAxes(x.pointer, into: y.pointer, outer: batch, 3, side * side)
        }
      },
    ] + tables
  }

  private static var tables: [KernelEntry] {
    [
      KernelEntry("gather rows", "gatherRows") { sizes in
        let (table, rows) = (Tensor(noise: [4_096, sizes.width]), picks(sizes.rows, of: 4_096))
        let elements = rows.count * sizes.width
        return work("\(rows.count)×\(sizes.width)", elements, moved: 2 * elements) {
          _ = gatherRows(table, rows)
        }
      },
      KernelEntry("scatter rows", "Kernels.scatterRows") { sizes in
        let (gradient, table) = (Tensor(noise: [sizes.rows, sizes.width]), Tensor([4_096, sizes.width]))
        let rows: [Int?] = picks(sizes.rows, of: 4_096)
        return work("\(rows.count)×\(sizes.width)", gradient.count, moved: 3 * gradient.count) {
          Kernels.scatterRows(gradient.pointer, into: table.pointer, rows, width: sizes.width)
        }
      },
      KernelEntry("embed captions", "Kernels.embed") { sizes in
        let count = sizes.captionLengths.reduce(0, +)
        let words = Tensor(noise: [4_096, sizes.textWidth])
        let positions = Tensor(noise: [32, sizes.textWidth])
        let rows = picks(count, of: 4_096).enumerated().map {
          EmbeddingRow(index: $1, position: $0 % 32)
        }
        let out = Tensor([count, sizes.textWidth])
        return work("\(count)×\(sizes.textWidth)", out.count, moved: 2 * out.count + positions.count) {
          Kernels.embed(
            rows, words.pointer, positions: positions.pointer, virtual: nil, into: out.pointer,
            width: sizes.textWidth)
        }
      },
      KernelEntry("relative positions", "relativePositionBias") { sizes in
        let table = Tensor(noise: [13 * 13, sizes.headCount])
        let elements = sizes.headCount * 49 * 49
        return work("\(sizes.headCount)×49×49", elements, moved: elements + table.count) {
          _ = relativePositionBias(table, window: 7)
        }
      },
    ]
  }

  /// Row numbers in no order.
  private static func picks(_ count: Int, of rows: Int) -> [Int] {
    let key = RandomKey(seed: 2)
    return (0..<count).map { Int(key.uniform(at: $0) * Double(rows)) }
  }

  /// - Parameter moved: numbers read and written.
  private static func work(
    _ shape: String, _ elements: Int, moved: Int, _ run: @escaping () -> Void
  ) -> KernelWork {
    KernelWork(shape: shape, elements: elements, bytes: 4 * moved, run: run)
  }
}
