import COneDNN
import Synchronization

/// The library's code for bfloat16 products with bfloat16 results.
///
/// Code is made for one shape, in a fraction of a millisecond; that of the shapes used last is kept.
private enum HalfResultProducts {
  /// What tells one product's code from another's.
  struct Key: Hashable {
    let m, n, k, aStride, bStride, cStride: Int
    let transposesA, transposesB, hasBias: Bool
  }

  /// The code of one product, called but never changed.
  final class Product: @unchecked Sendable {
    let code: UnsafeMutablePointer<cleft_half_product>?

    init(_ key: Key) {
      // The code is made for as many threads as there are now.
      HalfProduct.setThreads?(1)
      code = cleft_half_product_create(
        cleft_half_extents(
          m: dnnl_dim_t(key.m), n: dnnl_dim_t(key.n), k: dnnl_dim_t(key.k), a_stride: dnnl_dim_t(key.aStride),
          b_stride: dnnl_dim_t(key.bStride), c_stride: dnnl_dim_t(key.cStride),
          transposes_a: key.transposesA ? 1 : 0, transposes_b: key.transposesB ? 1 : 0,
          has_bias: key.hasBias ? 1 : 0))
    }

    deinit { cleft_half_product_destroy(code) }
  }

  private struct Known {
    var products: [Key: (product: Product, lastUse: Int)] = [:]
    var uses = 0
  }

  private static let known = Mutex(Known())
  private static let capacity = 256

  static func product(_ key: Key) -> Product {
    known.withLock { known in
      known.uses += 1
      let product = known.products[key]?.product ?? Product(key)
      known.products[key] = (product, known.uses)
      if known.products.count > capacity,
        let oldest = known.products.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        known.products[oldest.key] = nil
      }
      return product
    }
  }
}

extension Kernels {
  /// `c = a·b + bias`, factors and result in bfloat16, sums in float32, cut into one tile of `c` a thread.
  static func matmul(
    _ a: HalfOperand, _ b: HalfOperand, bias: UnsafePointer<Float>?, into c: UnsafeMutablePointer<BFloat16>,
    m: Int, n: Int, k: Int
  ) {
    if m == 0 || n == 0 { return }
    let (down, across) = tileGrid(m, n, k)
    let tiles = (0..<down * across).map { tile in
      let (i, j) = (tile / across, tile % across)
      return (rows: cut(m, i, down)..<cut(m, i + 1, down), columns: cut(n, j, across)..<cut(n, j + 1, across))
    }.filter { !$0.rows.isEmpty && !$0.columns.isEmpty }
    let products =
      Runtime.hasHalfProducts
      ? tiles.map { tile in
        HalfResultProducts.product(
          HalfResultProducts.Key(
            m: tile.rows.count, n: tile.columns.count, k: k, aStride: a.matrix.columns,
            bStride: b.matrix.columns, cStride: n, transposesA: a.isTransposed, transposesB: b.isTransposed,
            hasBias: bias != nil))
      } : []
    guard products.count == tiles.count, products.allSatisfy({ $0.code != nil }) else {
      return roundedMatmul(a, b, bias: bias, into: c, m: m, n: n, k: k)
    }
    let start = WorkClock.now()
    defer {
      WorkClock.add(.product, since: start)
      ProductLog.add(
        ProductShape(
          m: m, n: n, k: k, transposesA: a.isTransposed, transposesB: b.isTransposed, isHalf: true),
        since: start)
    }
    let scratch = products.map { Storage(byteCount: max(64, cleft_half_product_scratch($0.code))) }
    let (first, second, target) = (a.matrix, b.matrix, UnsafeMutableRawPointer(c))
    spread(tiles.count) { index in
      let (rows, columns) = tiles[index]
      HalfProduct.setThreads?(1)
      let status = cleft_half_product_run(
        products[index].code,
        first.bits + (a.isTransposed ? rows.lowerBound : rows.lowerBound * first.columns),
        second.bits + (b.isTransposed ? columns.lowerBound * second.columns : columns.lowerBound),
        bias.map { $0 + columns.lowerBound },
        target.assumingMemoryBound(to: UInt16.self) + rows.lowerBound * n + columns.lowerBound,
        scratch[index].base)
      precondition(status == dnnl_success, "bfloat16 product: oneDNN status \(status.rawValue)")
    }
    withExtendedLifetime((first, second, scratch, products)) {}
  }

  /// The same through a float32 result.
  private static func roundedMatmul(
    _ a: HalfOperand, _ b: HalfOperand, bias: UnsafePointer<Float>?, into c: UnsafeMutablePointer<BFloat16>,
    m: Int, n: Int, k: Int
  ) {
    let full = Tensor(uninitialized: [m, n])
    full.withMutablePointer { y in
      if let bias { fillRows(y, with: bias, rows: m, width: n) }
      matmul(a, b, into: y, m: m, n: n, k: k, beta: bias == nil ? 0 : 1)
      convert(y, into: c, count: m * n)
    }
  }
}
