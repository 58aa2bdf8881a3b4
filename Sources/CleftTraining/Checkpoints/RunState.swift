import CleftFormats
import Foundation

/// Where a run stands, besides weights and optimizer state.
public struct RunState: Codable, Sendable, Equatable {
  /// Optimizer steps done.
  public var step: Int
  /// What the loop carries along.
  public var progress: RunProgress
  /// Settings that decide the numbers; a resumed run must have the same.
  public var settings: [String: String]
  /// Fingerprint of each file of the checkpoint.
  public var checksums: [String: String]

  /// Makes a state.
  public init(
    step: Int, progress: RunProgress = RunProgress(), settings: [String: String],
    checksums: [String: String] = [:]
  ) {
    self.step = step
    self.progress = progress
    self.settings = settings
    self.checksums = checksums
  }

  /// Reads `state.json` of a checkpoint folder, without a look at the other files.
  ///
  /// - Throws: `FormatError.missing`, or `TrainingError.badData` if it is something else.
  static func read(_ folder: String) throws -> RunState {
    let path = folder + "/state.json"
    let data = try FileSystem.read(path)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let state = try? decoder.decode(RunState.self, from: data) else {
      throw TrainingError.badData(Problem(path, found: "not a run state", hint: "Use another checkpoint."))
    }
    return state
  }
}
