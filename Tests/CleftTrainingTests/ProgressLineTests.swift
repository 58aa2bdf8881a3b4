import CleftTraining
import Testing

@Suite struct ProgressLineTests {
  @Test func speedIsThatOfWhatIsNew() {
    #expect(
      ProgressLine.text("pictures", done: 900, of: 1500, newlyDone: 100, seconds: 10)
        == "900/1500 pictures  10 pictures/s  1m left")
    #expect(
      ProgressLine.text("files", done: 10, of: 7210, newlyDone: 2, seconds: 1)
        == "10/7210 files  2 files/s  1h left")
  }

  @Test func nothingIsForetoldBeforeTheFirst() {
    #expect(ProgressLine.text("pictures", done: 5, of: 9, newlyDone: 0, seconds: 3) == "5/9 pictures")
    #expect(ProgressLine.text("pictures", done: 9, of: 9, newlyDone: 3, seconds: 1).hasSuffix("0s left"))
  }
}
