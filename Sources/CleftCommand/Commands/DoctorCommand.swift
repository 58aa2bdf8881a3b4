import ArgumentParser
import CleftData
import CleftFormats
import CleftModels
import CleftTensor
import CleftTraining
import Foundation

/// `cleft doctor`: what this machine offers and what is missing.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what this machine offers, how fast it multiplies, and what is missing.")

  @Option(help: "Threads to measure with; default: the processors this process may use.") var threads: Int?
  @OptionGroup(title: "Data") var data: DataOptions

  func run() throws {
    if let threads { Runtime.configure(threads: max(1, threads)) }
    func line(_ name: String, _ value: String) {
      print(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }
    line(
      "processor",
      "\(Processor.name), \(ProcessInfo.processInfo.processorCount) seen, \(Runtime.availableThreads) usable")
    let known = ["avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "amx_bf16"]
    line("it has", known.filter(Processor.features.contains).joined(separator: " "))
    line("built for", Runtime.builtForFeatures.joined(separator: " "))
    line("threads", "\(Runtime.threadCount)")
    line("OpenBLAS", "\(Runtime.blasConfiguration), kernels: \(Runtime.blasCore)")
    if let notice = Processor.setAsideNotice { line("", notice) }
    line("LAPACK", Runtime.lapackVersion)
    line("oneDNN", Runtime.oneDNNVersion)
    line("MPI", MessagePassing.libraryVersion)
    let rate = GEMMRate.measure(size: 2048)
    line("float32 GEMM", String(format: "%.0f GFLOP/s at 2048 x 2048 x 2048", rate))
    line("bfloat16", Runtime.hasHalfProducts ? "products run as such" : "products run in float32")
    line("memory", "\(memory("MemAvailable:") >> 10) MiB of \(memory("MemTotal:") >> 10) MiB free")
    if let free = FileSystem.freeBytes(".") { line("disk here", "\(free >> 20) MiB free") }
    for folder in [CheXpert.folder, RSNA.folder, EMBED.folder] {
      let path = "\(data.folder)/\(folder)"
      line(
        "data",
        FileSystem.isFolder(path)
          ? path : "\(path): missing; make a set with 'cleft synth', or pass --data_dir")
    }
    if let prepared = try data.preparedPictures() {
      line("prepared", "\(prepared.count) pictures in \(prepared.folder)")
    }
    for (name, entry) in ModelCatalog.textTowers.sorted(by: { $0.key < $1.key }) {
      let place = FileSystem.exists(name) ? name : HubCache.locate(name)
      line("weights", place.map { "\(name): \($0)" } ?? "\(name): not here; fetch with: \(entry.fetch)")
    }
  }

  private func memory(_ field: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix(field) {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
    return 0
  }
}
