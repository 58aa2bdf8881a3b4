extension KernelCatalog {
  /// Steps over the parameters of four blocks, and the length of their gradients.
  static var optimizers: [KernelEntry] {
    [
      entry("AdamW", "OptimizerKernels.adamW", moved: 7) { parameters, gradients in
        let parts = zip(parameters, gradients).map {
          OptimizerKernels.AdamWPart(
            parameter: $0, gradient: $1, moments: (Tensor($0.shape), Tensor($0.shape)), learningRate: 1e-5,
            weightDecay: 0.01, step: 10)
        }
        return {
          _ = OptimizerKernels.adamW(parts, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, gradientScale: 0.5)
        }
      },
      entry("SGD", "OptimizerKernels.sgd", moved: 5) { parameters, gradients in
        let parts = zip(parameters, gradients).map {
          OptimizerKernels.SGDPart(
            parameter: $0, gradient: $1, momentum: Tensor($0.shape), learningRate: 1e-5, weightDecay: 0.01,
            isFirst: false)
        }
        return { _ = OptimizerKernels.sgd(parts, momentum: 0.9, gradientScale: 0.5) }
      },
      entry("Adafactor", "OptimizerKernels.adafactor", moved: 5) { parameters, gradients in
        let parts = zip(parameters, gradients).map {
          OptimizerKernels.AdafactorPart(
            parameter: $0, gradient: $1, moments: (Tensor($0.shape), secondMoment($0.shape)),
            learningRate: 1e-5, weightDecay: 0.01, step: 10)
        }
        return {
          _ = OptimizerKernels.adafactor(
            parts, beta1: 0.9, decayExponent: -0.8, clipThreshold: 1, gradientScale: 0.5)
        }
      },
      entry("gradient norm", "GradientKernels.sumsOfSquares", moved: 1) { _, gradients in
        { _ = GradientKernels.sumsOfSquares(gradients) }
      },
    ]
  }

  private static func secondMoment(_ shape: Shape) -> OptimizerKernels.AdafactorPart.SecondMoment {
    shape.rank < 2
      ? .full(Tensor(shape)) : .factored(rows: Tensor([shape[0]]), columns: Tensor([shape[1]]))
  }

  /// - Parameter moved: numbers read and written for each parameter.
  private static func entry(
    _ name: String, _ function: String, moved: Int,
    _ prepare: @escaping (_ parameters: [Tensor], _ gradients: [Tensor]) -> () -> Void
  ) -> KernelEntry {
    KernelEntry(name, function) { sizes in
      let (w, hidden) = (sizes.width, sizes.hidden)
      let block: [Shape] = [
        [w], [w], [3 * w, w], [3 * w], [w, w], [w], [w], [w], [hidden, w], [hidden], [w, hidden], [w],
      ]
      let shapes = (0..<4).flatMap { _ in block }
      let run = prepare(shapes.map { Tensor(noise: $0) }, shapes.map { Tensor(noise: $0) })
      let count = shapes.reduce(0) { $0 + $1.count }
      return KernelWork(
        shape: "\(shapes.count) tensors", elements: count, bytes: 4 * moved * count, run: run)
    }
  }
}
