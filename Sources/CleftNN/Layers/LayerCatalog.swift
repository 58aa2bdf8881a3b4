import CleftTensor

/// Every layer that takes one tensor, with an input to try it on.
///
/// One line here puts a layer in all batteries.
public enum LayerCatalog {
  /// One layer.
  public struct Entry: Sendable {
    /// Name of the type.
    public let name: String
    /// Shape of a suitable input.
    public let input: Shape
    /// Whether the layer draws random numbers or keeps statistics in training.
    public let dependsOnMode: Bool
    /// Makes the layer.
    public let make: @Sendable () -> any UnaryLayer
  }

  /// All layers.
  public static let all: [Entry] = [
    Entry(name: "Linear", input: [5, 8], dependsOnMode: false) { Linear(8, 6) },
    Entry(name: "Linear(inOut)", input: [5, 8], dependsOnMode: false) { Linear(8, 6, layout: .inOut) },
    Entry(name: "LayerNorm", input: [5, 8], dependsOnMode: false) { LayerNorm(8, epsilon: 1e-5) },
    Entry(name: "RMSNorm", input: [5, 8], dependsOnMode: false) { RMSNorm(8, epsilon: 1e-5) },
    Entry(name: "BatchNorm", input: [5, 8], dependsOnMode: true) { BatchNorm(8) },
    Entry(name: "ProjectionHead", input: [5, 8], dependsOnMode: true) {
      ProjectionHead(8, 4, hiddenSize: 16)
    },
  ]
}
