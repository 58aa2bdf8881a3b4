/// The 14 findings of CheXpert, in the order that numbers the classes.
public enum Finding: String, CaseIterable, Sendable, Codable {
  case enlargedCardiomediastinum = "Enlarged Cardiomediastinum"
  case cardiomegaly = "Cardiomegaly"
  case lungOpacity = "Lung Opacity"
  case lungLesion = "Lung Lesion"
  case edema = "Edema"
  case consolidation = "Consolidation"
  case pneumonia = "Pneumonia"
  case atelectasis = "Atelectasis"
  case pneumothorax = "Pneumothorax"
  case pleuralEffusion = "Pleural Effusion"
  case pleuralOther = "Pleural Other"
  case fracture = "Fracture"
  case supportDevices = "Support Devices"
  case noFinding = "No Finding"

  /// The five classes of CheXpert-5x200, in their own order.
  public static let five: [Finding] = [.atelectasis, .edema, .cardiomegaly, .pleuralEffusion, .consolidation]
}

/// What a table says about a finding.
public enum FindingState: Sendable, Equatable {
  case positive, negative, uncertain, notMentioned

  /// Reads a cell: 1, 0, -1 or empty, also as `1.0`, and what pandas reads as empty.
  public init?(cell: String) {
    // Nearly every cell of a table is one of these.
    switch cell {
    case "": self = .notMentioned
    case "1.0", "1": self = .positive
    case "0.0", "0": self = .negative
    case "-1.0", "-1": self = .uncertain
    default: self.init(unusualCell: cell)
    }
  }

  private init?(unusualCell cell: String) {
    let text = TableCell.trimmed(cell)
    switch Double(text) {
    case 1: self = .positive
    case 0: self = .negative
    case -1: self = .uncertain
    default:
      guard TableCell.isMissing(text) else { return nil }
      self = .notMentioned
    }
  }
}
