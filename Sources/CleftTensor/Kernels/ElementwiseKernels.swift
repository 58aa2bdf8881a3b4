extension Kernels {
  typealias Pointer = UnsafeMutablePointer<Float>

  private static let grain = 1 << 15

  static func add(_ a: Pointer, _ b: Pointer, into out: Pointer, count: Int) {
    parallel(count, grain: grain) { range in for i in range { out[i] = a[i] + b[i] } }
  }

  static func scale(_ a: Pointer, by factor: Float, into out: Pointer, count: Int) {
    parallel(count, grain: grain) { range in for i in range { out[i] = a[i] * factor } }
  }

  static func multiply(_ a: Pointer, _ b: Pointer, into out: Pointer, count: Int) {
    parallel(count, grain: grain) { range in for i in range { out[i] = a[i] * b[i] } }
  }

  /// `out = Φ(x)·x`, exact (erf) form.
  static func gelu<E: Element>(
    _ x: UnsafeMutablePointer<E>, into out: UnsafeMutablePointer<E>, count: Int
  ) {
    parallel(count, grain: grain) { range in
      for i in range {
        let v = x[i].widened
        out[i] = E(rounding: 0.5 * v * (1 + fastErf(v * 0.707_106_78)))
      }
    }
  }

  /// `out = gradient · d gelu(x)/dx`.
  static func geluBackward<E: Element, G: Element>(
    _ x: UnsafeMutablePointer<E>, _ gradient: UnsafeMutablePointer<G>, into out: UnsafeMutablePointer<E>,
    count: Int
  ) {
    parallel(count, grain: grain) { range in
      for i in range {
        let v = x[i].widened
        let cdf = 0.5 * (1 + fastErf(v * 0.707_106_78))
        let density = 0.398_942_28 * fastExp(-0.5 * v * v)
        out[i] = E(rounding: gradient[i].widened * cdf.addingProduct(v, density))
      }
    }
  }

  /// `out = ½x(1 + tanh(√(2/π)(x + 0.044715x³)))`.
  static func geluTanh<E: Element>(
    _ x: UnsafeMutablePointer<E>, into out: UnsafeMutablePointer<E>, count: Int
  ) {
    parallel(count, grain: grain) { range in
      for i in range {
        let v = x[i].widened
        let inner = 0.797_884_56 * v.addingProduct(0.044_715 * v, v * v)
        out[i] = E(rounding: 0.5 * v * (1 + fastTanh(inner)))
      }
    }
  }

  static func geluTanhBackward<E: Element, G: Element>(
    _ x: UnsafeMutablePointer<E>, _ gradient: UnsafeMutablePointer<G>, into out: UnsafeMutablePointer<E>,
    count: Int
  ) {
    parallel(count, grain: grain) { range in
      for i in range {
        let v = x[i].widened
        let square = v * v
        let t = fastTanh(0.797_884_56 * v.addingProduct(0.044_715 * v, square))
        let slope: Float = 0.797_884_56 * (1 as Float).addingProduct(0.134_145, square)
        out[i] = E(rounding: gradient[i].widened * (0.5 * (1 + t) + 0.5 * v * (1 - t * t) * slope))
      }
    }
  }

  /// `out[r, c] = a[r, c] + gamma[c] · b[r, c]`.
  static func addScaled(
    _ a: Pointer, _ b: Pointer, _ gamma: Pointer, into out: Pointer, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, grain / max(width, 1))) { range in
      for row in range {
        let (first, second, target) = (a + row * width, b + row * width, out + row * width)
        for c in 0..<width { target[c] = first[c].addingProduct(gamma[c], second[c]) }
      }
    }
  }

  /// `out[r, c] = a[r, c] · gamma[c]`.
  static func scaleColumns(_ a: Pointer, _ gamma: Pointer, into out: Pointer, rows: Int, width: Int) {
    parallel(rows, grain: max(1, grain / max(width, 1))) { range in
      for row in range {
        let (source, target) = (a + row * width, out + row * width)
        for c in 0..<width { target[c] = source[c] * gamma[c] }
      }
    }
  }

  /// `out = residual + mask ∘ x` (`residual` nil: `mask ∘ x`), the mask of row r being `mask.rowKey(r)`'s.
  static func dropout<From: Element, To: Element>(
    _ x: UnsafeMutablePointer<From>, adding residual: Pointer?, mask: DropoutMask,
    into out: UnsafeMutablePointer<To>, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, grain / max(width, 1))) { range in
      for row in range {
        let key = mask.rowKey(row)
        let (source, target) = (x + row * width, out + row * width)
        if let residual {
          let added = residual + row * width
          for c in 0..<width {
            let kept = source[c].widened * mask.factor(key, UInt32(truncatingIfNeeded: c))
            target[c] = To(rounding: added[c] + kept)
          }
        } else {
          for c in 0..<width {
            target[c] = To(rounding: source[c].widened * mask.factor(key, UInt32(truncatingIfNeeded: c)))
          }
        }
      }
    }
  }

  /// `out[c] = Σᵣ a[r, c] · b[r, c]` (`b` nil: `Σᵣ a[r, c]`) `+ beta · out[c]`; rows in equal parts of at most 1,024,
  /// so that every thread count gives the same bits.
  static func columnSums<A: Element>(
    _ a: UnsafeMutablePointer<A>, times b: Pointer?, into out: Pointer, beta: Float, rows: Int, width: Int
  ) {
    let parts = blockCount(rows)
    let partial = UnsafeMutablePointer<Float>.allocate(capacity: parts * width)
    defer { partial.deallocate() }
    partial.update(repeating: 0, count: parts * width)
    spread(parts) { part in
      let sums = partial + part * width
      for row in part * rows / parts..<(part + 1) * rows / parts {
        let x = a + row * width
        if let b {
          let y = b + row * width
          for c in 0..<width { sums[c] = sums[c].addingProduct(x[c].widened, y[c]) }
        } else {
          for c in 0..<width { sums[c] += x[c].widened }
        }
      }
    }
    for c in 0..<width {
      var sum = beta == 0 ? 0 : out[c]
      for part in 0..<parts { sum += partial[part * width + c] }
      out[c] = sum
    }
  }

  /// Blocks of at most 1,024 rows that sums over rows are cut into.
  static func blockCount(_ rows: Int) -> Int { max(1, (rows + 1_023) / 1_024) }

  /// `Σ a·b`, in Double over blocks of 4,096.
  static func longDot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
    stride(from: 0, to: count, by: 4_096).reduce(0) {
      $0 + Double(dot(a + $1, b + $1, count: min(4_096, count - $1)))
    }
  }

  /// Sum of squares, in Double over blocks of 4,096.
  static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double { longDot(x, x, count: count) }

  /// `Σ a·b` in sixteen lanes.
  @inline(__always)
  static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
    var lanes = SIMD16<Float>()
    let whole = count & ~15
    var i = 0
    while i < whole {
      lanes.addProduct(load(a + i), load(b + i))
      i &+= 16
    }
    var sum = lanes.sum()
    while i < count {
      sum += a[i] * b[i]
      i &+= 1
    }
    return sum
  }

  @inline(__always)
  static func load(_ pointer: UnsafePointer<Float>) -> SIMD16<Float> {
    UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<Float>.self)
  }
}
