import CleftFormats
import CleftTensor
import Foundation
import Testing

@Suite struct TorchWriterTests {
  private let weight = Tensor([2, 3], [1, -2, 3.25, 1e-3, 65_504, -0.1])

  private var stateDict: [(key: String, tensor: Tensor)] {
    [
      ("a.weight", weight), ("a.tied", weight), ("bn.num_batches_tracked", Tensor([], [7])),
      ("scalar", Tensor([], [0.5])), ("empty", Tensor([0, 4])), ("a.reshaped", weight.reshaped([6])),
    ]
  }

  @Test func aCheckpointReadsBack() throws {
    let path = TorchFiles.temporaryPath()
    let values: [(String, TorchValue)] = [
      ("epoch", 3), ("pytorch-lightning_version", "2.1.2"),
      ("hyper_parameters", ["lr": 4e-5, "big": .int(1 << 40), "names": ["ä", nil, true, -1], "none": nil]),
      ("loops", [:]), ("callbacks", []), ("state", [0: ["step": 1.0]]),
    ]
    try TorchWriter.write(stateDict: stateDict, values: values, to: path)
    let file = try TorchArchive(path)
    #expect(file.valueNames == values.map(\.0) + ["state_dict"])
    for (name, value) in values { #expect(file.value(name) == value, "\(name)") }
    #expect(file.entries.count == stateDict.count)
    for (key, tensor) in stateDict {
      #expect(file.entries[key]?.shape == tensor.shape, "\(key)")
      #expect(try file.tensor(key).array == tensor.array, "\(key)")
    }
    #expect(file.entries["bn.num_batches_tracked"]?.dtype == .int64)
    #expect(try file.integers("bn.num_batches_tracked") == [7])
    #expect(file.entries["a.weight"]?.offset == file.entries["a.tied"]?.offset)
    #expect(file.entries.values.allSatisfy { $0.offset % 64 == 0 })
  }

  @Test(arguments: [DType.bfloat16, .float16])
  func narrowTypesAreRounded(_ dtype: DType) throws {
    let path = TorchFiles.temporaryPath()
    try TorchWriter.write(stateDict: stateDict, dtype: dtype, isBare: true, to: path)
    let file = try TorchArchive(path)
    #expect(file.entries["a.weight"]?.dtype == dtype)
    let wanted = weight.array.map {
      dtype == .float16 ? Float(Float16($0)) : float(fromBFloat16: bfloat16Bits($0))
    }
    #expect(try file.tensor("a.weight").array == wanted)
    #expect(try file.integers("bn.num_batches_tracked") == [7])
    #expect(file.valueNames == stateDict.map(\.key))
  }

  @Test func whatCannotBeWrittenIsNamedAndLeavesNoFile() throws {
    let path = TorchFiles.temporaryPath()
    let large = #expect(throws: FormatError.self) {
      try TorchWriter.write(stateDict: [("big", Tensor([1], [70_000]))], dtype: .float16, to: path)
    }
    #expect(large?.description.contains("big: a number too large for F16") == true)
    let other = #expect(throws: FormatError.self) {
      try TorchWriter.write(stateDict: stateDict, values: [("x", .other("y"))], to: path)
    }
    #expect(other?.description.contains("x: a value without a plain form") == true)
    let name = (path as NSString).lastPathComponent
    let left = FileSystem.list((path as NSString).deletingLastPathComponent).filter { $0.hasPrefix(name) }
    #expect(left.isEmpty)
  }

  /// The 64-bit fields of archives beyond 4 GiB, with the limit at 100 bytes.
  @Test func wideArchives() throws {
    let whole = TorchFiles.temporaryPath()
    try TorchWriter.write(stateDict: stateDict, to: whole)
    let bytes = try TorchFiles.bytes(whole)
    let start = 64
    let pickle = try #require(bytes.range(of: Data("archive/byteorder".utf8))).lowerBound - 30
    let path = TorchFiles.temporaryPath()
    try FileSystem.write(to: path) { handle in
      var archive = ZipWriter(handle, wideLimit: 100)
      try archive.add("archive/data.pkl", bytes[start..<pickle])
      for index in 0..<4 { try archive.add("archive/data/\(index)", Data(repeating: 0, count: 200)) }
      try archive.finish()
    }
    let file = try TorchArchive(path)
    #expect(try file.tensor("a.weight").array == [0, 0, 0, 0, 0, 0])
    #expect(try file.integers("bn.num_batches_tracked") == [0])
  }

  @Test func checksumOfTheStandard() {
    var whole = CRC32()
    whole.update(Data("123456789".utf8))
    #expect(whole.value == 0xCBF4_3926)
    var parts = CRC32()
    for length in 0..<40 { parts.update(Data(repeating: 7, count: length)) }
    var once = CRC32()
    once.update(Data(repeating: 7, count: (0..<40).reduce(0, +)))
    #expect(parts.value == once.value)
  }
}

@Suite struct SafeTensorsTypesTests {
  private func written(_ tensor: Tensor, _ dtype: DType) throws -> SafeTensorsFile {
    let path = TorchFiles.temporaryPath("x.safetensors")
    try SafeTensorsWriter.write([("t", tensor)], dtype: dtype, to: path)
    return try SafeTensorsFile(path)
  }

  /// Numbers of every size, halfway cases among them.
  private var numbers: [Float] {
    var draw = RandomKey(seed: 8).generator
    let drawn = (0..<20_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: draw.next())) }
    let halves = (0..<UInt16(0x7C00)).flatMap { bits -> [Float] in
      let (low, high) = (Float(Float16(bitPattern: bits)), Float(Float16(bitPattern: bits + 1)))
      return high.isFinite ? [low, (low + high) / 2, ((low + high) / 2).nextUp, -(low + high) / 2] : [low]
    }
    return drawn + halves + [.infinity, -.infinity, 0, -0.0, 65_519.996]
  }

  @Test func float16AsTheProcessorRounds() throws {
    let values = numbers.filter { $0.isNaN || $0.isInfinite || abs($0) < 65_520 }
    let file = try written(Tensor([values.count], values), .float16)
    #expect(file.entries["t"]?.byteCount == values.count * 2)
    let read = try file.tensor("t").array
    for (value, found) in zip(values, read) {
      let wanted = Float(Float16(value))
      guard found.bitPattern == wanted.bitPattern || (found.isNaN && wanted.isNaN) else {
        Issue.record("\(value): \(found), not \(wanted)")
        return
      }
    }
  }

  @Test func bfloat16RoundsToNearestEven() throws {
    let values = numbers.filter { !($0.isFinite && abs($0) > 3.38e38) }
    let read = try written(Tensor([values.count], values), .bfloat16).tensor("t").array
    for (value, found) in zip(values, read) {
      let wanted = float(fromBFloat16: bfloat16Bits(value))
      #expect(found.bitPattern == wanted.bitPattern || found.isNaN && wanted.isNaN)
    }
  }

  /// Long tensors are cut into pieces for writing and for threads.
  @Test(arguments: [DType.float32, .bfloat16, .float16])
  func longTensors(_ dtype: DType) throws {
    let values = (0..<(1 << 20) + 4_321).map { Float($0 % 251) - 100 }
    let file = try written(Tensor([values.count], values), dtype)
    #expect(file.entries["t"]?.dtype == dtype)
    #expect(try file.tensor("t").array == values)
  }

  @Test func numbersTooLargeAreErrors() throws {
    for (value, dtype) in [(Float(65_520), DType.float16), (-3.4e38, .bfloat16)] {
      let error = #expect(throws: FormatError.self) { try written(Tensor([2], [1, value]), dtype) }
      #expect(error?.description.contains("t: a number too large for \(dtype.rawValue)") == true)
    }
  }
}
