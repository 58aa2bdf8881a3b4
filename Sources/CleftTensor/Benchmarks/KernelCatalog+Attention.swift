extension KernelCatalog {
  /// Attention over an image's tokens, over packed captions, and within windows of an image.
  static var attention: [KernelEntry] {
    let image = AttentionExample { sizes in
      (.uniform(count: sizes.imageCount, length: sizes.imageLength), sizes.headCount)
    }
    let text = AttentionExample { sizes in
      (SequenceLayout(lengths: sizes.captionLengths, isCausal: true), sizes.textHeadCount)
    }
    let shared = AttentionExample { sizes in
      let ends = sizes.captionLengths.map { $0 - 10 }
      return (SequenceLayout(lengths: [10] + ends, isCausal: true, sharesFirst: true), sizes.textHeadCount)
    }
    let windows = AttentionExample(isBiased: true) { sizes in
      (.uniform(count: max(1, sizes.rows / 49), length: 49), sizes.headCount)
    }
    var dropping = text
    dropping.dropout = 0.1
    return image.entries("image") + text.entries("text") + dropping.entries("text, dropout")
      + shared.entries("text, shared") + windows.entries("windows, bias") + image.halfEntries("image, bf16")
      + text.halfEntries("text, bf16") + dropping.halfEntries("dropout, bf16")
  }
}

extension KernelSizes {
  fileprivate var textHeadCount: Int { textWidth / Self.headSize }
}

/// Attention over one kind of sequences, heads of 64.
private struct AttentionExample {
  var isBiased = false
  var dropout: Float = 0
  let extents: (KernelSizes) -> (layout: SequenceLayout, headCount: Int)

  func entries(_ name: String) -> [KernelEntry] {
    [
      KernelEntry("attention, \(name)", "AttentionKernel.forward") { forward($0) },
      KernelEntry("attention backward, \(name)", "AttentionKernel.backward") { backward($0) },
    ]
  }

  func halfEntries(_ name: String) -> [KernelEntry] {
    [
      KernelEntry("attention, \(name)", "HalfAttentionKernel.forward") { half($0, isBackward: false) },
      KernelEntry("attention backward, \(name)", "HalfAttentionKernel.backward") {
        half($0, isBackward: true)
      },
    ].map(\.needingHalfProducts)
  }

  private func half(_ sizes: KernelSizes, isBackward: Bool) -> KernelWork {
    let (layout, heads) = extents(sizes)
    let width = heads * KernelSizes.headSize
    let kernel = HalfAttentionKernel(
      layout: layout, options: AttentionOptions(headCount: heads, scale: 0.125, dropout: dropout),
      width: width)
    func rows(_ columns: Int) -> HalfMatrix {
      HalfMatrix(rounding: Tensor(noise: [layout.rowCount, columns]))
    }
    let (qkv, out, denominators) = (rows(3 * width), rows(width), Tensor([layout.rowCount, heads]))
    kernel.forward(qkv.pointer, into: out.pointer, denominators: denominators.pointer)
    let (dOut, gradient) = (rows(isBackward ? width : 0), rows(isBackward ? 3 * width : 0))
    let elements = layout.rowCount * width
    return KernelWork(
      shape: shape(layout, heads), elements: elements,
      bytes: 2 * (isBackward ? 8 : 4) * elements + 4 * denominators.count,
      operations: (isBackward ? 10 : 4) * products(layout, heads)
    ) {
      if isBackward {
        kernel.backward(
          qkv.pointer, out: out.pointer, denominators: denominators.pointer, dOut: dOut.pointer,
          into: gradient.pointer)
      } else {
        kernel.forward(qkv.pointer, into: out.pointer, denominators: denominators.pointer)
      }
    }
  }

  private func forward(_ sizes: KernelSizes) -> KernelWork {
    let (layout, heads) = extents(sizes)
    let width = heads * KernelSizes.headSize
    let (kernel, bias) = kernel(layout, heads)
    let qkv = Tensor(noise: [layout.rowCount, 3 * width])
    let out = Tensor(uninitialized: [layout.rowCount, width])
    return KernelWork(
      shape: shape(layout, heads), elements: out.count, bytes: 4 * (4 * out.count + (bias?.count ?? 0)),
      operations: 4 * products(layout, heads)
    ) {
      kernel.forward(AttentionRows([qkv], width: width), nil, bias: bias?.pointer, out: out.pointer)
    }
  }

  private func backward(_ sizes: KernelSizes) -> KernelWork {
    let (layout, heads) = extents(sizes)
    let width = heads * KernelSizes.headSize
    let (kernel, bias) = kernel(layout, heads)
    let qkv = Tensor(noise: [layout.rowCount, 3 * width])
    let dOut = Tensor(noise: [layout.rowCount, width])
    let gradient = Tensor(qkv.shape)
    let dBias = bias.map { Tensor($0.shape) }
    return KernelWork(
      shape: shape(layout, heads), elements: dOut.count, bytes: 4 * (7 * dOut.count + 3 * (bias?.count ?? 0)),
      operations: 10 * products(layout, heads)
    ) {
      kernel.backward(
        AttentionRows([qkv], width: width), nil, bias: bias?.pointer, dOut: dOut.pointer,
        AttentionRows([gradient], width: width), nil, dBias?.pointer)
    }
  }

  private func kernel(_ layout: SequenceLayout, _ heads: Int) -> (AttentionKernel, Tensor?) {
    let length = (0..<layout.count).map { layout.length($0) }.max() ?? 0
    let bias = isBiased ? AttentionBias(table: Tensor(noise: [1, heads, length, length])) : nil
    let options = AttentionOptions(headCount: heads, scale: 0.125, dropout: dropout)
    let kernel = AttentionKernel(
      layout: layout, options: options, width: heads * KernelSizes.headSize, prefixCount: 0,
      bias: bias?.extents)
    return (kernel, bias?.table)
  }

  /// Multiplications and additions of one product over all pairs of a row and a key it sees, as pairs.
  private func products(_ layout: SequenceLayout, _ heads: Int) -> Double {
    var pairs = 0
    for sequence in 0..<layout.count {
      for row in 0..<layout.length(sequence) {
        pairs += layout.sharedCount(sequence) + layout.visible(sequence, row)
      }
    }
    return Double(pairs) * Double(heads * KernelSizes.headSize)
  }

  /// Heads times tokens, by sequence or, where these vary in length, in all.
  private func shape(_ layout: SequenceLayout, _ heads: Int) -> String {
    let isUniform = (1..<layout.count).allSatisfy { layout.length($0) == layout.length(0) }
    return isUniform ? "\(layout.count)×\(heads)×\(layout.length(0))" : "\(heads)×\(layout.rowCount)"
  }
}
