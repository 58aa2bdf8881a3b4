/// How a step's parameters are moved.
public enum CostModelOptimizer: String, Sendable, Codable {
  case adamw, sgd, adafactor

  /// Bytes of state for each trained parameter; Adafactor's row and column means are next to nothing.
  public var stateBytes: Int { self == .adamw ? 8 : 4 }

  /// Bytes that a step reads and writes for each: parameter, gradient and state, and parameter and state again.
  var movedBytes: Int { self == .adamw ? 28 : 20 }
}

/// Seconds of one optimizer step on a machine, and what they are made of.
///
/// Every piece of work takes `max(operations / rate, bytes / bandwidth)`: a product with few rows takes as long as its
/// matrix is read. Ranks that a process has run one after another. Gradients are averaged over processes in a ring,
/// `2·(M - 1)/M` of their bytes over the network, and nothing is taken to overlap.
public struct CostModelStepTime: Sendable, Equatable {
  /// What most of the time waits for.
  public enum Bound: String, Sendable, Codable {
    case products, attention, memory, network
  }

  /// Seconds by what they wait for: operations of products, operations of attention, memory, network.
  public let products, attention, memory, network: Double
  /// Seconds of those of the optimizer's step and of adding up gradients of ranks.
  public let optimizer: Double
  /// Seconds of those by part of the model, all its passes, what it moves included.
  public let parts: [CostModel.Part: Double]
  /// Pairs of a step.
  public let pairCount: Int

  /// Seconds of a step.
  public var seconds: Double { products + attention + memory + network }
  /// Pairs a second.
  public var pairsPerSecond: Double { Double(pairCount) / seconds }
  /// What most of the time waits for.
  public var bound: Bound {
    let all: [(Bound, Double)] = [
      (.products, products), (.attention, attention), (.memory, memory), (.network, network),
    ]
    return all.max { $0.1 < $1.1 }?.0 ?? .products
  }

  /// Adds up a step.
  ///
  /// - Parameter rankCount: batches of the step, each with a loss of its own; `machine.processes` share them.
  public init(
    _ model: CostModel, on machine: CostModelMachine, rankCount: Int, optimizer: CostModelOptimizer
  ) {
    let turns = Double((rankCount + machine.processes - 1) / machine.processes)
    var (products, attention, memory) = (0.0, 0.0, 0.0)
    var parts: [CostModel.Part: Double] = [:]
    let bandwidth = machine.bandwidth.value * 1e9
    for work in model.work {
      let computing = work.operations / machine.operationsPerSecond(work.kind)
      let moving = work.bytes / bandwidth
      parts[work.part, default: 0] += turns * max(computing, moving)
      if moving > computing {
        memory += turns * moving
      } else if work.kind == .attention {
        attention += turns * computing
      } else {
        products += turns * computing
      }
    }
    let live = Double(model.weights.liveCount)
    var update = 0.0
    if model.batch.isTraining {
      // A further rank's gradient: both are read, the sum is written.
      update = live * (Double(optimizer.movedBytes) + 12 * (turns - 1)) / bandwidth
    }
    let members = Double(machine.processes)
    let shared = model.batch.isTraining ? 2 * (members - 1) / members * 4 * live : 0
    (self.products, self.attention, self.memory) = (products, attention, memory + update)
    network = shared / (machine.network.value * 1e9)
    self.optimizer = update
    self.parts = parts
    pairCount = model.batch.pairCount * rankCount
  }
}

/// Bytes that training takes in one process, by what they are for.
public struct CostModelMemory: Sendable, Equatable {
  /// Trained weights in float32; frozen matrices in bfloat16.
  public let trainedWeights, roundedWeights: Double
  /// Other frozen weights: pages of the weights file where that holds float32, so that the system can drop them.
  public let filePages: Double
  /// Gradients; of several ranks the sum and the one at hand.
  public let gradients: Double
  /// What the optimizer remembers.
  public let optimizer: Double
  /// What the towers keep for backward.
  public let imageKept, textKept: Double
  /// Pictures of the batch and the largest step within a tower.
  public let workspace: Double

  /// All of it.
  public var total: Double {
    trainedWeights + roundedWeights + filePages + gradients + optimizer + imageKept + textKept + workspace
  }

  /// What a step adds to the built model.
  public var aboveModel: Double { gradients + optimizer + imageKept + textKept + workspace }

  /// Adds up a process.
  ///
  /// - Parameter ranksPerProcess: batches that the process runs one after another.
  public init(
    _ model: CostModel, imageSizePixels: Int, ranksPerProcess: Int, optimizer: CostModelOptimizer
  ) {
    let live = Double(model.weights.liveCount)
    let trains = model.batch.isTraining && live > 0
    trainedWeights = Double(model.weights.trainedBytes)
    roundedWeights = Double(model.weights.roundedBytes)
    filePages = Double(model.weights.frozenBytes)
    gradients = trains ? live * (ranksPerProcess > 1 ? 8 : 4) : 0
    self.optimizer = trains ? live * Double(optimizer.stateBytes) : 0
    (imageKept, textKept) = (model.imageKept, model.textKept)
    let pictures = 4 * 3 * imageSizePixels * imageSizePixels * model.batch.pairCount
    workspace = model.workspace + Double(pictures)
  }
}
