extension KernelCatalog {
  /// Losses over scores, one thread each, and the losses of pairs as wholes.
  static var losses: [KernelEntry] {
    [
      KernelEntry("softmax in Double", "Kernels.probabilities", .scores, reads: 1, writes: 1) {
        for row in 0..<$0.rows { $0.keep(Kernels.probabilities($0[0] + row * $0.width, count: $0.width)) }
      },
      KernelEntry("log-likelihood", "Kernels.negativeLogLikelihood", .scores, reads: 1, writes: 1) {
        for row in 0..<$0.rows {
          $0.keep(Kernels.negativeLogLikelihood($0[0] + row * $0.width, count: $0.width, target: row))
        }
      },
      KernelEntry("binary cross-entropy", "Kernels.binaryCrossEntropy", .scores, reads: 2, writes: 1) {
        $0.keep(Kernels.binaryCrossEntropy($0[0], targets: $0[1], slope: $0[2], count: $0.count))
      },
      KernelEntry("cross-entropy, classes", "crossEntropy") { sizes in
        let (logits, kept) = (Tensor(noise: [sizes.imageCount, 14]), Tensor([1]))
        let targets = (0..<sizes.imageCount).map { $0 % 14 }
        return KernelWork(
          shape: "\(sizes.imageCount)×14", elements: logits.count, bytes: 8 * logits.count
        ) { kept.pointer[0] = crossEntropy(logits, targets).item }
      },
      pairs("contrastive loss", "contrastiveLoss") {
        contrastiveLoss(images: $0, texts: $1, logitScale: $2)
      },
      pairs("sigmoid loss", "sigmoidLoss") {
        sigmoidLoss(images: $0, texts: $1, logitScale: $2, logitBias: $2)
      },
    ]
  }

  private static func pairs(
    _ name: String, _ function: String,
    _ loss: @escaping (_ images: Tensor, _ texts: Tensor, _ scale: Tensor) -> ContrastiveResult
  ) -> KernelEntry {
    KernelEntry(name, function) { sizes in
      let (count, width) = (sizes.imageCount, 512)
      let images = normalizeRows(Tensor(noise: [count, width]))
      let (texts, scale, kept) = (images.copied(), Tensor([], [2]), Tensor([1]))
      return KernelWork(
        shape: "\(count)×\(width)", elements: images.count, bytes: 4 * (2 * images.count + count * count)
      ) { kept.pointer[0] = loss(images, texts, scale).loss.item }
    }
  }
}
