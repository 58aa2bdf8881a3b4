import CleftData
import CleftFormats
import CleftImaging
import CleftTraining
import Foundation

/// A drawing of what a model makes of pictures: the first one of each class as the model sees it, with its probabilities.
struct ZeroShotPicture {
  let title: String
  let classNames: [String]
  /// A row for each sample.
  let probabilities: [[Float]]
  let samples: [Sample]
  let pipeline: ImagePipeline
  let dicom: DicomRendering

  private let tile = 180
  private let gap = 16
  private let line = 20

  /// The drawing as one self-contained file, for light and dark pages.
  func svg() throws -> String {
    let chosen = classNames.indices.compactMap { label in samples.firstIndex { $0.labels.first == label }
    }
    let width = gap + chosen.count * (tile + gap)
    let height = gap + tile + 34 + classNames.count * line + gap
    var body = ""
    for (column, index) in chosen.enumerated() {
      let left = gap + column * (tile + gap)
      var pipeline = pipeline
      pipeline.sizePixels = max(pipeline.sizePixels, tile)
      let picture = pipeline.evaluation(
        try ImageDecoder.decode(samples[index].imagePath, dicom: dicom))
      let data = try ImageEncoder.png(picture).base64EncodedString()
      body +=
        "<image x='\(left)' y='\(gap)' width='\(tile)' height='\(tile)' href='data:image/png;base64,\(data)'/>\n"
      let truth = samples[index].labels.map { classNames[$0] }.joined(separator: ", ")
      body += "<text class='t' x='\(left)' y='\(gap + tile + 20)'>\(truth.escaped)</text>\n"
      for (label, name) in classNames.enumerated() {
        let share = Double(probabilities[index][label])
        let top = gap + tile + 30 + label * line
        let bar = String(format: "%.1f", share * Double(tile))
        let kind = samples[index].labels.contains(label) ? "own" : "other"
        body += "<rect class='\(kind)' x='\(left)' y='\(top)' width='\(bar)' height='\(line - 4)'/>\n"
        body +=
          "<text x='\(left + 4)' y='\(top + 12)'>\(name.lowercased().escaped) \(String(format: "%.0f", 100 * share)) %</text>\n"
      }
    }
    return """
      <svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 \(width) \(height)' width='\(width)' height='\(height)'>
      <style>text{font:11px sans-serif;fill:#222}.t{font-weight:bold;font-size:13px}.own{fill:#56b4e9}.other{fill:#c8c8c8}\
      rect.page{fill:#fff}</style>
      <title>\(title.escaped)</title>
      <rect class='page' width='\(width)' height='\(height)'/>
      \(body)</svg>

      """
  }
}
