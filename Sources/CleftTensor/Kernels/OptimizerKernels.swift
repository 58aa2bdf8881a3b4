import Glibc

/// Loops of the optimizers: one pass over a parameter, its gradient and its state.
public enum OptimizerKernels {
  /// AdamW: decoupled decay, then the bias-corrected step.
  ///
  /// Pointers have `count` elements.
  public static func adamW(
    parameter: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    firstMoment: UnsafeMutablePointer<Float>,
    secondMoment: UnsafeMutablePointer<Float>, count: Int, learningRate: Double, beta1: Double, beta2: Double,
    epsilon: Double, weightDecay: Double, step: Int
  ) {
    let correction1 = 1 - pow(beta1, Double(step))
    let correction2 = (1 - pow(beta2, Double(step))).squareRoot()
    let keep = Float(1 - learningRate * weightDecay)
    let rate = Float(learningRate / correction1)
    let root = Float(1 / correction2)
    let (b1, b2) = (Float(beta1), Float(beta2))
    let (c1, c2) = (Float(1 - beta1), Float(1 - beta2))
    let eps = Float(epsilon)
    parallel(count, grain: 1 << 15) { range in
      for i in range {
        let g = gradient[i]
        let m = (b1 * firstMoment[i]).addingProduct(c1, g)
        let v = (b2 * secondMoment[i]).addingProduct(c2 * g, g)
        firstMoment[i] = m
        secondMoment[i] = v
        parameter[i] = keep * parameter[i] - rate * m / (v.squareRoot() * root + eps)
      }
    }
  }

  /// SGD with momentum and coupled decay; `isFirst` starts the buffer with the gradient itself.
  public static func sgd(
    parameter: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    momentum: UnsafeMutablePointer<Float>,
    count: Int, learningRate: Double, momentumFactor: Double, weightDecay: Double, isFirst: Bool
  ) {
    let (rate, mu, decay) = (Float(learningRate), Float(momentumFactor), Float(weightDecay))
    parallel(count, grain: 1 << 15) { range in
      for i in range {
        let g = gradient[i].addingProduct(decay, parameter[i])
        let b = isFirst ? g : g.addingProduct(mu, momentum[i])
        momentum[i] = b
        parameter[i] -= rate * b
      }
    }
  }
}
