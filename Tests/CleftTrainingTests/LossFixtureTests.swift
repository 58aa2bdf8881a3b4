import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Losses and their gradients against torch's, from `Tests/Fixtures/losses`.
@Suite(.tags(.parity)) struct LossFixtureTests {
  private let file: SafeTensorsFile

  init() throws { file = try SafeTensorsFile("\(fixtures)/losses/losses.safetensors") }

  private static let states: [String: (scale: Float, bias: Float)] = [
    "start": (2.302585, -10), "trained": (3.4, -4.5),
  ]

  private func requireEqual(_ found: [Float], _ key: String, _ bound: Float) throws {
    let expected = try file.tensor(key).array
    #expect(found.count == expected.count, "\(key)")
    let size = expected.reduce(0) { max($0, abs($1)) }
    for (a, b) in zip(found, expected) { #expect(abs(a - b) <= bound * size, "\(key): \(a), expected \(b)") }
  }

  @Test(arguments: ["start", "trained"], ["pairs", "groups"])
  func pairLosses(_ state: String, _ matching: String) throws {
    let (scale, bias) = try #require(Self.states[state])
    let groups = matching == "pairs" ? nil : try file.tensor("groups").array.map { Int($0) }
    for name in ["siglip", "contrastive"] {
      let leaves = (0..<4).map { _ in Node() }
      let u = try file.tensor("images").tracked(by: leaves[0])
      let v = try file.tensor("texts").tracked(by: leaves[1])
      let logitScale = Tensor([], [scale]).tracked(by: leaves[2])
      let logitBias = Tensor([], [bias]).tracked(by: leaves[3])
      let result =
        name == "siglip"
        ? sigmoidLoss(images: u, texts: v, logitScale: logitScale, logitBias: logitBias, groups: groups)
        : contrastiveLoss(images: u, texts: v, logitScale: logitScale, groups: groups)
      let key = "\(name).\(state).\(matching)"
      try requireEqual([result.loss.item], key + ".loss", 1e-5)
      let gradients = result.loss.gradients()
      for (leaf, part) in zip(leaves, ["images", "texts", "scale", "bias"])
      where file.entries["\(key).\(part)"] != nil {
        try requireEqual(try #require(gradients[leaf]).array, "\(key).\(part)", 1e-4)
      }
      #expect((gradients[leaves[3]] != nil) == (name == "siglip"))
    }
  }

  @Test func multiLabelLoss() throws {
    let leaf = Node()
    let loss = binaryCrossEntropy(
      try file.tensor("logits").tracked(by: leaf), try file.tensor("labels"))
    try requireEqual([loss.item], "bce.loss", 1e-6)
    try requireEqual(try #require(loss.gradients()[leaf]).array, "bce.logits", 1e-5)
  }
}
