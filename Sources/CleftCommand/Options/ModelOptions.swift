import ArgumentParser

/// Which model, from which weights, with which parts trained.
///
/// The groups are those of the help page; their options are read as if they were declared here.
@dynamicMemberLookup
struct ModelOptions: ParsableArguments {
  @OptionGroup(title: "Model") private var towers: TowerOptions
  @OptionGroup(title: "Start weights") private var start: StartOptions
  @OptionGroup(title: "Trained parts") private var frozen: FreezeOptions
  @OptionGroup(title: "Adapters") var adapters: AdapterOptions
  @OptionGroup(title: "Prompt tuning") private var prompts: PromptOptions

  /// An option of the towers.
  subscript<Value>(dynamicMember path: WritableKeyPath<TowerOptions, Value>) -> Value {
    get { towers[keyPath: path] }
    set { towers[keyPath: path] = newValue }
  }

  /// An option of the start weights.
  subscript<Value>(dynamicMember path: WritableKeyPath<StartOptions, Value>) -> Value {
    get { start[keyPath: path] }
    set { start[keyPath: path] = newValue }
  }

  /// An option of what is trained.
  subscript<Value>(dynamicMember path: WritableKeyPath<FreezeOptions, Value>) -> Value {
    get { frozen[keyPath: path] }
    set { frozen[keyPath: path] = newValue }
  }

  /// An option of prompt tuning.
  subscript<Value>(dynamicMember path: WritableKeyPath<PromptOptions, Value>) -> Value {
    get { prompts[keyPath: path] }
    set { prompts[keyPath: path] = newValue }
  }
}
