import CleftFormats

/// Errors of reading and writing pictures.
public enum ImagingError: CleftError {
  /// No file at the path.
  case missing(Problem)
  /// A file that is no picture, may not be read, or uses what is not supported.
  case unreadable(Problem)
  /// A file that starts as a picture and does not go on as one: cut or corrupt.
  case damaged(Problem)
  /// The disk, the memory or the process's limits failed; says nothing about the file.
  case system(Problem)
  /// The system refused to write.
  case unwritable(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .missing(let problem), .unreadable(let problem), .damaged(let problem), .system(let problem),
      .unwritable(let problem):
      problem
    }
  }

  /// 66, 65 or 74.
  public var exitStatus: ExitStatus {
    switch self {
    case .missing: .missingInput
    case .unreadable, .damaged: .badData
    case .system, .unwritable: .inputOutput
    }
  }
}
