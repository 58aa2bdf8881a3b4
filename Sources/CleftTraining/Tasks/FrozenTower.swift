import CleftAdapters
import CleftModels
import CleftNN
import CleftTensor

/// A tower as far as keeping its features goes: whether it makes the same of a sample every time.
///
/// It does if none of its parameters is trained, nothing that it keeps count of moves, and nothing random is in force.
package struct FrozenTower {
  /// Channels of a feature.
  let width: Int
  /// Whether a pass of training does.
  package let isConstantInTraining: Bool
  /// Whether a pass of validation does, at every step of the run.
  package let isConstantInEvaluation: Bool

  /// Looks at an image tower.
  package init(_ image: ImageEncoder, _ config: any ImageTowerConfig) {
    let tower = image.model
    let isFrozen = !tower.parameters.contains { $0.cell.isTrainable }
    width = tower.hiddenSize
    isConstantInEvaluation = isFrozen && config.isConstant(isTraining: false)
    isConstantInTraining = isFrozen && config.isConstant(isTraining: true) && tower.adapterDropout == 0
  }

  /// Looks at a text tower.
  ///
  /// - Parameter isAllocated: whether ranks of its adapter are moved while it is frozen.
  package init(_ text: TextEncoder, _ config: any TextTowerConfig, isAllocated: Bool) {
    let tower = text.model
    let isFrozen = !isAllocated && !tower.parameters.contains { $0.cell.isTrainable }
    let isPlain = config.dropout == 0 && tower.adapterDropout == 0
    width = tower.hiddenSize
    isConstantInEvaluation = isFrozen
    isConstantInTraining = isFrozen && (isPlain || !text.dropsOutWhileFrozen)
  }
}

extension ImageTowerConfig {
  /// Whether a frozen tower makes the same of a picture each time; no for one that nobody has looked at.
  fileprivate func isConstant(isTraining: Bool) -> Bool {
    func isConstant(dropPath: Float, maskedFraction: Float, masksInEvaluation: Bool) -> Bool {
      let masks = maskedFraction > 0 && (isTraining || masksInEvaluation)
      return !masks && !(dropPath > 0 && isTraining)
    }
    switch self {
    case let vision as VisionTransformerConfig:
      return isConstant(
        dropPath: vision.dropPath, maskedFraction: vision.maskedFraction,
        masksInEvaluation: vision.masksInEvaluation)
    case let vision as MaskedAutoencoderConfig:
      return isConstant(
        dropPath: 0, maskedFraction: vision.maskedFraction, masksInEvaluation: vision.masksInEvaluation)
    case let vision as SwinConfig:
      return isConstant(dropPath: vision.dropPath, maskedFraction: 0, masksInEvaluation: false)
    default:
      // A ResNet's batch norm sees the whole batch in training and moves what it uses in evaluation.
      return false
    }
  }
}

extension Module {
  /// The largest dropout of the adapters in here.
  fileprivate var adapterDropout: Float {
    var largest: Float = 0
    replaceChildren { _, module in
      for branch in (module as? AdaptedLinear)?.branches ?? [] { largest = max(largest, branch.dropout) }
      return nil
    }
    return largest
  }
}
