import CleftTensor
import Foundation
import Testing

/// The benchmark of kernels: nothing left out, and numbers that mean something.
@Suite struct KernelBenchmarkTests {
  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources/CleftTensor")

  /// Functions that a source declares in types whose names end in `Kernel` or `Kernels`, private ones left out.
  private static func kernels(in text: String) -> [String] {
    var type: String?
    var found: [String] = []
    for line in text.split(separator: "\n") {
      if line == "}" { type = nil }
      if let match = line.firstMatch(of: /^(?:\w+ )*(?:extension|enum|struct|class) (\w+)/) {
        type = match.1.hasSuffix("Kernel") || match.1.hasSuffix("Kernels") ? String(match.1) : nil
      }
      if let type, let match = line.firstMatch(of: /^  (?:public |package )?(?:static )?func (\w+)/) {
        found.append("\(type).\(match.1)")
      }
    }
    return found
  }

  /// All sources of the tensor library in the benchmarks' folder, or outside of it.
  private static func text(ofBenchmarks: Bool) throws -> String {
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
      .compactMap { $0 as? URL }
      .filter {
        $0.pathExtension == "swift"
          && ($0.deletingLastPathComponent().lastPathComponent == "Benchmarks") == ofBenchmarks
      }
    return try files.map { try String(contentsOf: $0, encoding: .utf8) }.joined(separator: "\n")
  }

  @Test func declarationsAreFound() {
    let text = """
      func free() {
        func inner() {}
      }
      private enum Other {
        static func skipped() {}
      }
      extension Kernels {
        static func add(_ a: Pointer) {}
        private static func hidden() {}
          func nested() {}
      }
      struct PoolingKernel {
        func forward() {}
      }
      func behind() {
        func inner() {}
      }
      """
    #expect(Self.kernels(in: text) == ["Kernels.add", "PoolingKernel.forward"])
  }

  @Test func everyKernelHasALine() throws {
    let declared = Set(Self.kernels(in: try Self.text(ofBenchmarks: false)))
    #expect(declared.count > 40)
    let timed = Set(KernelBenchmark.lines().flatMap(\.functions))
    let helpers = Set(KernelCatalog.helpers.keys)
    #expect(
      declared.subtracting(timed).subtracting(helpers).sorted() == [],
      "time these in KernelCatalog, or say in its helpers why not")
    #expect(helpers.subtracting(declared).sorted() == [], "helpers that there are none of")
    #expect(helpers.intersection(timed).sorted() == [], "helpers that are timed")
    let kernelsTimed = timed.filter { $0.wholeMatch(of: /\w*Kernels?\.\w+/) != nil }
    #expect(kernelsTimed.subtracting(declared).sorted() == [], "lines for kernels that there are none of")
  }

  /// What a line says it times is called by the catalogue.
  @Test func linesCallWhatTheyName() throws {
    let text = try Self.text(ofBenchmarks: true)
    for line in KernelBenchmark.lines() {
      #expect(!line.functions.isEmpty, "\(line.name)")
      for function in line.functions {
        let name = try #require(function.split(separator: ".").last)
        // A method is called on a value, whatever its type.
        let call = function.hasPrefix("Kernels.") ? "\(function)(" : "\(name)("
        #expect(text.contains(call), "\(line.name) does not call \(function)")
      }
    }
  }

  @Test func namesAreUniqueAndFitTheTable() {
    let names = KernelBenchmark.lines().map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.filter { $0.count > 33 } == [])
  }

  @Test func everyLineRunsAndGivesNumbers() {
    var names: [String] = []
    KernelBenchmark(rows: 9, width: 64, milliseconds: 0).run { result in
      names.append(result.line.name)
      let numbers =
        [
          result.timing.best, result.nanosecondsPerElement, result.medianNanosecondsPerElement,
          result.gigabytesPerSecond, result.copy.gigabytesPerSecond, result.copyFraction,
        ] + (result.gigaflopsPerSecond.map { [$0] } ?? [])
      #expect(numbers.allSatisfy { $0.isFinite && $0 > 0 }, "\(result.line.name): \(numbers)")
      #expect(result.timing.best <= result.timing.median && result.timing.sampleCount >= 5)
      #expect(abs(result.copy.bytes - result.bytes) <= 128)
    }
    #expect(names == KernelBenchmark.lines().filter(\.isAvailable).map(\.name))
  }

  @Test func bytesAreThoseThatHaveToMove() throws {
    var results: [String: KernelResult] = [:]
    KernelBenchmark(rows: 10, width: 64, milliseconds: 0).run(matching: "layer norm") {
      results[$0.line.name] = $0
    }
    KernelBenchmark(rows: 10, width: 64, milliseconds: 0).run(matching: "float32 qkv") {
      results[$0.line.name] = $0
    }
    let norm = try #require(results["layer norm"])
    // Input and output, weight and bias, two statistics a row.
    #expect(norm.elements == 640 && norm.bytes == 4 * (2 * 640 + 2 * 64 + 2 * 10) && norm.operations == nil)
    let product = try #require(results["float32 qkv"])
    #expect(product.operations == 2 * 10 * 192 * 64 && product.shape == "10×192×64")
    #expect(product.bytes == 4 * (10 * 64 + 64 * 192 + 10 * 192))
    #expect(product.gigaflopsPerSecond == product.operations.map { $0 / product.timing.best * 1e-9 })
  }

  @Test func productRatesNameTheFastestLibrary() throws {
    func shape(_ isHalf: Bool) -> ProductShape {
      ProductShape(m: 32, n: 48, k: 16, transposesA: true, transposesB: false, isHalf: isHalf)
    }
    let shapes = [shape(false)] + (Runtime.hasHalfProducts ? [shape(true)] : [])
    let rates = ProductRates.measure(shapes, minimumSeconds: 0)
    #expect(rates.count == shapes.count)
    let single = try #require(rates[shape(false)])
    let openBLAS = try #require(single.openBLAS)
    #expect(openBLAS > 0 && openBLAS <= single.fastest)
    if Runtime.hasHalfProducts {
      let half = try #require(rates[shape(true)])
      #expect(half.fastest > 0 && half.openBLAS == nil)
    }
  }

  @Test func cachesGrowWithThreads() {
    let caches = CacheSizes.forThreads(1)
    #expect(caches.l2 > 0 && caches.l3 >= caches.l2)
    #expect(CacheSizes.forThreads(64).l2 >= caches.l2)
  }

  @Test func textChoosesLines() {
    let attention = KernelBenchmark.lines(matching: "Attention")
    #expect(attention.count >= 4 && attention.allSatisfy { $0.group == "attention" })
    #expect(
      KernelBenchmark.lines(matching: "kernels.geluTanhBackward").map(\.name) == [
        "GELU, tanh, backward", "GELU, tanh, backward, bfloat16",
      ])
    #expect(KernelBenchmark.lines(matching: "no such kernel").isEmpty)
  }
}
