/// Errors of reading and writing files.
public enum FormatError: CleftError {
  /// A file or folder that should be there is not.
  case missing(Problem)
  /// A file's contents are not what its format promises.
  case malformed(Problem)
  /// The system refused to read or write.
  case system(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .missing(let problem), .malformed(let problem), .system(let problem): problem
    }
  }

  /// 66, 65 or 74.
  public var exitStatus: ExitStatus {
    switch self {
    case .missing: .missingInput
    case .malformed: .badData
    case .system: .inputOutput
    }
  }
}
