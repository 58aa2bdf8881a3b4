/// Loops over many tensors at once that belong to no optimizer in particular.
public enum GradientKernels {
  /// Sum of the squares of each tensor, in Double; finite exactly if every element is.
  public static func sumsOfSquares(_ tensors: [Tensor]) -> [Double] {
    let pointers = tensors.map { UnsafePointer($0.pointer) }
    let pass = FusedPass(counts: tensors.map(\.count))
    let partial = withExtendedLifetime(tensors) {
      pass.map { sumOfSquares(pointers[$0.part] + $0.range.lowerBound, count: $0.range.count) }
    }
    var sums = [Double](repeating: 0, count: tensors.count)
    for (piece, sum) in zip(pass.pieces, partial) { sums[piece.part] += sum }
    return sums
  }

  /// Rounds tensors to bfloat16, to nearest with ties to even, and widens them again.
  ///
  /// - Parameter pairs: source and target of equal shapes; they may be the same tensor.
  /// - Returns: index of the first pair with a value that is not finite afterwards.
  public static func roundToHalf(_ pairs: [(source: Tensor, target: Tensor)]) -> Int? {
    let pointers = pairs.map { pair in
      precondition(
        pair.source.shape == pair.target.shape,
        "roundToHalf: [\(pair.source.shape)] into [\(pair.target.shape)]")
      return (source: UnsafePointer(pair.source.pointer), target: pair.target.pointer)
    }
    let pass = FusedPass(counts: pairs.map(\.source.count))
    return withExtendedLifetime(pairs) {
      pass.firstBroken { piece in
        let (source, target) = pointers[piece.part]
        var marks: UInt32 = 0
        for i in piece.range {
          let rounded = widenedHalf(source[i])
          target[i] = rounded
          marks |= brokenMark(rounded)
        }
        return marks
      }
    }
  }

  /// In eight lanes of Double.
  private static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var lanes = SIMD8<Double>()
    let whole = count & ~7
    var i = 0
    while i < whole {
      let p = x + i
      let values = SIMD8<Double>(
        Double(p[0]), Double(p[1]), Double(p[2]), Double(p[3]), Double(p[4]), Double(p[5]), Double(p[6]),
        Double(p[7]))
      lanes.addProduct(values, values)
      i &+= 8
    }
    var sum = lanes.sum()
    while i < count {
      sum += Double(x[i]) * Double(x[i])
      i &+= 1
    }
    return sum
  }

  /// The nearest bfloat16 as a float32, without branches; what is not a number stays so.
  @inline(__always)
  private static func widenedHalf(_ value: Float) -> Float {
    let bits = value.bitPattern
    let rounded = bits &+ 0x7FFF &+ ((bits >> 16) & 1)
    let isNumber = bits & 0x7FFF_FFFF <= 0x7F80_0000
    return Float(bitPattern: (isNumber ? rounded : bits | 0x0040_0000) & 0xFFFF_0000)
  }
}
