import CleftNN
import CleftTensor

/// Adafactor as the published program sets it: a rate from outside, no scaling by the parameter, a first moment.
///
/// A parameter `[..., R, C]` keeps means of its squared gradients over rows and over columns, one with fewer axes keeps
/// them all. Clipping threshold 1, decay of the second moment `1 − t^−0.8`.
///
/// - Numerics: float32; sums in Double over fixed blocks.
/// - Source: Shazeer and Stern 2018, arXiv 1804.04235. Matches transformers' `Adafactor` with `scale_parameter`,
///   `relative_step` and `warmup_init` off.
public final class Adafactor: Optimizer {
  fileprivate struct Slot {
    var step: Int
    let firstMoment: Tensor
    let secondMoment: OptimizerKernels.AdafactorPart.SecondMoment
  }

  /// Name for logs.
  public let name = "Adafactor"
  /// The parameters.
  public let groups: [ParameterGroup]
  private let beta1, decayExponent: Double
  private let clipThreshold: Float
  private let members: [GroupedParameter]
  private var slots: [Slot?]

  /// Makes an optimizer.
  public init(
    _ groups: [ParameterGroup], beta1: Double, decayExponent: Double = -0.8, clipThreshold: Float = 1
  ) {
    self.groups = groups
    (self.beta1, self.decayExponent, self.clipThreshold) = (beta1, decayExponent, clipThreshold)
    members = groups.members
    slots = Array(repeating: nil, count: members.count)
  }

  /// One step.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    var parts: [OptimizerKernels.AdafactorPart] = []
    var moved: [Int] = []
    for (index, member) in members.enumerated() {
      guard let gradient = gradients[member.cell.leaf] else { continue }
      var slot = slots[index] ?? Slot(member.cell.shape)
      slot.step += 1
      slots[index] = slot
      moved.append(index)
      parts.append(
        OptimizerKernels.AdafactorPart(
          parameter: member.cell.value, gradient: gradient, moments: (slot.firstMoment, slot.secondMoment),
          learningRate: learningRate * member.rateScale, weightDecay: member.weightDecay, step: slot.step))
    }
    let broken = OptimizerKernels.adafactor(
      parts, beta1: beta1, decayExponent: decayExponent, clipThreshold: clipThreshold,
      gradientScale: gradientScale)
    return broken.map { members[moved[$0]].path }
  }

  /// `step.…`, `exp_avg.…`, and `exp_avg_sq_row.…` with `exp_avg_sq_col.…` or `exp_avg_sq.…`, for each parameter that has
  /// moved.
  public var state: [(key: String, tensor: Tensor)] {
    zip(members, slots).sorted { $0.0.path < $1.0.path }.flatMap { member, slot in
      slot.map { slot in
        zip(Slot.shapes(member.cell.shape), slot.tensors).map { ("\($0.name).\(member.path)", $1) }
      } ?? []
    }
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) {
    let state = try OptimizerState(
      state, of: name, names: ["step", "exp_avg", "exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col"])
    for (index, member) in members.enumerated() {
      slots[index] = try state.copies(member.path, Slot.shapes(member.cell.shape)).map { Slot($0) }
    }
  }
}

extension Adafactor.Slot {
  /// Names and shapes of what is kept for a parameter.
  static func shapes(_ shape: Shape) -> [(name: String, shape: Shape)] {
    let common: [(name: String, shape: Shape)] = [("step", []), ("exp_avg", shape)]
    if shape.rank < 2 { return common + [("exp_avg_sq", shape)] }
    let outer = Array(shape.dimensions.dropLast(2))
    return common + [
      ("exp_avg_sq_row", Shape(outer + [shape[-2]])), ("exp_avg_sq_col", Shape(outer + [shape.last])),
    ]
  }

  /// Zeros.
  init(_ shape: Shape) { self.init(Self.shapes(shape).map { Tensor($0.shape) }) }

  /// From tensors of `shapes`.
  init(_ tensors: [Tensor]) {
    step = Int(tensors[0].item)
    firstMoment = tensors[1]
    secondMoment =
      tensors.count == 3 ? .full(tensors[2]) : .factored(rows: tensors[2], columns: tensors[3])
  }

  /// What goes into a checkpoint, in the order of `shapes`.
  var tensors: [Tensor] {
    let common = [Tensor([], [Float(step)]), firstMoment]
    switch secondMoment {
    case .full(let tensor): return common + [tensor]
    case .factored(let rows, let columns): return common + [rows, columns]
    }
  }
}
