import Glibc

/// Loops of the optimizers: one parallel pass over every parameter, its gradient and its state.
///
/// Each returns the index of the first parameter with a value that is not finite afterwards; looking costs nothing beside
/// the memory traffic.
public enum OptimizerKernels {
  /// One parameter of an AdamW step.
  public struct AdamWPart {
    /// Changed in place; `gradient` is only read.
    public var parameter, gradient, firstMoment, secondMoment: Tensor
    /// Rate and decay of this step.
    public var learningRate, weightDecay: Double
    /// Steps of this parameter, this one included.
    public var step: Int

    /// Makes a part.
    ///
    /// - Shapes: all four tensors alike.
    public init(
      parameter: Tensor, gradient: Tensor, moments: (first: Tensor, second: Tensor), learningRate: Double,
      weightDecay: Double, step: Int
    ) {
      let shapes = [gradient.shape, moments.first.shape, moments.second.shape]
      precondition(shapes.allSatisfy { $0 == parameter.shape }, "adamW: [\(parameter.shape)], \(shapes)")
      (self.parameter, self.gradient) = (parameter, gradient)
      (firstMoment, secondMoment) = moments
      (self.learningRate, self.weightDecay, self.step) = (learningRate, weightDecay, step)
    }
  }

  /// One parameter of an SGD step.
  public struct SGDPart {
    /// Changed in place; `gradient` is only read.
    public var parameter, gradient, momentum: Tensor
    /// Rate and decay of this step.
    public var learningRate, weightDecay: Double
    /// Whether the buffer starts with the gradient itself.
    public var isFirst: Bool

    /// Makes a part.
    ///
    /// - Shapes: all three tensors alike.
    public init(
      parameter: Tensor, gradient: Tensor, momentum: Tensor, learningRate: Double, weightDecay: Double,
      isFirst: Bool
    ) {
      let shapes = [gradient.shape, momentum.shape]
      precondition(shapes.allSatisfy { $0 == parameter.shape }, "sgd: [\(parameter.shape)], \(shapes)")
      (self.parameter, self.gradient, self.momentum) = (parameter, gradient, momentum)
      (self.learningRate, self.weightDecay, self.isFirst) = (learningRate, weightDecay, isFirst)
    }
  }

  /// AdamW: decoupled decay, then the bias-corrected step.
  ///
  /// - Parameter gradientScale: multiplies every gradient first.
  public static func adamW(
    _ parts: [AdamWPart], beta1: Double, beta2: Double, epsilon: Double, gradientScale: Float
  ) -> Int? {
    let loops = parts.map {
      AdamWLoop($0, beta1: beta1, beta2: beta2, epsilon: epsilon, gradientScale: gradientScale)
    }
    let pass = FusedPass(counts: parts.map(\.parameter.count))
    return withExtendedLifetime(parts) { pass.firstBroken { loops[$0.part].run($0.range) } }
  }

  /// SGD with momentum and coupled decay.
  ///
  /// - Parameter gradientScale: multiplies every gradient first.
  public static func sgd(_ parts: [SGDPart], momentum: Double, gradientScale: Float) -> Int? {
    let loops = parts.map { SGDLoop($0, momentum: momentum, gradientScale: gradientScale) }
    let pass = FusedPass(counts: parts.map(\.parameter.count))
    return withExtendedLifetime(parts) { pass.firstBroken { loops[$0.part].run($0.range) } }
  }
}

/// A word whose highest bit is set exactly if `value` is not finite, for joining with `|`.
///
/// Integers, so that the loop around it stays vectorized.
@inline(__always)
func brokenMark(_ value: Float) -> UInt32 { (value.bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000 }

private struct AdamWLoop {
  let parameter, firstMoment, secondMoment: UnsafeMutablePointer<Float>
  let gradient: UnsafePointer<Float>
  let keep, rate, root, b1, b2, c1, c2, epsilon, scale: Float

  init(
    _ part: OptimizerKernels.AdamWPart, beta1: Double, beta2: Double, epsilon: Double, gradientScale: Float
  ) {
    (parameter, gradient) = (part.parameter.pointer, UnsafePointer(part.gradient.pointer))
    (firstMoment, secondMoment) = (part.firstMoment.pointer, part.secondMoment.pointer)
    let correction1 = 1 - pow(beta1, Double(part.step))
    let correction2 = (1 - pow(beta2, Double(part.step))).squareRoot()
    keep = Float(1 - part.learningRate * part.weightDecay)
    rate = Float(part.learningRate / correction1)
    root = Float(1 / correction2)
    (b1, b2) = (Float(beta1), Float(beta2))
    (c1, c2) = (Float(1 - beta1), Float(1 - beta2))
    self.epsilon = Float(epsilon)
    scale = gradientScale
  }

  /// Not inlined, so that the fields stay in registers while memory is written.
  @inline(never)
  func run(_ range: Range<Int>) -> UInt32 {
    var marks: UInt32 = 0
    for i in range {
      let g = gradient[i] * scale
      let m = (b1 * firstMoment[i]).addingProduct(c1, g)
      let v = (b2 * secondMoment[i]).addingProduct(c2 * g, g)
      let new = keep * parameter[i] - rate * m / (v.squareRoot() * root + epsilon)
      firstMoment[i] = m
      secondMoment[i] = v
      parameter[i] = new
      marks |= brokenMark(new)
    }
    return marks
  }
}

private struct SGDLoop {
  let parameter, buffer: UnsafeMutablePointer<Float>
  let gradient: UnsafePointer<Float>
  let rate, momentum, decay, scale: Float
  let isFirst: Bool

  init(_ part: OptimizerKernels.SGDPart, momentum: Double, gradientScale: Float) {
    (parameter, gradient) = (part.parameter.pointer, UnsafePointer(part.gradient.pointer))
    buffer = part.momentum.pointer
    (rate, self.momentum) = (Float(part.learningRate), Float(momentum))
    (decay, scale, isFirst) = (Float(part.weightDecay), gradientScale, part.isFirst)
  }

  /// Not inlined, so that the fields stay in registers while memory is written.
  @inline(never)
  func run(_ range: Range<Int>) -> UInt32 {
    var marks: UInt32 = 0
    for i in range {
      let g = (gradient[i] * scale).addingProduct(decay, parameter[i])
      let b = isFirst ? g : g.addingProduct(momentum, buffer[i])
      let new = parameter[i] - rate * b
      buffer[i] = b
      parameter[i] = new
      marks |= brokenMark(new)
    }
    return marks
  }
}
