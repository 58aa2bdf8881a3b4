import CleftAdapters
import CleftNN
import CleftTensor

/// The extents of a linear layer, what of it is trained, and the adapters on it.
struct LinearCount: Equatable {
  /// A low-rank correction.
  struct LowRank: Equatable {
    let rank: Int
    /// Whether the factor next to the input, and the one next to the output, are trained.
    let trainsInner, trainsOuter: Bool
    /// Whether the lengths of the outputs' weights are trained apart, which takes the base product once more.
    let hasMagnitude: Bool
  }

  let input, output: Int
  let isTrained: Bool
  /// Whether anything in the layer is trained, adapters included.
  let trainsAnything: Bool
  let corrections: [LowRank]
  /// Whether trained factors stand before the layer (IA3 in feed-forward layers).
  let trainsInputFactors: Bool
  /// Factors on the input and on the output.
  let factorPasses: Int

  /// Whether the product is worth rounding.
  var isWide: Bool { min(input, output) >= 32 }

  init(_ base: Linear, branches: [any AdapterBranch] = []) {
    (input, output) = (base.inputSize, base.outputSize)
    isTrained = base.$weight.isTrainable
    let cells = branches.map { $0.cells() }
    trainsAnything = (base.cells() + cells.flatMap { $0 }).contains { $0.cell.isTrainable }
    corrections = cells.compactMap { cells in
      guard let inner = cells.first(where: { $0.path.hasPrefix("lora_A.") })?.cell,
        let outer = cells.first(where: { $0.path.hasPrefix("lora_B.") })?.cell
      else { return nil }
      return LowRank(
        rank: inner.shape[0], trainsInner: inner.isTrainable, trainsOuter: outer.isTrainable,
        hasMagnitude: cells.contains { $0.path.hasPrefix("lora_magnitude_vector.") })
    }
    let factors = branches.compactMap { $0 as? IA3Branch }
    factorPasses = factors.count
    trainsInputFactors = factors.contains { branch in
      branch.scalesInput && branch.parameters.contains { $0.cell.isTrainable }
    }
  }

  /// All linear layers of a module by their paths, adapted ones with their adapters.
  static func layers(in root: any Module) -> [String: LinearCount] {
    var layers: [String: LinearCount] = [:]
    root.replaceChildren { path, module in
      if let adapted = module as? AdaptedLinear {
        layers[path] = LinearCount(adapted.base, branches: adapted.branches)
        // In its own place: nothing within is a layer of its own.
        return adapted
      }
      if let linear = module as? Linear { layers[path] = LinearCount(linear) }
      return nil
    }
    return layers
  }
}

/// What happens in a block, in order; paths are within the block.
enum CostModelStep: Equatable {
  /// Layers that read the same rows.
  case linear([String])
  /// Attention over what the layers before have made.
  case attention
  /// An activation over what the layers before have made; a gated one halves it.
  case activation(isGated: Bool)
  case norm(String)
  /// The branch joins the stream, scaled per channel by a module or dropped out.
  case join(scale: String?)

  /// A vision transformer's block.
  static func vision(first: String, second: String, isGated: Bool, hasScale: Bool) -> [CostModelStep] {
    [
      .norm("norm1"), .linear(["attn.qkv"]), .attention, .linear(["attn.proj"]),
      .join(scale: hasScale ? "ls1" : nil), .norm("norm2"), .linear([first]),
      .activation(isGated: isGated), .linear([second]), .join(scale: hasScale ? "ls2" : nil),
    ]
  }

  /// GPT-2's block.
  static let gpt: [CostModelStep] = [
    .norm("ln_1"), .linear(["attn.c_attn"]), .attention, .linear(["attn.c_proj"]), .join(scale: nil),
    .norm("ln_2"), .linear(["mlp.c_fc"]), .activation(isGated: false), .linear(["mlp.c_proj"]),
    .join(scale: nil),
  ]

  /// LLaMA's block.
  static let llama: [CostModelStep] = [
    .norm("input_layernorm"), .linear(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    .attention, .linear(["self_attn.o_proj"]), .join(scale: nil), .norm("post_attention_layernorm"),
    .linear(["mlp.gate_proj", "mlp.up_proj"]), .activation(isGated: true), .linear(["mlp.down_proj"]),
    .join(scale: nil),
  ]

  /// BERT's block.
  static let bert: [CostModelStep] = [
    .linear(["attention.self.query", "attention.self.key", "attention.self.value"]), .attention,
    .linear(["attention.output.dense"]), .join(scale: nil), .norm("attention.output.LayerNorm"),
    .linear(["intermediate.dense"]), .activation(isGated: false), .linear(["output.dense"]),
    .join(scale: nil), .norm("output.LayerNorm"),
  ]
}
