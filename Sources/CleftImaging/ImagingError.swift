import CleftFormats

/// Errors of reading and writing pictures.
public enum ImagingError: CleftError {
  /// No file at the path.
  case missing(Problem)
  /// A file that is no picture, is damaged, or uses what is not supported.
  case unreadable(Problem)
  /// The system refused to write.
  case unwritable(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .missing(let problem), .unreadable(let problem), .unwritable(let problem): problem
    }
  }

  /// 66, 65 or 74.
  public var exitStatus: ExitStatus {
    switch self {
    case .missing: .missingInput
    case .unreadable: .badData
    case .unwritable: .inputOutput
    }
  }
}
