import CleftAdapters
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Testing

/// AdaLoRA's allocation behind an optimizer.
@Suite struct RankAllocationTests {
  /// A tower with AdaLoRA, the same one each time, what watches it and gradients of a step.
  private struct Scene {
    let tower: any TextTower
    let allocator: RankAllocator

    init() throws {
      var config = AdaLoRAConfig()
      (config.initialRank, config.targetRank, config.warmupSteps, config.finalSteps) = (6, 2, 10, 5)
      tower = ModelQuirkTests.gpt.makeTower()
      tower.seed(RandomKey(seed: 3))
      _ = try config.apply(to: tower, AdapterPlace(tower.names.adapterTargets))
      tower.seed(RandomKey(seed: 4))
      allocator = RankAllocator(tower, config, totalSteps: 20)
    }

    func optimizer(_ name: String) throws -> any Optimizer {
      let groups = ParameterGroups.published(tower, weightDecay: 0, decaysLogitScale: false)
      return try OptimizerCatalog.named(name).make(groups, OptimizerSettings(momentum: 0.9))
    }

    func gradients(_ factor: Float, step: Int = 0) -> Gradients {
      let batch = TextBatch(captions: [[1, 2, 3]], length: 12, paddingID: 0, pooledToken: .firstPad)
      let features = tower(batch, ForwardContext(isTraining: true, key: RandomKey(seed: UInt64(step))))
      let sum = linear(features.reshaped([1, 16]), Tensor([1, 16], repeating: 1), nil).reshaped([])
      return (sum * factor).gradients()
    }
  }

  /// The allocator's state after steps that move nothing.
  private func state(lossFactor: Float, gradientScale: Float) throws -> [String: [Float]] {
    let scene = try Scene()
    let allocation = RankAllocation(try scene.optimizer("sgd"), scene.allocator)
    for step in 0..<3 {
      _ = allocation.step(
        scene.gradients(lossFactor, step: step), learningRate: 0, gradientScale: gradientScale)
    }
    return Dictionary(uniqueKeysWithValues: scene.allocator.state.map { ($0.key, $0.tensor.array) })
  }

  /// PEFT reads the gradients after they were clipped in place.
  @Test func importanceIsThatOfClippedGradients() throws {
    let clipped = try state(lossFactor: 1, gradientScale: 0.5)
    let unclipped = try state(lossFactor: 1, gradientScale: 1)
    let halved = try state(lossFactor: 0.5, gradientScale: 1)
    #expect(clipped.count > 0 && clipped.keys == unclipped.keys)
    #expect(clipped == halved && clipped != unclipped)
  }

  @Test(arguments: ["adamw", "sgd"]) func theSizeOfItsStateIsKnownBeforeTheFirstStep(_ name: String) throws {
    let scene = try Scene()
    let allocation = RankAllocation(try scene.optimizer(name), scene.allocator)
    let limited = MaxLogitScale(allocation, limit: 100)
    let before = CheckpointKeeper.byteCount(model: scene.tower, optimizer: limited)
    #expect(before == CheckpointKeeper.byteCount(model: scene.tower, optimizer: allocation))
    allocation.step(scene.gradients(1), learningRate: 0.01)
    #expect(scene.allocator.state.count == scene.allocator.fullStateShapes.count)
    #expect(CheckpointKeeper.byteCount(model: scene.tower, optimizer: limited) == before)
  }
}
