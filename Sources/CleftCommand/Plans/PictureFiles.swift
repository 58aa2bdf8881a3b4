import CleftData
import CleftFormats
import CleftTraining
import Foundation

/// Picture files that a command line names: files as they are, folders with all pictures below them.
struct PictureFiles {
  /// Pictures in the order of the command line, those of a folder sorted by path.
  private(set) var samples: [Sample] = []
  /// Names that are not there, where such are to be skipped.
  private(set) var absent: [BadRow] = []
  /// Files in folders that are no PNG, JPEG or DICOM.
  private(set) var otherFileCount = 0
  /// Folders that are there by several names, so that a link in a circle ends.
  private var seen: Set<String> = []

  /// Looks the files up.
  ///
  /// - Throws: `TrainingError.missing` for a name that is not there, unless it is to be skipped, and without any picture.
  init(_ names: [String], policy: BadRowPolicy) throws(TrainingError) {
    for name in names {
      let path = (name as NSString).expandingTildeInPath
      if FileSystem.isFolder(path) {
        addPictures(below: path)
      } else if FileSystem.exists(path) {
        add(path)
      } else if policy == .skip {
        absent.append(BadRow(origin: "", imagePath: path, reason: "no such file or folder"))
      } else {
        throw .missing(
          Problem(
            path, found: "no such file or folder", expected: "a picture, or a folder of pictures",
            hint: "Check the path, or pass --on_bad_row skip."))
      }
    }
    if samples.isEmpty { throw .missing(nothing(names)) }
  }

  private func nothing(_ names: [String]) -> Problem {
    let others = otherFileCount > 0 ? " among \(otherFileCount) other file(s)" : ""
    return Problem(
      names.joined(separator: " "), found: "no picture\(others)",
      expected: "PNG, JPEG or DICOM files, or folders of them")
  }

  private mutating func add(_ path: String) {
    samples.append(Sample(imagePath: path, caption: nil, labels: [], origin: ""))
  }

  /// Adds what the first bytes say is a picture, in this folder and all below it.
  private mutating func addPictures(below folder: String) {
    let place = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    guard seen.insert(place).inserted else { return }
    for name in FileSystem.list(folder) where !name.hasPrefix(".") {
      let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
      if FileSystem.isFolder(path) {
        addPictures(below: path)
      } else if Self.isPicture(path) {
        add(path)
      } else {
        otherFileCount += 1
      }
    }
  }

  /// Whether a file has the name of a PNG, JPEG or DICOM file, or starts as one.
  ///
  /// What has the name and is none is not passed over in silence.
  private static func isPicture(_ path: String) -> Bool {
    let suffix = (path as NSString).pathExtension.lowercased()
    if ["dcm", "png", "jpg", "jpeg"].contains(suffix) { return true }
    // Not even opened: a named pipe would make the program wait for a writer.
    guard FileManager.default.isReadableFile(atPath: path), CleftFormats.FileStamp(of: path) != nil,
      let file = FileHandle(forReadingAtPath: path)
    else { return false }
    defer { try? file.close() }
    let bytes = (try? file.read(upToCount: 132)) ?? Data()
    return bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) || bytes.starts(with: [0xFF, 0xD8])
      || bytes.dropFirst(128).elementsEqual("DICM".utf8)
  }

  /// Says what was passed over.
  func announce(_ log: RunLog) {
    for row in absent { log.say("skipped: \(row.imagePath): \(row.reason)") }
    if !absent.isEmpty { log.warn("\(absent.count) name(s) without a file or folder, listed above.") }
    if otherFileCount > 0 {
      log.say("\(samples.count) pictures; \(otherFileCount) other file(s) in the folders are no pictures.")
    }
  }
}
