import CleftFormats

/// Errors of finding and reading datasets.
public enum DataError: CleftError {
  /// A file or folder of the layout is not there.
  case missing(Problem)
  /// A table or picture holds what cannot be used.
  case badData(Problem)
  /// Settings that do not fit the dataset.
  case badRequest(Problem)
  /// The system failed: a disk, memory, a limit. Nothing is known about the data.
  case system(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .missing(let problem), .badData(let problem), .badRequest(let problem), .system(let problem):
      problem
    }
  }

  /// 66, 65, 78 or 74.
  public var exitStatus: ExitStatus {
    switch self {
    case .missing: .missingInput
    case .badData: .badData
    case .badRequest: .badConfiguration
    case .system: .inputOutput
    }
  }
}
