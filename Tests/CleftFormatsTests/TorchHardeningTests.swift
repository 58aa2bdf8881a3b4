import CleftFormats
import CleftTensor
import Foundation
import Testing

extension Tag {
  @Tag static var fuzz: Self
}

/// Files made to harm, and files that lost or changed some bytes.
@Suite struct TorchHardeningTests {
  private static let fixtures = [
    "zip.pth", "protocol5.pth", "old.pth", "legacy.pth", "legacy4.pth", "lightning.ckpt",
    "lightning_legacy.ckpt", "doubling.pth", "sharded/model-00002-of-00002.safetensors",
  ]

  @Test(arguments: ["attack.pth", "attack_legacy.pth"])
  func anAttackIsNamedAndNotRun(_ name: String) throws {
    let marker = "/tmp/cleft-was-here"
    try? FileManager.default.removeItem(atPath: marker)
    let error = #expect(throws: FormatError.self) { try WeightsFiles.open(TorchFiles.torch(name)) }
    #expect(error?.description.contains("calls posix.system") == true)
    #expect(error?.exitStatus == .badData)
    #expect(!FileSystem.exists(marker))
  }

  /// A list with 2⁶⁰ leaves is a few bytes in the file and stays that in memory.
  @Test func doublingListsAreCut() throws {
    let file = try TorchArchive(TorchFiles.torch("doubling.pth"))
    #expect(try file.tensor("w").array == [1, 1])
    var text: TorchValue? = file.value("bomb")
    var depth = 0
    while case .list(let items)? = text {
      text = items.last
      depth += 1
    }
    #expect(depth < 70)
  }

  private func value(_ pickle: Data) throws -> TorchValue {
    try pickle.withUnsafeBytes { try TorchValue(pickle: $0, path: "p") }
  }

  /// Nesting as deep as the file is long neither exhausts the stack nor time, and is cut when asked for.
  @Test(arguments: [[0x85] as [UInt8], Array("l".utf8), Array("aN".utf8)])
  func deepNestingIsCut(_ opcodes: [UInt8]) throws {
    let count = 200_000
    var pickle = Data([0x80, 2])
    switch opcodes {
    case [0x85]: pickle += Data("N".utf8) + Data(repeating: 0x85, count: count)
    case Array("l".utf8):
      pickle += Data(repeating: UInt8(ascii: "("), count: count)
      pickle += Data(repeating: UInt8(ascii: "l"), count: count)
    default:
      // Each list is put into the one before after that one has its place: no depth is known in time.
      pickle += Data("]q\0".utf8)
      for _ in 0..<count { pickle += Data("h\0]q\0a0".utf8) }
    }
    var text: TorchValue? = try value(pickle + Data(".".utf8))
    var depth = 0
    while case .list(let items)? = text {
      text = items.first
      depth += 1
    }
    #expect(depth <= 64)
  }

  /// Values that a few bytes make again and again come to an end.
  @Test func unfoldingIsBounded() throws {
    let long = String(repeating: "x", count: 900)
    func text(_ text: String) -> Data {
      Data([0x8C, UInt8(truncatingIfNeeded: text.utf8.count)] + text.utf8)
    }
    let words = Data("X".utf8) + Data([0x84, 3, 0, 0]) + Data(long.utf8) + Data("q\0".utf8)
    var names = words
    for _ in 0..<400_000 { names += Data("h\0h\0".utf8) + Data([0x93]) }
    #expect(throws: FormatError.self) { try value(names + Data(".".utf8)) }
    var paths = words + Data("cpathlib\nPosixPath\nq\u{1}".utf8)
    for _ in 0..<400_000 { paths += Data("h\u{1}h\0h\0h\0h\0".utf8) + Data([0x85]) + Data("R".utf8) }
    #expect(throws: FormatError.self) { try value(paths + Data(".".utf8)) }
    var pairs = Data("ccollections\nOrderedDict\nq\0](".utf8)
    for _ in 0..<10_000 { pairs += Data("NN".utf8) + Data([0x86]) }
    pairs += Data("e".utf8) + Data([0x85]) + Data("q\u{1}".utf8)
    for _ in 0..<10_000 { pairs += Data("h\0h\u{1}R".utf8) }
    let error = #expect(throws: FormatError.self) { try value(pairs + Data(".".utf8)) }
    #expect(error?.description.contains("unfolds") == true)
    #expect(try value(text("kept") + Data(".".utf8)) == "kept")
  }

  /// Every prefix of a file is an error or the whole file's tensors.
  @Test(.tags(.fuzz), arguments: fixtures)
  func truncatedFilesNeverCrash(_ name: String) throws {
    let whole = try TorchFiles.bytes(TorchFiles.torch(name))
    let path = TorchFiles.temporaryPath()
    for length in stride(from: 1, to: whole.count, by: max(1, whole.count / 150)) {
      try whole.prefix(length).write(to: URL(fileURLWithPath: path))
      if let file = try? WeightsFiles.open(path) { TorchFiles.readAll(file) }
    }
    try FileManager.default.removeItem(atPath: path)
  }

  /// Random damage gives an error or other numbers, never a crash.
  @Test(.tags(.fuzz), arguments: Array(fixtures.enumerated()))
  func mutatedFilesNeverCrash(_ index: Int, _ name: String) throws {
    let whole = try TorchFiles.bytes(TorchFiles.torch(name))
    var draw = RandomKey(seed: 100 + UInt64(index)).generator
    let path = TorchFiles.temporaryPath()
    for round in 0..<(name == "doubling.pth" ? 40 : 200) {
      var bytes = whole
      for _ in 0..<1 + round % 4 {
        bytes[Int(draw.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: draw.next())
      }
      try bytes.write(to: URL(fileURLWithPath: path))
      if let file = try? WeightsFiles.open(path) { TorchFiles.readAll(file) }
    }
    try FileManager.default.removeItem(atPath: path)
  }

  /// Pickles that are no file's: damage reaches every opcode.
  @Test(.tags(.fuzz), arguments: 0..<6)
  func mutatedPicklesNeverCrash(_ version: Int) throws {
    let whole = try TorchFiles.bytes(TorchFiles.torch("plain\(version).pkl"))
    var draw = RandomKey(seed: 200 + UInt64(version)).generator
    for round in 0..<3_000 {
      var bytes = whole
      for _ in 0..<1 + round % 3 {
        bytes[Int(draw.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: draw.next())
      }
      _ = try? value(bytes)
    }
  }

  @Test func aProgramIsNoCheckpoint() throws {
    let path = try TorchFiles.temporary(
      TorchFiles.archive([("m/data.pkl", Data("N.".utf8)), ("m/code/m.py", Data("pass".utf8))]))
    let error = #expect(throws: FormatError.self) { try WeightsFiles.open(path) }
    #expect(error?.description.contains("TorchScript") == true)
  }

  /// A header of 640 bytes starts like a pickle of protocol 2, and one of 123 bytes like JSON.
  @Test(arguments: [640, 123])
  func safetensorsThatLookLikeSomethingElse(_ length: Int) throws {
    var header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
    header += String(repeating: " ", count: length - header.utf8.count)
    var count = UInt64(length).littleEndian
    let path = try TorchFiles.temporary(
      Data(bytes: &count, count: 8) + Data(header.utf8) + Data(count: 4))
    #expect(try WeightsFiles.open(path).tensor("a").array == [0])
  }
}
