import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Files that PyTorch itself wrote, in every layout, hold the numbers that PyTorch says they hold.
@Suite struct TorchFixtureTests {
  @Test(arguments: ["zip.pth", "protocol5.pth", "old.pth", "legacy.pth", "legacy4.pth"])
  func everyTypeAndLayout(_ name: String) throws {
    let file = try WeightsFiles.open(TorchFiles.torch(name))
    let expected = try SafeTensorsFile(TorchFiles.torch("expected.safetensors"))
    #expect(file.entries.count == 19)
    #expect(Set(file.entries.keys) == Set(expected.entries.keys))
    for (key, entry) in expected.entries {
      #expect(file.entries[key]?.shape == entry.shape, "\(key)")
      if entry.dtype == .int64 {
        let integers = try expected.integers(key)
        #expect(try file.integers(key) == integers, "\(key)")
        #expect(try file.tensor(key).array == integers.map(Float.init), "\(key)")
      } else {
        let (found, wanted) = (try file.tensor(key).array, try expected.tensor(key).array)
        #expect(found.map(\.bitPattern) == wanted.map(\.bitPattern), "\(key)")
        #expect(throws: FormatError.self) { try file.integers(key) }
      }
    }
  }

  @Test(arguments: ["lightning.ckpt", "lightning_legacy.ckpt"])
  func whatLightningKeepsBesideTheWeights(_ name: String) throws {
    let file = try TorchArchive(TorchFiles.torch(name))
    #expect(Set(file.entries.keys) == ["encoder.f32", "encoder.bf16", "encoder.transposed"])
    #expect(file.valueNames.first == "epoch")
    #expect(file.value("epoch") == 4)
    #expect(file.value("global_step") == 1234)
    #expect(file.value("pytorch-lightning_version") == "2.1.2")
    #expect(file.value("loops")?["fit_loop"]?["epoch_progress"]?["total"]?["ready"] == 5)
    #expect(file.value("nothing of this name") == nil)
    guard case .list(let optimizers)? = file.value("optimizer_states") else { throw Unexpected() }
    guard case .list(let groups)? = optimizers.first?["param_groups"] else { throw Unexpected() }
    #expect(groups.first?["betas"] == [0.9, 0.999])
    guard case .dictionary(let states)? = optimizers.first?["state"] else { throw Unexpected() }
    #expect(states.first?.key == 0)
    #expect(states.first?.value["exp_avg"] == .tensor(dtype: .float32, shape: [3]))
    guard case .list(let schedulers)? = file.value("lr_schedulers") else { throw Unexpected() }
    #expect(schedulers.first?["milestones"] == [2: 1, 5: 1])
  }

  @Test(arguments: ["lightning.ckpt", "lightning_legacy.ckpt"])
  func hyperParametersAreData(_ name: String) throws {
    let value = try TorchArchive(TorchFiles.torch(name)).value("hyper_parameters")
    let expected: [(String, TorchValue)] = [
      ("lr", 4e-5), ("batch_size", 72), ("precision", "bf16-mixed"),
      ("text", .string("räksmörgås 🩻 " + String(repeating: "long ", count: 60))),
      ("flag", true), ("off", false), ("nothing", nil), ("betas", [0.9, 0.95]),
      ("sizes", [1, 256, 70000, -1, .int(1 << 40), .int(-1 << 40)]),
      ("wide", .other("0x0100000000000000000000")), ("names", ["only"]), ("frozen", [7]),
      ("raw", .other("2 bytes")), ("ordered", ["a": 1]), ("default", ["k": [1]]),
      ("args", ["gpus": 2, "nested": ["name": "x"]]),
      ("folder", "/data/chexpert/train"), ("relative", "a/b"),
      ("np_float", 0.25), ("np_single", -1.5), ("np_int", -3), ("np_big_endian", 5), ("np_bool", true),
      ("device", "cuda:1"), ("dtype", .other("torch.bfloat16")), ("size", [2, 3]),
      ("tensor", .tensor(dtype: .float32, shape: [2, 2])),
    ]
    for (key, wanted) in expected { #expect(value?[key] == wanted, "\(key)") }
    guard case .dictionary(let entries)? = value else { throw Unexpected() }
    #expect(entries.count == expected.count)
  }

  @Test(arguments: 0..<6)
  func plainValuesUnderEveryProtocol(_ version: Int) throws {
    let path = TorchFiles.torch("plain\(version).pkl")
    let value = try TorchFiles.bytes(path).withUnsafeBytes { try TorchValue(pickle: $0, path: path) }
    let expected: [(String, TorchValue)] = [
      ("int", 5), ("neg", -5),
      ("long", .other(version < 2 ? "1180591620717411303424" : "0x400000000000000000")), ("float", 0.1),
      ("true", true), ("false", false), ("none", nil), ("text", "tab\tü\\🩻"), ("bytes", .other("2 bytes")),
      ("tuple", [1, [2, 3, 4, 5]]), ("list", [1, [2]]), ("set", [1]), ("again", [1, [2]]),
    ]
    #expect(value == .dictionary(expected.map { TorchValue.Entry(.string($0.0), $0.1) }))
  }

  private func value(of pickle: String) throws -> TorchValue {
    try Data(pickle.utf8).withUnsafeBytes { try TorchValue(pickle: $0, path: "p") }
  }

  /// Opcodes that only Python 2 or other writers use.
  @Test func oldOpcodes() throws {
    let plain = "(dS'a\\n\\x41'\nL12L\nsVb\\u00e9\nI01\nsS\"c\"\n(lp7\nF2.5\nasS'd'\ng7\nsS'e'\nI4\n20s."
    #expect(try value(of: plain) == ["a\nA": 12, "bé": true, "c": [2.5], "d": [2.5], "e": 4])
    // An ordered dictionary of Python 2, an object under OBJ and one under INST.
    let ordered = "ccollections\nOrderedDict\n((l(lS'k'\naI1\naatR"
    let objects = "(cargparse\nNamespace\no(iargparse\nNamespace\n(dS'x'\nI3\nsb"
    #expect(try value(of: "(\(ordered)\(objects)t.") == [["k": 1], [:], ["x": 3]])
    #expect(try value(of: "(I1\nI2\n1N.") == .none)
  }

  private struct Unexpected: Error {}
}
