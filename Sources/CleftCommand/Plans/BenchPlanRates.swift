import CleftTensor
import CleftTraining

/// Rates as options give them, on top of measured or assumed ones.
struct BenchPlanRates {
  var float, half, amx, bandwidth, efficiency, attentionEfficiency: Double?
  var processes = 1
  var network: Double?
  var measures = true

  /// Whether bfloat16 products run on AMX tiles here.
  static var hasAMX: Bool { Processor.features.contains("amx_bf16") }

  /// Rates of this machine; nil if nothing is to be measured, or nothing of it would be used.
  ///
  /// - Parameters:
  ///   - cores: of the smallest machine; nothing is measured for more of them than there are threads.
  ///   - roundsProducts: whether the rate of bfloat16 counts.
  func measured(cores: Int, roundsProducts: Bool) -> CostModelMachine? {
    let givesHalf = !roundsProducts || (Self.hasAMX ? amx : half) != nil
    guard measures, cores <= Runtime.threadCount, float == nil || !givesHalf || bandwidth == nil else {
      return nil
    }
    return CostModelMachine.measured(hasAMX: Self.hasAMX)
  }

  /// A machine; `measured` counts for up to as many cores as it has.
  func machine(cores: Int, hasAMX: Bool, measured: CostModelMachine?) -> CostModelMachine {
    var machine = CostModelMachine.server(cores: cores, hasAMX: hasAMX)
    if let measured, cores <= measured.cores {
      let bandwidth = measured.bandwidth.value * Double(cores) / Double(measured.cores)
      machine.bandwidth = CostModelMachine.Figure(bandwidth, .measured)
      machine.floatRate = measured.floatRate
      if hasAMX == measured.hasAMX { machine.halfRate = measured.halfRate }
    }
    func given(_ value: Double?, or figure: CostModelMachine.Figure) -> CostModelMachine.Figure {
      value.map { CostModelMachine.Figure($0, .given) } ?? figure
    }
    machine.floatRate = given(float, or: machine.floatRate)
    machine.halfRate = given(hasAMX ? amx : half, or: machine.halfRate)
    machine.bandwidth = given(bandwidth, or: machine.bandwidth)
    machine.efficiency = given(efficiency, or: machine.efficiency)
    machine.attentionEfficiency = given(attentionEfficiency, or: machine.attentionEfficiency)
    machine.network = given(network, or: machine.network)
    machine.processes = processes
    return machine
  }
}
