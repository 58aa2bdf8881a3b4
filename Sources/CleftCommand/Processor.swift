import CleftFormats
import CleftTensor
import CleftTraining
import Foundation

/// What this machine's processor can do, compared with what the program and its libraries use.
///
/// This target is built without the kernels' CPU flag, so that the check itself runs anywhere.
enum Processor {
  /// Flags of the first processor in `/proc/cpuinfo`.
  static let features: Set<String> =
    field("flags").map { Set($0.split(separator: " ").map(String.init)) } ?? []

  /// The processor's name.
  static let name = field("model name") ?? "unknown"

  /// Fails if the kernels were built for instructions that are not there.
  static func requireBuiltFeatures() throws {
    let missing = Runtime.builtForFeatures.filter { !features.contains($0) }
    if missing.isEmpty || features.isEmpty { return }
    throw TrainingError.badConfiguration(
      Problem(
        "this processor (\(name))", found: "no \(missing.joined(separator: ", "))",
        expected: "what cleft was built for",
        hint: "Build here, or with CLEFT_MARCH=x86-64-v3 swift build -c release for a portable program."))
  }

  /// Set once OpenBLAS's kernels have been chosen; holds what the environment asked for instead, if anything.
  private static let chosenMark = "CLEFT_BLAS_CHOSEN"

  /// Lets OpenBLAS use AVX-512 where the processor has it.
  ///
  /// It picks kernels while it is loaded, by model number or by `OPENBLAS_CORETYPE`; a processor newer than itself, or
  /// a variable meant for other programs, gives kernels of half the speed. Its only way to be told is that variable, so
  /// the program starts itself once more. `CLEFT_BLAS_CORE` names kernels that are then taken as they are.
  static func chooseBLASKernels() {
    if getenv(chosenMark) != nil { return }
    let wanted: Set<String> = ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"]
    let capable: Set<String> = ["SkylakeX", "Cooperlake", "SapphireRapids"]
    let asked = getenv("CLEFT_BLAS_CORE").map { String(cString: $0) }
    if asked == nil, !wanted.isSubset(of: features) || capable.contains(Runtime.blasCore) { return }
    setenv(chosenMark, getenv("OPENBLAS_CORETYPE").map { String(cString: $0) } ?? "", 1)
    setenv("OPENBLAS_CORETYPE", asked ?? "SkylakeX", 1)
    // Its own threads are never used, but spin for a while where it makes them.
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
    arguments.append(nil)
    execv("/proc/self/exe", arguments)
    // Starting again failed: go on with the kernels there are.
  }

  /// A line to show when an environment variable was set aside; nil if none was.
  static var setAsideNotice: String? {
    guard let asked = getenv(chosenMark).map({ String(cString: $0) }), !asked.isEmpty else { return nil }
    return
      "OPENBLAS_CORETYPE=\(asked) set aside for \(Runtime.blasCore) kernels; CLEFT_BLAS_CORE=\(asked) keeps it."
  }

  private static func field(_ name: String) -> String? {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      if let colon = line.firstIndex(of: ":") {
        return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      }
    }
    return nil
  }
}
