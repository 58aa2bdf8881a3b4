import CleftData
import CleftFormats
import CleftTensor
import Foundation

/// A small EMBED in the published layout, in the temporary folder.
struct EMBEDFolder {
  static let pictureColumns = [
    "empi_anon", "acc_anon", "anon_dicom_path", "FinalImageType", "ImageLateralityFinal", "ViewPosition",
    "StudyDescription",
  ]
  static let findingColumns = [
    "acc_anon", "side", "tissueden", "asses", "age_at_study", "RACE_DESC", "ETHNIC_GROUP_DESC", "massshape",
    "massdens", "calcfind", "calcdistri",
  ]
  /// The findings of the specification's worked examples.
  static let findings = [
    "8001", "L", "3.0", "S", "55.2", "African American  or Black", "", "O", "+", "A", "G",
  ]

  let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path

  /// A picture of the worked examples' examination.
  static func picture(
    _ name: String, accession: String = "8001", type: String = "2D", side: String = "L", view: String = "CC",
    procedure: String = "MG Screening Bilateral w/CAD"
  ) -> [String] {
    ["60001", accession, "/mnt/NAS2/mammo/anon_dicom/\(name)", type, side, view, procedure]
  }

  /// Writes the tables; `full` stands for the full findings where they differ.
  init(_ pictures: [[String]], findings: [[String]] = [Self.findings], full: [[String]]? = nil) throws {
    try FileSystem.makeFolder("\(path)/Embed/tables")
    try FileSystem.makeFolder("\(path)/Embed/images")
    for split in Split.allCases {
      try write("EMBED_OpenData_metadata_reduced_\(split.rawValue)", Self.pictureColumns, pictures)
    }
    try write(
      "EMBED_OpenData_clinical_reduced", Array(Self.findingColumns.prefix(7)),
      findings.map { Array($0.prefix(7)) })
    try write("EMBED_OpenData_clinical", Self.findingColumns, full ?? findings)
    try write(
      "AWS_Open_Data_Clinical_Legend", ["Header in export", "Code", "Meaning"],
      [
        ["massshape", "O", "Oval"], ["massdens", "+", "High density"], ["calcfind", "A", "Amorphous"],
        ["calcdistri", "G", "Grouped"],
      ])
  }

  private func write(_ name: String, _ columns: [String], _ rows: [[String]]) throws {
    try FileSystem.write(
      Data(csvText(columns: columns, rows: rows).utf8), to: "\(path)/Embed/tables/\(name).csv")
  }

  /// Writes labels by path.
  func write(_ name: String, _ labels: TorchValue) throws {
    try PlainPickle.write(labels, to: "\(path)/Embed/\(name)")
  }

  func request(_ split: Split = .test, family: String? = nil) -> DatasetRequest {
    var request = DatasetRequest(dataFolder: path, split: split)
    request.captionFamily = family
    return request
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
