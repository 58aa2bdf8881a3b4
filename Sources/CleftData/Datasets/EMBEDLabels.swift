import CleftFormats
import Foundation

/// Where the labels of one EMBED split come from: the row, a list of densities, or a balanced list of pictures.
struct EMBEDLabels {
  /// Why a picture has no label.
  struct Gap: Error {
    let reason: String
  }

  private let predictsDensity: Bool
  private let list: EMBEDPathList?
  private let hasDensityFile: Bool
  private var seen = 0
  /// Pictures of a balanced list whose label differs from the row's.
  private var differing = 0

  init(_ request: DatasetRequest) throws {
    predictsDensity = request.predictsDensity
    let kind = EMBEDListKind.of(request)
    guard let kind, kind.isRequired(request) || FileSystem.exists(kind.path(request)) else {
      (list, hasDensityFile) = (nil, false)
      return
    }
    let path = kind.path(request)
    guard FileSystem.exists(path) else {
      throw DataError.missing(
        Problem(
          path, found: "no such file",
          expected: kind.isBalanced ? "the list of pictures to take" : "the densities of pictures",
          hint: "Make one with 'cleft check-data --make_split embed'."))
    }
    list = try EMBEDPathList(path, kind)
    hasDensityFile = !kind.isBalanced
  }

  /// Whether a picture is to be taken at all.
  func lists(_ path: String) -> Bool {
    guard let list, list.isBalanced else { return true }
    return list.classes[EMBEDPathList.key(path)] != nil
  }

  /// The reason for pictures outside a balanced list.
  var notListed: String { "not in \(list?.name ?? "")" }

  /// A picture's class.
  mutating func label(_ path: String, _ values: [String: String]) -> Result<Int, Gap> {
    let written = predictsDensity ? values["DENSITY_NUMBER"] : values["BIRADS"]
    let own = written.flatMap { Int($0) }.map { predictsDensity ? $0 - 1 : $0 }
    var label = own
    if let list {
      seen += 1
      label = list.classes[EMBEDPathList.key(path)]
      if let own, let label, own != label { differing += 1 }
    }
    guard let label else {
      return .failure(Gap(reason: hasDensityFile ? "not in \(list?.name ?? "")" : "no label"))
    }
    guard !predictsDensity || label < 4 else { return .failure(Gap(reason: "male breast density")) }
    return .success(label)
  }

  /// What a run should say about the labels.
  var notes: [String] {
    var notes: [String] = []
    if let list {
      notes.append("labels are those of \(list.name)")
      if list.startsAtZero {
        notes.append("\(list.name) counts densities from 0: taken as class numbers")
      }
      if list.isBalanced, seen < list.classes.count {
        notes.append(
          "\(list.classes.count - seen) of \(list.classes.count) pictures of \(list.name) are not used")
      }
      if differing > 0 {
        notes.append("\(differing) labels of \(list.name) differ from those of the clinical table")
      }
    } else if predictsDensity {
      notes.append("density labels are column 'tissueden': there is no pickle with them")
    }
    return notes
  }
}

/// A pickled dictionary from picture paths to labels.
struct EMBEDPathList {
  /// File name, for messages.
  let name: String
  /// Whether only these pictures are meant, instead of labels for all.
  let isBalanced: Bool
  /// Whether densities were found to be class numbers already.
  let startsAtZero: Bool
  /// Classes by the part of a path that does not depend on the machine; 4 is the density of male breasts.
  let classes: [String: Int]

  init(_ path: String, _ kind: EMBEDListKind) throws {
    name = (path as NSString).lastPathComponent
    isBalanced = kind.isBalanced
    let isDensity = kind.isDensity
    guard case .dictionary(let entries) = try PlainPickle.read(path) else {
      throw DataError.badData(Problem(path, found: "no dictionary", expected: "paths with their labels"))
    }
    let allowed = isDensity ? 0...5 : 0...6
    var labels: [String: Int] = [:]
    labels.reserveCapacity(entries.count)
    for entry in entries {
      guard case .string(let picture) = entry.key else {
        throw DataError.badData(Problem(path, found: "the key \(entry.key)", expected: "a picture's path"))
      }
      guard let label = Self.whole(entry.value), allowed.contains(label) else {
        throw DataError.badData(
          Problem(
            "\(path): \(picture)", found: "the label \(entry.value)",
            expected: isDensity ? "a density, 1 to 5" : "a BI-RADS number, 0 to 6"))
      }
      labels[Self.key(picture)] = label
    }
    let startsAtZero = isDensity && labels.values.contains(0)
    if startsAtZero, labels.values.contains(5) {
      throw DataError.badData(Problem(path, found: "densities 0 and 5", expected: "1 to 5"))
    }
    self.startsAtZero = startsAtZero
    classes = isDensity && !startsAtZero ? labels.mapValues { $0 - 1 } : labels
  }

  /// What stays of a path on another machine: all below the image folder.
  static func key(_ path: String) -> String {
    var rest = path[...]
    if path.hasPrefix(EMBED.publishedPrefix) {
      rest = path.dropFirst(EMBED.publishedPrefix.count)
    } else if let folder = path.range(of: "/\(EMBED.imageFolder)/", options: .backwards) {
      rest = path[folder.upperBound...]
    }
    return String(rest.drop { $0 == "/" })
  }

  private static func whole(_ value: TorchValue) -> Int? {
    switch value {
    case .int(let number): number
    case .double(let number): Int(exactly: number)
    default: nil
    }
  }
}
