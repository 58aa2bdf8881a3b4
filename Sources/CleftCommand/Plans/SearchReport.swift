import CleftFormats
import Foundation

/// What `cleft search` found, as its JSON has it.
struct SearchReport: Encodable {
  /// One row of the embeddings.
  struct Hit: Encodable {
    /// From 1.
    var rank: Int
    var row: Int
    /// Cosine, -1 … 1.
    var similarity: Double
    /// What it is of.
    var path, text: String?
    /// Names of its classes; none where nothing says them.
    var labels: [String]
    var patient: String?
  }

  /// What was looked for: one of both.
  var text, image: String?
  /// Folder of the embeddings, with the number of rows looked through.
  var folder: String
  var count: Int
  var model: ModelUse.Facts
  var hits: [Hit]

  /// Puts rows together with what they are of.
  init(_ asked: SearchOptions, _ embedded: EmbeddedFolder, _ nearest: [NearestRows.Hit]) {
    (text, image, folder) = (asked.text, asked.image, embedded.path)
    (count, model) = (embedded.facts.count, embedded.facts.model)
    let table = embedded.table
    func cell(_ name: String, _ row: Int) -> String? {
      table.columns.firstIndex(of: name).map { table.rows[row][$0] }.flatMap { $0.isEmpty ? nil : $0 }
    }
    hits = nearest.enumerated().map { place, hit in
      Hit(
        rank: place + 1, row: hit.row, similarity: hit.similarity, path: cell("path", hit.row),
        text: cell("text", hit.row),
        labels: cell("labels", hit.row)?.split(separator: ";").map(String.init) ?? [],
        patient: cell("patient", hit.row))
    }
  }

  /// The list for people.
  var table: String {
    let width = "\(hits.count)".count
    return hits.map { hit in
      let rank = String(repeating: " ", count: width - "\(hit.rank)".count) + "\(hit.rank)"
      let labels = hit.labels.isEmpty ? "" : "  (\(hit.labels.joined(separator: ", ")))"
      let similarity = String(format: "%7.4f", hit.similarity)
      return "\(rank)  \(similarity)  \(hit.path ?? hit.text ?? "row \(hit.row)")\(labels)"
    }.joined(separator: "\n")
  }
}
