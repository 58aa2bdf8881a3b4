import CleftNN
import CleftTensor

/// How trained parameters are divided into groups.
public enum ParameterGroups {
  /// The published rule: tensors with exactly one axis do not decay, all others do.
  ///
  /// - Parameter decaysLogitScale: the published program decays its temperature; cleft does not unless asked.
  public static func published(
    _ root: any Module, weightDecay: Double, decaysLogitScale: Bool
  ) -> [ParameterGroup] {
    let trained = root.parameters.filter(\.cell.isTrainable)
    func group(_ name: String, _ weightDecay: Double, _ isDecayed: Bool) -> ParameterGroup {
      let members = trained.filter { named in
        let isExempt = named.cell.shape.rank == 1 || (named.path == "logit_scale" && !decaysLogitScale)
        return isExempt != isDecayed
      }
      return ParameterGroup(
        name: name, weightDecay: weightDecay,
        parameters: members.map { OptimizedParameter(path: $0.path, cell: $0.cell) })
    }
    return [group("decay", weightDecay, true), group("no_decay", 0, false)]
  }

  /// `--no_lrd`: decay on everything.
  public static func single(_ root: any Module, weightDecay: Double) -> [ParameterGroup] {
    let members = root.parameters.filter(\.cell.isTrainable)
    return [
      ParameterGroup(
        name: "all", weightDecay: weightDecay,
        parameters: members.map { OptimizedParameter(path: $0.path, cell: $0.cell) })
    ]
  }
}
