import Foundation
import Testing

/// `cleft prepare` over a table with a row that cannot be used.
@Suite(.serialized) struct PrepareTests {
  @Test func badRowsAreCountedAndStopTheCommand() throws {
    let folder = try Tool.scratch()
    let images = PipelineTests.data + "/CheXpert/CheXpert-v1.0/train"
    let patients = try FileManager.default.contentsOfDirectory(atPath: images).sorted().prefix(2)
    for (index, patient) in patients.enumerated() {
      try FileManager.default.copyItem(
        atPath: "\(images)/\(patient)/study1/view1_frontal.jpg", toPath: "\(folder)/\(index).jpg")
    }
    let table = "\(folder)/own.csv"
    try "file,report,a\n0.jpg,one,1\n1.jpg,two,maybe\n".write(
      toFile: table, atomically: true, encoding: .utf8)
    let command = [
      "prepare", "--out", folder + "/prepared", "--data_dir", folder, "--dataset", "manifest", "--train_csv",
      table, "--image_column", "file", "--text_column", "report", "--label_columns", "a",
    ]
    let stopped = try Tool.run(command, in: folder)
    #expect(stopped.status == 65)
    #expect(stopped.output.contains("1 pictures: 1 prepared") && stopped.output.contains("1 bad row(s)"))
    #expect(stopped.errors.contains("own.csv:3") && stopped.errors.contains("--on_bad_row skip"))
    let skipped = try Tool.run(command + ["--on_bad_row", "skip"], in: folder)
    #expect(skipped.status == 0, "\(skipped.errors)")
    #expect(skipped.output.contains("1 were there") && skipped.output.contains("1 bad row(s)"))
  }
}
