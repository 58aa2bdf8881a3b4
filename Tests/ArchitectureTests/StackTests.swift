import Foundation
import Testing

/// The order of targets, and that no import runs up it.
@Suite struct StackTests {
  private static let order: [String: Int] = [
    "COpenBLAS": 0, "CLAPACKE": 0, "COneDNN": 0, "CImageCodecs": 0, "CDicom": 0, "CMPI": 0, "CleftTensor": 1,
    "CleftFormats": 2, "CleftNN": 3, "CleftText": 4, "CleftImaging": 5, "CleftMetrics": 6, "CleftModels": 7,
    "CleftAdapters": 8, "CleftData": 9, "CleftTraining": 10, "CleftCommand": 11, "cleft": 12,
  ]
  /// What each target may use, beyond the rule that it lies above.
  private static let allowed: [String: Set<String>] = [
    "CleftTensor": ["COpenBLAS", "CLAPACKE", "COneDNN"], "CleftFormats": ["CleftTensor"],
    "CleftNN": ["CleftTensor", "CleftFormats"], "CleftText": ["CleftTensor", "CleftFormats"],
    "CleftImaging": ["CImageCodecs", "CDicom", "CleftTensor", "CleftFormats"],
    "CleftMetrics": ["CleftTensor"],
    "CleftModels": ["CleftTensor", "CleftFormats", "CleftNN", "CleftText"],
    "CleftAdapters": ["CleftTensor", "CleftFormats", "CleftNN"],
    "CleftData": ["CleftTensor", "CleftFormats", "CleftText", "CleftImaging"], "cleft": ["CleftCommand"],
  ]
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent()

  private func imports(_ target: String) throws -> [(file: String, module: String)] {
    let folder = Self.root.appendingPathComponent("Sources/\(target)")
    let files =
      FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL }
      ?? []
    return try files.filter { $0.pathExtension == "swift" }.flatMap { file in
      try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").map(String.init)
        guard let place = words.firstIndex(of: "import"), place <= 1, words.count > place + 1 else {
          return nil
        }
        return (file.lastPathComponent, words[place + 1])
      }
    }
  }

  @Test(arguments: order.keys.filter { $0.hasPrefix("Cleft") || $0 == "cleft" })
  func importsPointUpTheList(_ target: String) throws {
    let own = try #require(Self.order[target])
    let found = try imports(target)
    #expect(!found.isEmpty || target == "CleftMetrics")
    for (file, module) in found {
      guard let other = Self.order[module] else { continue }
      #expect(other < own, "\(target)/\(file) imports \(module)")
      if let allowed = Self.allowed[target] {
        #expect(allowed.contains(module), "\(target)/\(file) imports \(module)")
      }
    }
  }

  @Test func theManifestNamesEveryTargetInOrder() throws {
    let manifest = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    var places: [(place: String.Index, target: String)] = []
    for target in Self.order.keys {
      let place = ["library(\"\(target)\"", "library(\n    \"\(target)\"", "name: \"\(target)\""]
        .compactMap { manifest.range(of: $0)?.lowerBound }.min()
      places.append((try #require(place, "\(target) is not in the manifest"), target))
    }
    let listed = places.sorted { $0.place < $1.place }.compactMap { Self.order[$0.target] }
    #expect(listed == listed.sorted())
    // A target's dependencies stand between its name and the next target: none of them may come later in the stack.
    let names = places.sorted { $0.place < $1.place }
    for (index, entry) in names.enumerated() {
      let end = index + 1 < names.count ? names[index + 1].place : manifest.endIndex
      let text = manifest[entry.place..<end].components(separatedBy: "products:")[0]
      for (other, order) in Self.order where order >= (Self.order[entry.target] ?? 0) && other != entry.target
      {
        #expect(!text.contains("\"\(other)\""), "\(entry.target) depends on \(other)")
      }
    }
  }

  @Test func filesStaySmall() throws {
    for target in Self.order.keys {
      let folder = Self.root.appendingPathComponent("Sources/\(target)")
      let files =
        FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL }
        ?? []
      for file in files where file.pathExtension == "swift" {
        let lines = try String(contentsOf: file, encoding: .utf8).split(
          separator: "\n", omittingEmptySubsequences: false
        ).count
        #expect(lines <= 401, "\(file.lastPathComponent): \(lines) lines")
      }
    }
  }
}
