import CleftFormats
import CleftNN
import CleftTensor

/// How trained parameters are divided into groups.
///
/// Groups come in the order in which their first parameters do. Frozen parameters are in none; they never move.
public enum ParameterGroups {
  /// The published groups: tensors with exactly one axis do not decay, all others do, apart for each layer of the image
  /// tower.
  ///
  /// `layer_0_…` holds class token, position embedding and patch embedding, `layer_<i + 1>_…` block `i`; everything else is
  /// with the last block. An image tower without blocks under `blocks.` has only `layer_0_…`. The published program stores
  /// an `lr_scale` with each group that nothing reads: here all rates are equal.
  ///
  /// - Parameter decaysLogitScale: the published program decays its temperature, which has no axis.
  public static func published(
    _ root: any Module, weightDecay: Double, decaysLogitScale: Bool
  ) -> [ParameterGroup] {
    groups(root, weightDecay: weightDecay, decaysLogitScale: decaysLogitScale, layerDecay: 1)
  }

  /// The published groups with rates that fall with the depth: `layerDecay^(n − layer)` of the schedule's for a tower of `n`
  /// blocks.
  ///
  /// - Parameter layerDecay: above 0 up to 1; 1 gives the published groups.
  /// - Throws: `TrainingError.badConfiguration` if it is out of range, or not 1 where there are no blocks to tell apart.
  public static func layerwise(
    _ root: any Module, weightDecay: Double, decaysLogitScale: Bool, layerDecay: Double
  ) throws(TrainingError) -> [ParameterGroup] {
    guard layerDecay > 0, layerDecay <= 1 else {
      throw .badConfiguration(
        Problem("--layer_decay", found: "\(layerDecay)", expected: "a number above 0 up to 1"))
    }
    guard layerDecay == 1 || ImageLayers(root.parameters).blockCount > 0 else {
      throw .badConfiguration(
        Problem(
          "--layer_decay", found: "\(layerDecay) for an image tower without numbered blocks",
          expected: "a vision transformer, or 1"))
    }
    return groups(root, weightDecay: weightDecay, decaysLogitScale: decaysLogitScale, layerDecay: layerDecay)
  }

  /// `--no_lrd`: decay on everything.
  public static func single(_ root: any Module, weightDecay: Double) -> [ParameterGroup] {
    [ParameterGroup(name: "all", weightDecay: weightDecay, parameters: trained(root.parameters))]
  }

  private static func groups(
    _ root: any Module, weightDecay: Double, decaysLogitScale: Bool, layerDecay: Double
  ) -> [ParameterGroup] {
    struct Kind: Hashable {
      let layer: Int
      let decays: Bool
    }
    let parameters = root.parameters
    let layers = ImageLayers(parameters)
    var order: [Kind] = []
    var members: [Kind: [OptimizedParameter]] = [:]
    for parameter in trained(parameters) {
      let isExempt =
        parameter.cell.shape.rank == 1 || parameter.path == "logit_bias"
        || (parameter.path == "logit_scale" && !decaysLogitScale)
      let kind = Kind(layer: layers.layer(of: parameter.path), decays: !isExempt)
      if members[kind] == nil { order.append(kind) }
      members[kind, default: []].append(parameter)
    }
    return order.map { kind in
      var scale = 1.0
      for _ in kind.layer..<layers.blockCount { scale *= layerDecay }
      return ParameterGroup(
        name: "layer_\(kind.layer)_\(kind.decays ? "decay" : "no_decay")",
        weightDecay: kind.decays ? weightDecay : 0, rateScale: scale, parameters: members[kind] ?? [])
    }
  }

  /// Trained parameters in the model's order, one that is in it twice once.
  private static func trained(_ parameters: [NamedCell]) -> [OptimizedParameter] {
    var seen: Set<ObjectIdentifier> = []
    return parameters.filter { $0.cell.isTrainable && seen.insert(ObjectIdentifier($0.cell)).inserted }
      .map { OptimizedParameter(path: $0.path, cell: $0.cell) }
  }
}

/// Which layer of the image tower a parameter belongs to.
private struct ImageLayers {
  /// Where the tower is: in a pair or an image model, in an image encoder, or the root itself.
  private static let places = ["img_encoder_q.model.", "model.", ""]

  private let prefix: String
  /// Blocks of the tower, frozen ones included.
  let blockCount: Int

  init(_ parameters: [NamedCell]) {
    let paths = parameters.map(\.path)
    for prefix in Self.places {
      guard let last = paths.compactMap({ Self.block($0, prefix) }).max() else { continue }
      (self.prefix, blockCount) = (prefix, last + 1)
      return
    }
    prefix = Self.places[0]
    blockCount = 0
  }

  /// 0 for what stands in front of the blocks, up to `blockCount`.
  func layer(of path: String) -> Int {
    if let block = Self.block(path, prefix) { return block + 1 }
    guard path.hasPrefix(prefix) else { return blockCount }
    let name = path.dropFirst(prefix.count)
    let isFirst = name == "cls_token" || name == "pos_embed" || name.hasPrefix("patch_embed")
    return isFirst ? 0 : blockCount
  }

  /// Number of the block that a path lies in.
  private static func block(_ path: String, _ prefix: String) -> Int? {
    let start = prefix + "blocks."
    guard path.hasPrefix(start) else { return nil }
    return Int(path.dropFirst(start.count).prefix { $0 != "." })
  }
}
