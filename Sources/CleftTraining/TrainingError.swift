import CleftFormats

/// Errors of planning and running training or evaluation.
public enum TrainingError: CleftError {
  /// Settings that cannot work together or with the data.
  case badConfiguration(Problem)
  /// Data that cannot be used.
  case badData(Problem)
  /// Something that should be there is not.
  case missing(Problem)
  /// Stopped before the end with a checkpoint to go on from.
  case stoppedEarly(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .badConfiguration(let problem), .badData(let problem), .missing(let problem),
      .stoppedEarly(let problem):
      problem
    }
  }

  /// 78, 65, 66 or 75.
  public var exitStatus: ExitStatus {
    switch self {
    case .badConfiguration: .badConfiguration
    case .badData: .badData
    case .missing: .missingInput
    case .stoppedEarly: .stoppedEarly
    }
  }
}
