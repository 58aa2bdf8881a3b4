import CleftFormats

/// Errors of what was typed, before any command runs.
enum CommandLineError: CleftError {
  /// A command or an option that there is none of.
  case unknown(Problem)
  /// A beginning that several options share.
  case ambiguous(Problem)
  /// A value that its option cannot take.
  case badValue(Problem)

  /// The parts of the message.
  var problem: Problem {
    switch self {
    case .unknown(let problem), .ambiguous(let problem), .badValue(let problem): problem
    }
  }

  /// 64.
  var exitStatus: ExitStatus { .usage }
}
