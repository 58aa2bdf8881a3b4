import CleftData
import Foundation

/// A folder of one test with tables in it, gone when the test is.
final class TableScratch {
  let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Writes a file and the folders above it.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let path = "\(folder)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// A request for a table of this folder.
  func request(
    _ split: Split, table: String? = nil, _ change: (inout DatasetRequest) -> Void = { _ in }
  ) -> DatasetRequest {
    var request = DatasetRequest(dataFolder: folder, split: split)
    request.table = table
    change(&request)
    return request
  }
}
