import CleftFormats
import CleftTensor
import Foundation
import Testing

private let checkpoint = TorchFiles.fixtures + "/ckpt/tiny.ckpt"

@Suite struct TorchArchiveTests {
  @Test func tensorsOfALightningCheckpoint() throws {
    let file = try TorchArchive(checkpoint)
    #expect(file.entries.count == 97)
    #expect(file.entries.values.reduce(0) { $0 + $1.shape.count } == 295_589)
    let positions = try file.tensor("img_encoder_q.model.pos_embed")
    #expect(positions.shape == [1, 17, 64])
    #expect(positions.array.prefix(3) == [-0.666062593460083, -0.16052259504795074, -0.4085826575756073])
    #expect(abs(positions.array.reduce(0) { $0 + Double($1) } + 2.190127322479384) < 1e-9)
    let error = #expect(throws: FormatError.self) { try file.tensor("img_encoder_q.model.pos_embde") }
    #expect(error?.description.contains("pos_embed") == true)
  }

  @Test func nothingInAPickleIsCalled() throws {
    // os.system('true'), as an attacker would write it.
    let pickle =
      Data([0x80, 2]) + Data("cos\nsystem\n".utf8) + Data([0x8C, 4]) + Data("true".utf8) + Data([0x85])
      + Data("R.".utf8)
    let path = try TorchFiles.temporary(TorchFiles.archive([("x/data.pkl", pickle)]))
    let error = #expect(throws: FormatError.self) { try TorchArchive(path) }
    #expect(error?.description.contains("calls os.system") == true)
    #expect(error?.exitStatus == .badData)
  }

  @Test func aDictionaryThatHoldsItselfEnds() throws {
    // d = {}; d["model"] = d, through the memo.
    let pickle = Data([0x80, 2]) + Data("}q\0".utf8) + Data([0x8C, 5]) + Data("modelh\0s.".utf8)
    let path = try TorchFiles.temporary(TorchFiles.archive([("x/data.pkl", pickle)]))
    let error = #expect(throws: FormatError.self) { try TorchArchive(path) }
    #expect(error?.description.contains("no tensors") == true)
  }

  @Test func archivesThatAreNone() throws {
    for data in [
      Data(), Data("PK".utf8), Data([0x50, 0x4B, 3, 4]) + Data(count: 100),
      TorchFiles.archive([("a/b", Data(count: 3))]),
    ] {
      let path = try TorchFiles.temporary(data)
      #expect(throws: FormatError.self) { try WeightsFiles.open(path) }
    }
    let whole = try Data(contentsOf: URL(fileURLWithPath: checkpoint))
    let truncated = try TorchFiles.temporary(whole.prefix(whole.count / 2))
    #expect(throws: FormatError.self) { try TorchArchive(truncated) }
  }

  /// Random damage gives an error or other numbers, never a crash.
  @Test func mutatedArchivesNeverCrash() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: checkpoint))
    var draw = RandomKey(seed: 11).generator
    for round in 0..<60 {
      var bytes = whole
      // Half of the damage goes into the pickle at the start and the directory at the end.
      for _ in 0..<4 {
        let reach = round % 2 == 0 ? whole.count : 40_000
        let place = Int(draw.next() % UInt64(reach))
        bytes[round % 4 == 1 ? whole.count - 1 - place % 12_000 : place] = UInt8(
          truncatingIfNeeded: draw.next())
      }
      let path = try TorchFiles.temporary(bytes)
      if let file = try? TorchArchive(path) { for key in file.entries.keys { _ = try? file.tensor(key) } }
      try FileManager.default.removeItem(atPath: path)
    }
  }
}
