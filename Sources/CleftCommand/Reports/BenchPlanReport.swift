import CleftModels
import CleftNN
import CleftTensor
import CleftTraining

/// What a plan says, as one JSON object.
struct BenchPlanReport: Encodable {
  /// What is planned.
  let title: String
  /// Parts of the recipe.
  let stages: [Stage]
  /// How long machines take for it.
  let machines: [Machine]
  /// Memory there is, nil where it is not known.
  let memoryBytes: Double?

  enum CodingKeys: String, CodingKey {
    case title, stages, machines
    case memoryBytes = "memory_bytes"
  }

  /// One stage, whatever computes it.
  struct Stage: Encodable {
    let name: String
    let steps: Double
    let ranks, pairs: Int
    let shortestCaption, longestCaption: Int?
    let virtualTokens: Int
    let optimizer: String?
    let recomputes: Bool
    let imageRows, textRows: Int
    let parameters, trainedParameters: Int
    let counts: [Counts]

    enum CodingKeys: String, CodingKey {
      case name, steps, ranks, pairs, optimizer, recomputes, parameters, counts
      case shortestCaption = "caption_min"
      case longestCaption = "caption_max"
      case virtualTokens = "virtual_tokens"
      case imageRows = "image_rows_per_batch"
      case textRows = "text_rows_per_batch"
      case trainedParameters = "trained_parameters"
    }

    init(_ stage: BenchPlan.Stage, _ models: [CostModel], processes: Int) {
      (name, steps, ranks, pairs) = (stage.name, stage.steps, stage.rankCount, stage.pairCount)
      (shortestCaption, longestCaption) = (stage.captions?.lowerBound, stage.captions?.upperBound)
      virtualTokens = stage.model.text.model.virtualTokens?.cell.shape[0] ?? 0
      (optimizer, recomputes) = (stage.optimizer?.rawValue, stage.recomputes)
      (imageRows, textRows) = (models.first?.imageRows ?? 0, models.first?.textRows ?? 0)
      parameters = models.first?.weights.count ?? 0
      trainedParameters = models.first?.weights.liveCount ?? 0
      counts = models.map { Counts($0, stage, processes: processes) }
    }
  }

  /// What a step of a stage takes at one precision.
  struct Counts: Encodable {
    let precision: String
    /// Operations by part and pass, all ranks.
    let operations: [String: [String: Double]]
    let movedBytes: Double
    let memory: Memory

    enum CodingKeys: String, CodingKey {
      case precision, operations, memory
      case movedBytes = "moved_bytes"
    }

    init(_ model: CostModel, _ stage: BenchPlan.Stage, processes: Int) {
      let ranks = Double(stage.rankCount)
      precision = model.precision.rawValue
      operations = Dictionary(
        uniqueKeysWithValues: CostModel.Part.allCases.map { part in
          let passes = CostModel.Pass.allCases.map { pass in
            (pass.rawValue, ranks * model.operations([part], [pass]))
          }
          return (part.rawValue, Dictionary(uniqueKeysWithValues: passes))
        })
      movedBytes = ranks * model.movedBytes
      memory = Memory(
        CostModelMemory(
          model, imageSizePixels: stage.model.config.vision.imageSizePixels,
          ranksPerProcess: (stage.rankCount + processes - 1) / processes,
          optimizer: stage.optimizer ?? .adamw))
    }
  }

  /// Bytes of a process by what they are for.
  struct Memory: Encodable {
    let trainedWeights, roundedWeights, filePages, gradients, optimizer: Double
    let imageKept, textKept, workspace, total: Double

    enum CodingKeys: String, CodingKey {
      case gradients, optimizer, workspace, total
      case trainedWeights = "trained_weights"
      case roundedWeights = "frozen_weights_bf16"
      case filePages = "frozen_weights_float32"
      case imageKept = "image_activations"
      case textKept = "text_activations"
    }

    init(_ memory: CostModelMemory) {
      (trainedWeights, roundedWeights) = (memory.trainedWeights, memory.roundedWeights)
      (filePages, gradients, optimizer) = (memory.filePages, memory.gradients, memory.optimizer)
      (imageKept, textKept) = (memory.imageKept, memory.textKept)
      (workspace, total) = (memory.workspace, memory.total)
    }
  }

  /// A figure with what it rests on.
  struct Figure: Encodable {
    let value: Double
    let basis: String

    init(_ figure: CostModelMachine.Figure) { (value, basis) = (figure.value, figure.basis.rawValue) }
  }

  /// A machine at one precision.
  struct Machine: Encodable {
    let cores: Int
    let amx: Bool
    let precision: String
    let processes: Int
    let floatRate, halfRate, bandwidth, efficiency, attentionEfficiency, network: Figure
    let stages: [Time]
    let hours: Double

    enum CodingKeys: String, CodingKey {
      case cores, amx, precision, processes, efficiency, stages, hours
      case floatRate = "gflops_per_core"
      case halfRate = "bf16_gflops_per_core"
      case bandwidth = "bandwidth_gbs"
      case attentionEfficiency = "attention_efficiency"
      case network = "network_gbs"
    }

    init(_ line: BenchPlan.Line, _ stages: [(BenchPlan.Stage, CostModel)]) {
      let machine = line.machine
      (cores, amx, precision) = (machine.cores, machine.hasAMX, line.precision.rawValue)
      processes = machine.processes
      (floatRate, halfRate) = (Figure(machine.floatRate), Figure(machine.halfRate))
      (bandwidth, network) = (Figure(machine.bandwidth), Figure(machine.network))
      efficiency = Figure(machine.efficiency)
      attentionEfficiency = Figure(machine.attentionEfficiency)
      self.stages = stages.map { Time($0, $1, machine) }
      hours = self.stages.reduce(0) { $0 + $1.hours }
    }
  }

  /// How long a stage takes.
  struct Time: Encodable {
    let name: String
    let stepSeconds, imagesPerSecond, hours: Double
    let bound: String
    /// Seconds of a step by what they wait for.
    let products, attention, memory, network: Double

    enum CodingKeys: String, CodingKey {
      case name, hours, bound
      case stepSeconds = "step_seconds"
      case imagesPerSecond = "images_per_second"
      case products = "product_seconds"
      case attention = "attention_seconds"
      case memory = "memory_seconds"
      case network = "network_seconds"
    }

    init(_ stage: BenchPlan.Stage, _ model: CostModel, _ machine: CostModelMachine) {
      let time = CostModelStepTime(
        model, on: machine, rankCount: stage.rankCount, optimizer: stage.optimizer ?? .adamw)
      name = stage.name
      (stepSeconds, imagesPerSecond) = (time.seconds, time.pairsPerSecond)
      hours = time.seconds * stage.steps / 3600
      bound = time.bound.rawValue
      (products, attention, memory, network) = (time.products, time.attention, time.memory, time.network)
    }
  }
}
