import Foundation

/// The built program, run as a user runs it.
enum Tool {
  struct Result {
    let status: Int32
    let output: String
    let errors: String
  }

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The program beside the test bundle.
  static var path: String {
    for configuration in ["release", "debug"] {
      let path = root.appendingPathComponent(".build/\(configuration)/cleft").path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    return root.appendingPathComponent(".build/release/cleft").path
  }

  static func run(_ arguments: [String], in folder: String? = nil, killAfter: ((Process) -> Void)? = nil)
    throws -> Result
  {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    let base = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    let (out, err) = (base + ".out", base + ".err")
    for path in [out, err] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: out)
    process.standardError = FileHandle(forWritingAtPath: err)
    try process.run()
    killAfter?(process)
    process.waitUntilExit()
    defer { for path in [out, err] { try? FileManager.default.removeItem(atPath: path) } }
    return Result(
      status: process.terminationStatus, output: try String(contentsOfFile: out, encoding: .utf8),
      errors: try String(contentsOfFile: err, encoding: .utf8))
  }

  /// A folder of its own for one test.
  static func scratch() throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)")
      .path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }
}
