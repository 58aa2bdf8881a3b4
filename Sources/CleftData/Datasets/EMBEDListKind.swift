/// Which of EMBED's pickled lists of labels is meant: for which pictures, and for which question.
struct EMBEDListKind {
  let split: Split
  /// Densities instead of BI-RADS numbers.
  let isDensity: Bool
  /// Pictures of each class; nil where the list is of all pictures of the split.
  let perClass: Int?

  /// The lists that balance classes: one to test and one to train with, for each question.
  static let balanced = [
    EMBEDListKind(split: .test, isDensity: false, perClass: 200),
    EMBEDListKind(split: .test, isDensity: true, perClass: 500),
    EMBEDListKind(split: .train, isDensity: false, perClass: 550),
    EMBEDListKind(split: .train, isDensity: true, perClass: 1000),
  ]

  /// The list of a split's pictures with a density.
  static func densities(_ split: Split) -> EMBEDListKind {
    EMBEDListKind(split: split, isDensity: true, perClass: nil)
  }

  /// The list that a request's labels come from; nil if they are the table's own.
  static func of(_ request: DatasetRequest) -> EMBEDListKind? {
    let isBalanced =
      request.split == .test && request.isBalancedTest
      || request.split == .train && request.isSmallBalancedTrain
        && !request.quirks.has(.ignoredBalancedTrain)
    if isBalanced {
      return balanced.first { $0.split == request.split && $0.isDensity == request.predictsDensity }
    }
    return request.predictsDensity ? densities(request.split) : nil
  }

  /// Whether only the listed pictures are meant, instead of labels for all.
  var isBalanced: Bool { perClass != nil }

  /// Classes of the question; the density of male breasts is none of them.
  var classCount: Int { isDensity ? 4 : EMBEDTexts.letters.count }

  /// The label that stands for the first class in the file.
  var firstLabel: Int { isDensity ? 1 : 0 }

  /// Name of the file in EMBED's folder.
  var name: String {
    let size = perClass.map { "_\(classCount)x\($0)" } ?? ""
    return "\(split.rawValue)\(size)_path2\(isDensity ? "density" : "label").pickle"
  }

  /// Where the file lies; a request may name another list of densities.
  func path(_ request: DatasetRequest) -> String {
    let own = isBalanced ? nil : request.embed.densities
    return own ?? "\(request.dataFolder)/\(EMBED.folder)/\(name)"
  }

  /// Whether the file must be there: the layout's list of densities need not be, a balanced or a named one must.
  func isRequired(_ request: DatasetRequest) -> Bool { isBalanced || request.embed.densities != nil }
}
