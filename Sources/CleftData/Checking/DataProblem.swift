/// What can be wrong with a row, its picture or its patient.
public enum ProblemKind: String, Sendable, Codable, CaseIterable {
  /// A cell of the table cannot be used.
  case row
  /// See `PictureFault`.
  case missing, unreadable, damaged, constant, crashed, slow
  /// Somebody is in two splits.
  case patient
  /// Another file holds the same decoded picture.
  case duplicate
  /// Another row names the same file.
  case repeated

  /// Whether training must not go on with it; the others are warnings.
  public var isError: Bool { self != .duplicate && self != .repeated }

  /// For tables.
  public var title: String {
    switch self {
    case .row: "bad rows"
    case .missing: "missing pictures"
    case .unreadable: "unreadable pictures"
    case .damaged: "damaged or truncated pictures"
    case .crashed: "pictures that crashed the decoder"
    case .slow: "pictures that took too long"
    case .constant: "pictures of one gray level"
    case .patient: "patients in two splits"
    case .duplicate: "duplicate pictures"
    case .repeated: "rows with a picture of another row"
    }
  }

  /// The kind of a fault.
  public init(_ fault: PictureFault) {
    switch fault {
    case .missing: self = .missing
    case .unreadable: self = .unreadable
    case .damaged: self = .damaged
    case .constant: self = .constant
    case .crashed: self = .crashed
    case .slow: self = .slow
    }
  }
}

/// One thing that is wrong, with where it is and why.
public struct DataProblem: Sendable, Equatable, Codable {
  /// The split whose row it is.
  public var split: Split
  /// File and line of the table.
  public var origin: String
  /// The picture; empty if the row names none.
  public var path: String
  /// What sort of problem it is.
  public var kind: ProblemKind
  /// What is wrong, in one line.
  public var reason: String

  /// Makes a problem.
  public init(split: Split, origin: String, path: String, kind: ProblemKind, reason: String) {
    self.split = split
    self.origin = origin
    self.path = path
    self.kind = kind
    self.reason = reason
  }
}

extension Sequence<DataProblem> {
  /// How many there are of each kind, without the kinds that there are none of.
  public var countByKind: [ProblemKind: Int] { reduce(into: [:]) { $0[$1.kind, default: 0] += 1 } }
}
