/// The folder that some paths have in common.
public enum CommonFolder {
  /// Each path from there on: what tells pictures apart wherever they lie.
  public static func tails(of paths: [String]) -> [String] {
    guard let first = paths.first.map({ Array($0.utf8) }) else { return [] }
    var length = first.count
    for path in paths { length = zip(first.prefix(length), path.utf8).prefix { $0 == $1 }.count }
    let skipped = first.prefix(length).lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    return paths.map { String(decoding: $0.utf8.dropFirst(skipped), as: UTF8.self) }
  }
}
