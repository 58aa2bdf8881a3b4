import CleftFormats
import CleftTensor
import Foundation
import Glibc
import Testing

/// Fingerprints in pieces, files written one tensor at a time, and tensors beside the weights.
@Suite struct CheckpointFileTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)")
      .path
    try FileSystem.makeFolder(folder)
    defer { FileSystem.remove(folder) }
    try body(folder)
  }

  @Test(arguments: [1, 3, 31, 32, 33, 64, 1000]) func piecesGiveTheFingerprintOfTheWhole(_ size: Int) {
    let bytes = (0..<500).map { UInt8(truncatingIfNeeded: $0 * 7) }
    for count in [0, 1, 31, 32, 33, 499, 500] {
      var stream = Checksum.Stream()
      for start in stride(from: 0, to: count, by: size) {
        bytes[start..<min(start + size, count)].withUnsafeBytes { stream.add($0) }
      }
      #expect(stream.digest == bytes[..<count].withUnsafeBytes { Checksum.of($0) }, "\(count) by \(size)")
    }
    #expect(Checksum.of("abc") != Checksum.of("abd"))
  }

  @Test func tensorsOneAtATimeGiveTheSameFile() throws {
    try withFolder { folder in
      let tensors = (0..<4).map { (key: "t\($0)", tensor: Tensor([$0, 3], repeating: Float($0))) }
      try SafeTensorsWriter.write(tensors, to: folder + "/a")
      let shapes = tensors.map { (key: $0.key, shape: $0.tensor.shape) }
      let sum = try SafeTensorsWriter.write(shapes, to: folder + "/b") { try $1(tensors[$0].tensor) }
      let written = try FileSystem.read(folder + "/b")
      #expect(try FileSystem.read(folder + "/a") == written)
      #expect(try Checksum.ofFile(folder + "/b") == sum)
      #expect(SafeTensorsWriter.byteCount(shapes) == written.count)
    }
  }

  @Test func anOriginNamesTheShardThatHoldsTheTensor() throws {
    try withFolder { folder in
      for (shard, key) in [("a", "x"), ("b", "y")] {
        try SafeTensorsWriter.write([(key, Tensor([2]))], to: "\(folder)/\(shard).safetensors")
      }
      let index = #"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#
      try FileSystem.write(Data(index.utf8), to: folder + "/model.safetensors.index.json")
      let file = try WeightsFiles.open(folder + "/model.safetensors.index.json")
      let origin = try #require(file.origin(of: "y"))
      #expect(origin.path == folder + "/b.safetensors" && origin.key == "y")
      #expect(origin.stamp == FileStamp(of: folder + "/b.safetensors"))
      #expect(file.origin(of: "z") == nil)
    }
  }

  @Test func aChangedFileGetsAnotherFingerprint() throws {
    try withFolder { folder in
      let path = folder + "/a"
      try FileSystem.write(Data("one".utf8), to: path)
      let first = try #require(FileStamp(of: path))
      let fingerprint = try Fingerprints.of(path, first)
      #expect(try fingerprint == Checksum.ofFile(path))
      try FileSystem.write(Data("three".utf8), to: path)
      let second = try #require(FileStamp(of: path))
      #expect(try Fingerprints.of(path, second) != fingerprint)
      // A stamp that the file never had since.
      let other = FileStamp(
        byteCount: 3, modifiedNanoseconds: 1, changedNanoseconds: 1, device: second.device,
        inode: second.inode)
      #expect(Fingerprints.known(path, other) == nil && Fingerprints.known(path, first) == fingerprint)
      #expect(throws: FormatError.self) { try Fingerprints.of(path, other) }
    }
  }

  @Test func aStampTellsANewFileFromAChangedOne() throws {
    try withFolder { folder in
      let path = folder + "/a"
      try FileSystem.write(Data("one".utf8), to: path)
      let first = try #require(FileStamp(of: path))
      chmod(path, 0o600)
      usleep(20_000)
      chmod(path, 0o640)
      let touched = try #require(FileStamp(of: path))
      #expect(touched != first && touched.isSameFile(as: first))
      let mapped = try MappedFile(path)
      #expect(mapped.stamp == touched)
      try FileSystem.write(Data("one".utf8), to: path)
      let replaced = try #require(FileStamp(of: path))
      #expect(!replaced.isSameFile(as: first) && mapped.stamp == touched)
    }
  }

  @Test func anEmptyFileAFolderAndNoFileHaveNoFingerprint() throws {
    try withFolder { folder in
      try Data().write(to: URL(fileURLWithPath: folder + "/empty"))
      for path in [folder, folder + "/empty", folder + "/none"] {
        let error = #expect(throws: FormatError.self) { try Checksum.ofFile(path) }
        #expect(error?.problem.location == path)
      }
    }
  }

  @Test func aFileCutWhileItIsReadEndsTheProcessWithOneLine() async throws {
    let result = await #expect(
      processExitsWith: .exitCode(74), observing: [\.standardErrorContent]
    ) {
      let path = NSTemporaryDirectory() + "cleft-cut-\(getpid())"
      try Data(count: 1 << 16).write(to: URL(fileURLWithPath: path))
      let file = try MappedFile(path)
      truncate(path, 1)
      unlink(path)
      print(file.base.load(fromByteOffset: 40_000, as: UInt8.self))
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(text.contains("cleft: error: a file that was being read has been cut"))
  }

  @Test func replacingKeepsTheOldOneUnderAnotherName() throws {
    try withFolder { folder in
      for name in ["new", "place"] {
        try FileSystem.makeFolder("\(folder)/\(name)")
        try FileSystem.write(Data(name.utf8), to: "\(folder)/\(name)/file")
      }
      let place = folder + "/place"
      #expect(FileSystem.replace(place, with: folder + "/new", keepingOldAs: folder + "/old") == nil)
      #expect(FileSystem.list(folder) == ["old", "place"])
      #expect(try FileSystem.read(place + "/file") == Data("new".utf8))
      #expect(try FileSystem.read(folder + "/old/file") == Data("place".utf8))
      #expect(FileSystem.replace(place, with: folder + "/none", keepingOldAs: folder + "/older") != nil)
      #expect(try FileSystem.read(place + "/file") == Data("new".utf8))
    }
  }

  @Test func valuesReferToTensorsBesideTheWeights() throws {
    try withFolder { folder in
      let path = folder + "/x.ckpt"
      let moment = Tensor([2, 2], [1, 2, 3, 4])
      let state: TorchValue = [0: ["step": .reference("s"), "exp_avg": .reference("m")]]
      try TorchWriter.write(
        stateDict: [("w", Tensor([3], [7, 8, 9]))], values: [("optimizer_states", [["state": state]])],
        references: [("s", Tensor([], [5])), ("m", moment)], dtype: .bfloat16, to: path)
      let file = try TorchArchive(path)
      #expect(try file.tensor("w").array == [7, 8, 9])
      #expect(file.entries["w"]?.dtype == .bfloat16)
      guard case .list(let states)? = file.value("optimizer_states") else {
        Issue.record("no states")
        return
      }
      let wanted: TorchValue = [
        0: ["step": .tensor(dtype: .float32, shape: []), "exp_avg": .tensor(dtype: .float32, shape: [2, 2])]
      ]
      #expect(states[0]["state"] == wanted)
      #expect(throws: FormatError.self) {
        try TorchWriter.write(stateDict: [], values: [("x", .reference("none"))], to: path)
      }
    }
  }
}
