extension KernelCatalog {
  /// Products as in a block: forward, gradient of the input (`dx`), gradient of the weight (`dw`).
  static var products: [KernelEntry] {
    let shapes: [(name: String, factors: (KernelSizes) -> ProductExample)] = [
      ("qkv", { ProductExample($0.rows, 3 * $0.width, $0.width, b: true) }),
      ("mlp in", { ProductExample($0.rows, $0.hidden, $0.width, b: true) }),
      ("mlp out", { ProductExample($0.rows, $0.width, $0.hidden, b: true) }),
      ("mlp in, dx", { ProductExample($0.rows, $0.width, $0.hidden) }),
      ("mlp in, dw", { ProductExample($0.hidden, $0.width, $0.rows, a: true) }),
      ("text mlp in", { ProductExample($0.captionLengths.reduce(0, +), 4 * $0.textWidth, $0.textWidth) }),
    ]
    return shapes.map { shape in
      KernelEntry("float32 \(shape.name)", "Kernels.matmul") { shape.factors($0).float() }
    }
      + shapes.map { shape in
        KernelEntry("bfloat16 \(shape.name)", "Kernels.matmul") { shape.factors($0).half() }
      }
      + shapes.prefix(3).map { shape in
        KernelEntry("bfloat16 result, \(shape.name)", "Kernels.matmul") { shape.factors($0).halfResult() }
      } + [
        KernelEntry("float32 scores, one thread", "Kernels.matmulSerial") { sizes in
          let size = KernelSizes.headSize
          return ProductExample(sizes.imageLength, sizes.imageLength, size, b: true).serial()
        }
      ]
  }
}

/// Extents of a product, and which factors are read transposed.
private struct ProductExample {
  let m, n, k: Int
  let transposesA, transposesB: Bool

  init(_ m: Int, _ n: Int, _ k: Int, a: Bool = false, b: Bool = false) {
    (self.m, self.n, self.k) = (m, n, k)
    (transposesA, transposesB) = (a, b)
  }

  func float() -> KernelWork {
    let (a, b, c) = factors()
    return work(bytesPerFactor: 4) {
      Kernels.matmul(
        Operand(a.pointer, rowStride: a.shape.last, transposed: transposesA),
        Operand(b.pointer, rowStride: b.shape.last, transposed: transposesB), into: c.pointer, rowStride: n,
        m: m, n: n, k: k, beta: 0)
    }
  }

  func serial() -> KernelWork {
    let (a, b, c) = factors()
    return work(bytesPerFactor: 4) {
      Kernels.matmulSerial(
        Operand(a.pointer, rowStride: a.shape.last, transposed: transposesA),
        Operand(b.pointer, rowStride: b.shape.last, transposed: transposesB), into: c.pointer, rowStride: n,
        m: m, n: n, k: k, beta: 0)
    }
  }

  func half() -> KernelWork {
    let (a, b, c) = factors()
    let (first, second) = (HalfMatrix(rounding: a), HalfMatrix(rounding: b))
    return work(bytesPerFactor: 2) {
      Kernels.matmul(
        HalfOperand(first, transposed: transposesA), HalfOperand(second, transposed: transposesB),
        into: c.pointer, m: m, n: n, k: k, beta: 0)
    }
  }

  func halfResult() -> KernelWork {
    let (a, b, c) = factors()
    let (first, second) = (HalfMatrix(rounding: a), HalfMatrix(rounding: b))
    let (result, bias) = (HalfMatrix(rounding: c), Tensor(noise: [n]))
    return work(bytesPerFactor: 2, bytesPerResult: 2) {
      Kernels.matmul(
        HalfOperand(first, transposed: transposesA), HalfOperand(second, transposed: transposesB),
        bias: UnsafePointer(bias.pointer), into: result.pointer, m: m, n: n, k: k)
    }
  }

  private func factors() -> (a: Tensor, b: Tensor, c: Tensor) {
    (
      Tensor(noise: transposesA ? [k, m] : [m, k]), Tensor(noise: transposesB ? [n, k] : [k, n]),
      Tensor([m, n])
    )
  }

  private func work(
    bytesPerFactor: Int, bytesPerResult: Int = 4, _ run: @escaping () -> Void
  ) -> KernelWork {
    KernelWork(
      shape: "\(m)×\(n)×\(k)", elements: m * n,
      bytes: bytesPerFactor * (m * k + k * n) + bytesPerResult * m * n,
      operations: 2 * Double(m) * Double(n) * Double(k), run: run)
  }
}
