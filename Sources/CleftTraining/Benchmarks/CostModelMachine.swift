import CleftTensor

/// What a machine is taken to do in a second, and what each figure rests on.
public struct CostModelMachine: Sendable, Equatable {
  /// Where a figure comes from.
  public enum Basis: String, Sendable, Codable {
    case measured, assumed, given
  }

  /// A figure with what it rests on.
  public struct Figure: Sendable, Equatable {
    /// The number.
    public var value: Double
    /// Where it comes from.
    public var basis: Basis

    /// Makes a figure.
    public init(_ value: Double, _ basis: Basis) { (self.value, self.basis) = (value, basis) }
  }

  /// Cores of one process.
  public var cores: Int
  /// Whether bfloat16 products run on AMX tiles.
  public var hasAMX: Bool
  /// 10⁹ operations a second and core, of large float32 and of large bfloat16 products.
  public var floatRate, halfRate: Figure
  /// 10⁹ bytes a second of all cores together, read and written.
  public var bandwidth: Figure
  /// Share of those rates that the products of a step reach.
  public var efficiency: Figure
  /// Share of the float32 rate that attention reaches: narrow products with a softmax between.
  public var attentionEfficiency: Figure
  /// Processes that share the ranks, each on cores of its own.
  public var processes: Int
  /// 10⁹ bytes a second between processes.
  public var network: Figure

  /// Makes a machine.
  public init(
    cores: Int, hasAMX: Bool, floatRate: Figure, halfRate: Figure, bandwidth: Figure, efficiency: Figure,
    attentionEfficiency: Figure = assumedAttentionEfficiency, processes: Int = 1,
    network: Figure = assumedNetwork
  ) {
    (self.cores, self.hasAMX) = (cores, hasAMX)
    (self.floatRate, self.halfRate, self.bandwidth) = (floatRate, halfRate, bandwidth)
    (self.efficiency, self.attentionEfficiency) = (efficiency, attentionEfficiency)
    (self.processes, self.network) = (processes, network)
  }

  /// A server of which only the number of cores is known.
  public static func server(cores: Int, hasAMX: Bool) -> CostModelMachine {
    CostModelMachine(
      cores: cores, hasAMX: hasAMX, floatRate: assumedFloatRate,
      halfRate: hasAMX ? assumedAMXRate : assumedHalfRate,
      bandwidth: Figure(assumedBandwidthPerCore * Double(cores), .assumed),
      efficiency: cores <= 4 ? assumedSmallEfficiency : assumedEfficiency)
  }

  /// AVX-512: 64 operations a cycle and core, 2.4 GHz with all cores at work, two thirds of that in a large product.
  public static let assumedFloatRate = Figure(100, .assumed)
  /// `avx512_bf16` has twice as many operations in an instruction.
  public static let assumedHalfRate = Figure(200, .assumed)
  /// AMX: 1,024 bfloat16 operations a cycle and core, 2.0 GHz, a third of that: tiles are fed from the second cache.
  ///
  /// - Source: Intel, oneAPI and "Accelerate AI Workloads with Intel AMX" (2,048 8-bit and 1,024 bfloat16 operations a
  ///   cycle and core); the third is an assumption.
  public static let assumedAMXRate = Figure(700, .assumed)
  /// 8 channels of DDR5-4800 a socket of 52 to 56 cores are 5.5 to 5.9 GB/s a core on paper, of which a stream of
  /// reads and writes reaches some three quarters.
  public static let assumedBandwidthPerCore = 4.0
  /// The budget of a training step on few cores.
  public static let assumedSmallEfficiency = Figure(0.85, .assumed)
  /// Many cores share a product in smaller tiles, over several memory controllers.
  public static let assumedEfficiency = Figure(0.7, .assumed)
  /// Products of 64 columns with a softmax between them.
  public static let assumedAttentionEfficiency = Figure(0.5, .assumed)
  /// 100 Gbit/s Ethernet or InfiniBand, four fifths of it.
  public static let assumedNetwork = Figure(10, .assumed)

  /// Operations a second of a kind of work, all cores together.
  func operationsPerSecond(_ kind: CostModel.Kind) -> Double {
    let all = Double(cores) * 1e9
    return switch kind {
    case .product: all * floatRate.value * efficiency.value
    case .halfProduct: all * halfRate.value * efficiency.value
    case .attention: all * floatRate.value * attentionEfficiency.value
    case .movement: .infinity
    }
  }

  /// What loops with ordinary stores reach of a copy that writes past the caches: they also fetch the lines they
  /// overwrite, three transfers for two.
  public static let loopShareOfCopy = 2.0 / 3

  /// Rates of this machine with as many cores as the thread budget, measured now in a second or two.
  ///
  /// The bandwidth is that of ordinary loops: a copy larger than the caches, times `loopShareOfCopy`.
  ///
  /// - Parameters:
  ///   - hasAMX: whether bfloat16 products run on AMX tiles here.
  ///   - size: rows and columns of the matrices.
  public static func measured(hasAMX: Bool = false, size: Int = 1536) -> CostModelMachine {
    let threads = Double(Runtime.threadCount)
    let (float, half) = (GEMMRate.measure(size: size), GEMMRate.measureHalf(size: size))
    return CostModelMachine(
      cores: Runtime.threadCount, hasAMX: hasAMX, floatRate: Figure(float / threads, .measured),
      halfRate: Figure((half ?? float) / threads, .measured),
      bandwidth: Figure(GEMMRate.measureCopy(byteCount: 128 << 20) * loopShareOfCopy, .measured),
      efficiency: assumedSmallEfficiency)
  }
}
