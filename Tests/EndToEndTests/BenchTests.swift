import Foundation
import Testing

/// `cleft bench`: training steps and evaluation.
@Suite struct BenchTests {
  private static let small = [
    "--model", "tiny", "--batch_size", "4", "--caption_min", "4", "--caption_max", "6", "--image_depth", "1",
    "--text_depth", "1",
  ]

  private func object(_ arguments: [String]) throws -> [String: Any] {
    let result = try Tool.run(["bench"] + arguments + ["--json"])
    #expect(result.status == 0, "\(result.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  private func number(_ value: Any?) -> Double { (value as? NSNumber)?.doubleValue ?? .nan }

  @Test func partsOfAStepSumUpToIt() throws {
    let found = try object(Self.small + ["--steps", "2", "--warmup", "1", "--threads", "2"])
    #expect(number(found["steps"]) == 2)
    let step = number((found["step_seconds"] as? [String: Any])?["median"])
    #expect(step > 0)
    let parts = try #require(found["part_seconds"] as? [String: [String: Any]])
    #expect(parts.count == 8)
    // Of two steps the median is the mean, so that parts add up.
    let sum = parts.values.reduce(0) { $0 + number($1["median"]) }
    #expect(abs(sum - step) < 1e-9 + 1e-6 * step)
    #expect(number(parts["other"]?["median"]) < 0.5 * step)
    for name in ["data_wait", "image_forward", "image_backward", "text_forward", "text_backward", "loss"] {
      #expect(number(parts[name]?["min"]) > 0, "\(name)")
    }
    #expect(number(found["images_per_step"]) == 4)
    #expect(abs(number(found["images_per_second"]) * step - 4) < 1e-6)

    let products = try #require(found["products"] as? [String: Any])
    for name in [
      "operations_per_step", "gflops", "step_gflops", "library_gflops", "openblas_gflops", "step_efficiency",
    ] {
      #expect(number(products[name]) > 0, "\(name)")
    }
    let shapes = try #require(products["shapes"] as? [[String: Any]])
    #expect(shapes.count > 10)
    #expect(shapes.allSatisfy { number($0["library_gflops"]) > 0 && number($0["count_per_step"]) > 0 })
    let memory = try #require(found["memory"] as? [String: Any])
    #expect(number(memory["peak_resident_bytes"]) >= number(memory["built_resident_bytes"]))
    #expect(number(memory["system_allocations_warmup"]) > 0)
    let options = try #require((found["setting"] as? [String: Any])?["options"] as? [String: String])
    #expect(options["peft"] == "lora")
    #expect(options["batch_size"] == "4")
    #expect(options["image_depth"] == "1")
  }

  @Test func evaluationIsTimedByEncoder() throws {
    let found = try object(
      ["eval"] + Self.small + [
        "--images", "7", "--warmup", "1", "--pictures", "none", "--precision", "bf16-true",
      ])
    #expect(number(found["batches"]) == 2)
    for name in ["images_per_second", "images_per_second_with_data", "captions_per_second"] {
      #expect(number(found[name]) > 0, "\(name)")
    }
    #expect(number(found["images_per_second"]) >= number(found["images_per_second_with_data"]))
  }

  @Test func tablesFitOnAScreen() throws {
    let arguments = Self.small + ["--steps", "1", "--warmup", "0", "--pictures", "none", "--peft", "none"]
    for mode in [["step"] + arguments, ["eval"] + Self.small + ["--images", "4", "--pictures", "none"]] {
      let result = try Tool.run(["bench"] + mode)
      #expect(result.status == 0, "\(result.errors)")
      let lines = result.output.split(separator: "\n")
      #expect(lines.count > 25)
      #expect(lines.allSatisfy { $0.count <= 100 || $0.contains("processors usable") })
      #expect(result.output.contains("efficiency"))
      #expect(result.output.contains("peft \(mode[0] == "step" ? "none" : "lora")"))
    }
  }

  @Test(arguments: [
    (["--caption_min", "9", "--caption_max", "8"], "--caption_max is 8"),
    (["--steps", "0"], "--steps is 0"), (["--precision", "64"], "--precision is '64'"),
    (["--model", "tiny", "--caption_max", "900"], "positions"),
    (["--model", "tiny", "--image_size", "100"], "100"),
    (["--model", "tiny", "--img_cls_ft"], "--img_cls_ft"),
    (["eval", "--images", "0"], "--images is 0"),
    (["kernals"], "bench kernals: no such command. Nearest: kernels, "),
    (["plan", "--gflops_per_core", "1e300"], "--gflops_per_core is 1e+300"),
    (["plan", "--efficiency", "1e-9"], "--efficiency is 1e-09"),
    (["plan", "--max_steps", "9000000000000000000"], "--max_steps is 9000000000000000000"),
    (["--model", "tiny", "--freeze_vit", "--warm_up", "40000"], "--warm_up"),
  ])
  func whatCannotBeMeasuredIsSaidInOneLine(_ arguments: [String], _ text: String) throws {
    let result = try Tool.run(["bench"] + arguments)
    #expect(result.status != 0)
    #expect(result.output.isEmpty)
    #expect(result.errors.hasPrefix("cleft: error: "))
    #expect(result.errors.contains(text), "\(result.errors)")
    #expect(result.errors.filter { $0 == "\n" }.count == 1)
  }

  /// A measured rate belongs to as many cores as there are threads, and no more.
  @Test func whatIsExtrapolatedIsNotCalledMeasured() throws {
    let found = try object(["plan", "--model", "tiny", "--threads", "1", "--cores", "2,64"])
    let machines = try #require(found["machines"] as? [[String: Any]])
    #expect(machines.count == 6)
    for machine in machines {
      for name in ["gflops_per_core", "bf16_gflops_per_core", "bandwidth_gbs"] {
        #expect((machine[name] as? [String: Any])?["basis"] as? String == "assumed", "\(name)")
      }
    }
  }

  @Test func aPlanOfExtremesIsPrinted() throws {
    let result = try Tool.run([
      "bench", "plan", "--model", "tiny", "--no_measure", "--cores", "1", "--gflops_per_core", "1e-3",
      "--efficiency", "1e-6", "--bandwidth_gbs", "1e-3", "--max_steps", "1000000000", "--memory_gib", "1e-3",
    ])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("more than 0.0 GiB: training at 32"), "\(result.output)")
  }
}
