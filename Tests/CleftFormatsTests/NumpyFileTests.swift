import CleftFormats
import CleftTensor
import Foundation
import Testing

@Suite struct NumpyFileTests {
  private func temporary(_ data: Data = Data()) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).npy").path
    if !data.isEmpty { try data.write(to: URL(fileURLWithPath: path)) }
    return path
  }

  /// A file of version 1.0 as NumPy writes it.
  private func file(_ dictionary: String, _ bytes: Data = Data(), version: UInt8 = 1) throws -> String {
    let text = Data((dictionary + "\n").utf8)
    let length = UInt8(text.count)
    let size: [UInt8] = version == 1 ? [length, 0] : [length, 0, 0, 0]
    return try temporary(Data([0x93] + Array("NUMPY".utf8) + [version, 0] + size) + text + bytes)
  }

  private func bytes<Number>(_ numbers: [Number]) -> Data { numbers.withUnsafeBytes { Data($0) } }

  /// Bytes of `numpy.save(path, numpy.array([[1, -2.5, 3], [4, 5, 6e9]], dtype='<f4'))`, NumPy 1.26.
  private static let saved: Data = {
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
    let padded = text + String(repeating: " ", count: 128 - 10 - text.utf8.count - 1) + "\n"
    let numbers: [Float] = [1, -2.5, 3, 4, 5, 6e9]
    return Data([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0]) + Data(padded.utf8)
      + numbers.withUnsafeBytes { Data($0) }
  }()

  @Test func whatIsWrittenIsByteForByteWhatNumPyWrites() throws {
    let path = try temporary()
    try NumpyFile.write(Tensor([2, 3], [1, -2.5, 3, 4, 5, 6e9]), to: path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Self.saved)
    let writer = try NumpyWriter(path, width: 3)
    try writer.append(Tensor([1, 3], [1, -2.5, 3]))
    try writer.append(Tensor([1, 3], [4, 5, 6e9]))
    try writer.finish()
    #expect(writer.rowCount == 2)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Self.saved)
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    for shape in [[], [3], [0, 4], [2, 0], [5, 1, 2], [1]] as [Shape] {
      let path = try temporary()
      let tensor = Tensor(shape, (0..<shape.count).map { Float($0) - 1.5 })
      try NumpyFile.write(tensor, to: path)
      let read = try NumpyFile(path)
      #expect(read.shape == shape && read.dtype == .float32)
      #expect(read.tensor.array == tensor.array)
      #expect(read.rowCount * read.width == shape.count)
    }
  }

  @Test func someRowsAreReadByThemselves() throws {
    let path = try temporary()
    try NumpyFile.write(Tensor([4, 2], (0..<8).map(Float.init)), to: path)
    let file = try NumpyFile(path)
    #expect(file.rows(1..<3).shape == [2, 2])
    #expect(file.rows(1..<3).array == [2, 3, 4, 5])
    #expect(file.rows(4..<4).array.isEmpty)
  }

  @Test func doublesAndIntegersAreRead() throws {
    // Headers of other lengths leave the numbers at odd places.
    for padding in 0..<4 {
      let space = String(repeating: " ", count: padding)
      let doubles = try NumpyFile(
        file("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}" + space, bytes([0.1, -2, 1e30])))
      #expect(doubles.dtype == .float64 && doubles.tensor.array == [0.1, -2, 1e30])
      let integers = try NumpyFile(
        file(
          #"{"shape": (2L, 1), "fortran_order": False, "descr": "<i8"}"# + space,
          bytes([-7, Int64(1) << 40]), version: 2))
      #expect(try integers.integers() == [-7, 1 << 40])
      #expect(integers.shape == [2, 1] && integers.tensor.array[0] == -7)
      #expect(throws: FormatError.self) { try doubles.integers() }
    }
  }

  @Test func aVectorIsTheSameInEitherOrder() throws {
    let path = try file(
      "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", bytes([Float(1), 2]))
    #expect(try NumpyFile(path).tensor.array == [1, 2])
  }

  static let bad = [
    "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }",
    "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807, 0), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 9223372036854775807), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 2, }",
    "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4'", "[]", "", "{} {}",
    "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
  ]

  @Test(arguments: bad)
  func whatCannotBeReadIsAnErrorThatNamesTheFile(_ dictionary: String) throws {
    let path = try file(dictionary, Data(count: 8))
    let error = #expect(throws: FormatError.self) { try NumpyFile(path) }
    #expect(error?.exitStatus == .badData)
    #expect(error?.description.contains(path) == true)
    #expect(error?.description.contains("expected") == true)
  }

  @Test func otherFilesAndCutOnes() throws {
    #expect(throws: FormatError.self) { try NumpyFile("/no/such/file.npy") }
    for data in [
      Data("PK\u{3}\u{4} a zip archive".utf8), Data([0x93]), Self.saved.dropLast(), Self.saved + [0],
    ] {
      let path = try temporary(Data(data))
      #expect(throws: FormatError.self) { try NumpyFile(path) }
    }
    var version = Self.saved
    version[6] = 9
    let path = try temporary(version)
    #expect(throws: FormatError.self) { try NumpyFile(path) }
  }

  @Test func aFullDiskOrAnAbsentFolderIsAnError() throws {
    let error = #expect(throws: FormatError.self) { try NumpyWriter("/no/such/folder/a.npy", width: 2) }
    #expect(error?.exitStatus == .inputOutput)
  }

  /// Random damage gives an error or other numbers, never a crash.
  @Test func mutatedFilesNeverCrash() throws {
    var draw = RandomKey(seed: 7).generator
    let path = try temporary()
    for _ in 0..<300 {
      var data = Self.saved
      for _ in 0..<1 + Int(draw.uniform() * 3) {
        data[Int(draw.uniform() * Double(data.count))] = UInt8(draw.uniform() * 255)
      }
      try data.write(to: URL(fileURLWithPath: path))
      guard let file = try? NumpyFile(path) else { continue }
      #expect(file.tensor.count == file.shape.count)
    }
  }
}
