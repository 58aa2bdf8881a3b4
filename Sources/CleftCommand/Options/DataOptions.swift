import ArgumentParser
import Foundation

/// Which pictures and captions.
struct DataOptions: ParsableArguments {
  @Option(
    help:
      "Folder with the published layouts (CheXpert/, RSNA Pneumonia/); default: $CLEFT_DATA_DIR or ~/project/CLEFT/data."
  )
  var data_dir: String?

  @Flag(help: "RSNA pneumonia instead of CheXpert.")
  var rsna = false

  @Flag(help: "CheXpert with five classes instead of fourteen.")
  var five_cls = false

  @Option(help: "Share of the training rows to use, 0 ... 1, drawn as published (seed 42).")
  var data_pct = 1.0

  @Option(help: "Decoding threads, 0 decodes in the loop; at most the processors there are.")
  var num_workers = 16

  @Option(help: "Memory for decoded pictures in MiB, so that small sets are decoded once.")
  var image_cache = 512

  /// The data folder meant.
  var folder: String {
    let path = data_dir ?? ProcessInfo.processInfo.environment["CLEFT_DATA_DIR"] ?? "~/project/CLEFT/data"
    return (path as NSString).expandingTildeInPath
  }

  mutating func validate() throws {
    if !(data_pct > 0 && data_pct <= 1) {
      throw ValidationError("--data_pct is \(data_pct); expected above 0 up to 1.")
    }
    if num_workers < 0 { throw ValidationError("--num_workers is \(num_workers); expected 0 or more.") }
    if image_cache < 0 { throw ValidationError("--image_cache is \(image_cache); expected 0 or more MiB.") }
  }
}
