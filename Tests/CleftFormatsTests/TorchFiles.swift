import CleftFormats
import CleftTensor
import Foundation

/// Files for the tests of PyTorch's formats: fixtures, temporary ones, and archives made by hand.
enum TorchFiles {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures").path

  /// A fixture that `Fixtures/torch/make.py` wrote.
  static func torch(_ name: String) -> String { "\(fixtures)/torch/\(name)" }

  /// A new name in the temporary folder.
  static func temporaryPath(_ name: String = "x.ckpt") -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-\(name)").path
  }

  static func temporary(_ data: Data) throws -> String {
    let path = temporaryPath()
    try data.write(to: URL(fileURLWithPath: path))
    return path
  }

  static func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  /// A zip archive of stored members, as `torch.save` writes it.
  static func archive(_ members: [(String, Data)]) -> Data {
    func little(_ value: Int, _ count: Int) -> Data {
      Data((0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }
    var body = Data()
    var directory = Data()
    for (name, data) in members {
      let sizes = little(0, 4) + little(data.count, 4) + little(data.count, 4)
      directory += little(0x0201_4B50, 4) + little(0, 6) + little(0, 6) + sizes
      directory += little(name.utf8.count, 2) + little(0, 12) + little(body.count, 4) + Data(name.utf8)
      body += little(0x0403_4B50, 4) + little(0, 10) + sizes + little(name.utf8.count, 2) + little(0, 2)
      body += Data(name.utf8) + data
    }
    let end =
      little(0x0605_4B50, 4) + little(0, 4) + little(members.count, 2) + little(members.count, 2)
      + little(directory.count, 4) + little(body.count, 4) + little(0, 2)
    return body + directory + end
  }

  /// Reads everything that a file offers.
  static func readAll(_ file: any WeightsFile) {
    for key in file.entries.keys {
      _ = try? file.tensor(key)
      _ = try? file.integers(key)
    }
    if let torch = file as? TorchArchive { for name in torch.valueNames { _ = torch.value(name) } }
  }
}
