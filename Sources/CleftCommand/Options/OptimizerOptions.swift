import ArgumentParser

/// What is made smaller, and how the parameters move.
///
/// The groups are those of the help page; the optimizer's options are read as if they were declared here.
@dynamicMemberLookup
struct OptimizerOptions: ParsableArguments {
  @OptionGroup(title: "Loss") var loss: LossOptions
  @OptionGroup(title: "Optimizer") private var update: UpdateOptions

  /// An option of the optimizer.
  subscript<Value>(dynamicMember path: WritableKeyPath<UpdateOptions, Value>) -> Value {
    get { update[keyPath: path] }
    set { update[keyPath: path] = newValue }
  }
}
