/// The layers of a model that adapters change unless told otherwise, by the ends of their paths.
///
/// They are PEFT's defaults for the architecture, so that a folder without `target_modules` means the same here.
public struct AdapterTargets: Sendable, Equatable {
  /// Layers that take a low-rank correction (LoRA, AdaLoRA).
  public var lowRank: [String]
  /// Layers that take a factor for each channel (IA3).
  public var scaled: [String]
  /// Those of `scaled` whose inputs take the factors.
  public var feedForward: [String]

  /// Names the layers.
  public init(lowRank: [String], scaled: [String], feedForward: [String]) {
    self.lowRank = lowRank
    self.scaled = scaled
    self.feedForward = feedForward
  }
}
