import Synchronization

/// What an operation keeps of a tensor for its backward step: the tensor itself, under `--precision bf16-true` its values in
/// bfloat16, or nothing where they can be made again cheaply.
struct SavedTensor {
  private enum Values {
    case full(Tensor)
    case half(HalfMatrix)
    case again(Recipe)
  }

  /// Shape of the tensor.
  let shape: Shape
  private let values: Values

  /// Keeps a tensor.
  ///
  /// - Parameter inputs: the inputs of the operation; where none is tracked nothing will ask for the values.
  init(_ tensor: Tensor, for inputs: [Node?]) {
    shape = tensor.shape
    if let recipe = tensor.recipe {
      values = .again(recipe)
      return
    }
    // Small tensors are not worth a second pass.
    let isRounded =
      Runtime.savesHalf && tensor.count >= 4096 && Tape.isRecording && inputs.contains { $0 != nil }
    values = isRounded ? .half(HalfMatrix(rounding: tensor)) : .full(tensor.detached)
  }

  /// The values, in bfloat16 where they were rounded.
  var tensor: Tensor {
    switch values {
    case .full(let tensor): tensor
    case .half(let matrix): matrix.tensor(shape)
    case .again(let recipe): recipe.make()
    }
  }
}

extension Runtime {
  private static let halfSaves = Atomic<Bool>(false)

  /// Whether what is kept for the backward pass is rounded to bfloat16; set once, before the first operation.
  public static var savesHalf: Bool {
    get { halfSaves.load(ordering: .relaxed) }
    set { halfSaves.store(newValue, ordering: .relaxed) }
  }
}
