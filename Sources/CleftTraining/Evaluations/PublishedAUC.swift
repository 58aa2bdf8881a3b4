/// What the published program would make of an evaluation's AUC.
public enum PublishedAUC {
  /// The classes that it takes for granted unless `--num_classes` says otherwise.
  public static let usualClassCount = 1000

  /// Why the published program would report an AUC of 0; nil where it would not.
  ///
  /// - Parameters:
  ///   - labels: true classes.
  ///   - columnCount: scores of a sample.
  ///   - classCount: value of `--num_classes`.
  /// - Source: `cleft.md` §6.7.
  public static func failure(labels: [Int], columnCount: Int, classCount: Int) -> String? {
    if classCount == 2, columnCount == 2 { return nil }
    let present = Set(labels).count
    if columnCount == 2 { return "there are 2 classes and --num_classes is not 2" }
    return present == columnCount ? nil : "\(present) of the \(columnCount) classes are in the test set"
  }
}
