import ArgumentParser
import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// `cleft synth`: a synthetic chest set to try everything on.
struct SynthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synth",
    abstract: "Write a synthetic chest-X-ray set in the CheXpert and RSNA layouts.",
    discussion: "Equal options give equal files. Boxes of the findings are in CheXpert/synthetic_boxes.csv.")

  @Option(help: "Folder to write to; must be empty or new.") var out: String
  @Option(help: "Training patients; a tenth as many more validate.") var patients = 2000
  @Option(help: "Test pictures of each of the five classes; 200 as in CheXpert-5x200.") var per_class = 200
  @Option(help: "RSNA test pictures of each class; as many again for its training table.")
  var rsna_per_class = 100
  @Option(help: "0 plain findings ... 1 subtle ones.") var difficulty = 0.2
  @Option(help: "Seed of everything drawn.") var seed: UInt64 = 42
  @Option(help: "Smallest side of a picture in pixels.") var min_size = 288
  @Option(help: "Largest side of a picture in pixels.") var max_size = 384
  @Option(help: "Patients of each finding on the contact sheet, 0 for none.") var sheet_rows = 3

  mutating func validate() throws {
    if patients < 1 || per_class < 1 || rsna_per_class < 1 {
      throw ValidationError("--patients, --per_class and --rsna_per_class: expected at least 1 each.")
    }
    if !(difficulty >= 0 && difficulty <= 1) {
      throw ValidationError("--difficulty is \(difficulty); expected 0 ... 1.")
    }
    if min_size < 64 || max_size < min_size || max_size > 4096 {
      throw ValidationError(
        "--min_size \(min_size), --max_size \(max_size): expected 64 ... 4096, the first not larger.")
    }
  }

  func run() throws {
    if !FileSystem.list(out).isEmpty {
      throw TrainingError.badConfiguration(
        Problem("--out \(out)", found: "a folder with files in it", expected: "an empty or new folder"))
    }
    let set = SyntheticDataset(
      folder: out, trainPatients: patients, testPerClass: per_class, rsnaPerClass: rsna_per_class,
      difficulty: difficulty, seed: seed, sizePixels: Double(min_size)...Double(max_size))
    try FileSystem.makeFolder(out)
    if sheet_rows > 0 {
      try FileSystem.write(
        ImageEncoder.png(set.contactSheet(rows: sheet_rows)), to: "\(out)/contact_sheet.png")
    }
    let isTerminal = isatty(2) == 1
    let count = try set.write { done, total in
      if isTerminal { FileHandle.standardError.write(Data("\r\(done)/\(total) pictures".utf8)) }
    }
    if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) }
    print("\(count) pictures in \(out)")
  }
}
