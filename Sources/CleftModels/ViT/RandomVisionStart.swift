import CleftNN
import CleftTensor

/// `--random_vit`: draws part of a loaded image tower anew, as the published program does.
///
/// Positions and matrices of linear layers are truncated normal with deviation 0.02, their biases zero, class and
/// register tokens normal with deviation 1e-6. Patch convolution, norms, LayerScale and mask token keep their values.
public enum RandomVisionStart {
  /// Draws the values from one stream for each parameter.
  public static func apply(to tower: any ImageTower, _ key: RandomKey) {
    let linear = Set(linearCells(tower).map(ObjectIdentifier.init))
    for named in tower.cells() {
      guard let start = initializer(named, isLinear: linear.contains(ObjectIdentifier(named.cell))) else {
        continue
      }
      named.cell.value = start.makeTensor(named.cell.shape, key: key.split(name: named.path))
    }
  }

  private static func linearCells(_ tower: any ImageTower) -> [ParameterCell] {
    var cells: [ParameterCell] = []
    tower.replaceChildren { _, module in
      if module is Linear { cells += module.cells().map(\.cell) }
      return nil
    }
    return cells
  }

  private static func initializer(_ named: NamedCell, isLinear: Bool) -> Initializer? {
    switch named.path {
    case "pos_embed": .truncatedNormal(deviation: 0.02)
    case "cls_token", "register_tokens", "reg_token": .normal(deviation: 1e-6)
    default: isLinear ? (named.cell.shape.rank == 1 ? .zeros : .truncatedNormal(deviation: 0.02)) : nil
    }
  }
}
