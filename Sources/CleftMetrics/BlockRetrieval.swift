import CleftTensor

/// Retrieval over a whole set of pairs, in blocks of queries: the `n × n` scores never exist at once.
///
/// - Recall@k: share of queries with a match, a pair of the same group, among the `k` highest scores of the whole set.
/// - Precision@k: share of the `k` highest scores whose labels are exactly the query's, mean over queries. A query's own pair is
///   among the candidates, as it is in ConVIRT's and GLoRIA's tables.
///
/// Ties count against: a wrong candidate whose score equals a right one's stands before it. A set in which all embeddings are
/// the same has recall 0, not 1. Scores within 2⁻²⁰ count as equal, since rounding tells apart what is the same by so much.
///
/// Intervals are over queries drawn by patient; what they are sought among stays.
///
/// - Source: Zhang et al. 2020, arXiv 2010.00747, §4; Huang et al. 2021 (GLoRIA), §4.3.
public enum BlockRetrieval {
  /// The `k` of recall and precision.
  static let depths = [1, 5, 10]
  /// By how much a wrong candidate's score is raised.
  static let tieWidth: Float = 0x1p-20

  /// Recalls and precisions at 1, 5, 10, both directions, with what a random order would give.
  ///
  /// - Shapes: `images`, `texts` `[n, width]`, rows of unit length.
  /// - Parameters:
  ///   - groups: one number a pair; pairs of one number match each other.
  ///   - labels: classes of each pair, ascending; where all pairs have the same there is no precision.
  ///   - clusters: the patient of each pair.
  public static func metrics(
    images: [Float], texts: [Float], width: Int, groups: [Int], labels: [[Int]], clusters: [Int],
    bootstrap: Bootstrap?
  ) -> [MetricValue] {
    metrics(
      images: images, texts: texts, width: width, groups: groups, labels: labels, clusters: clusters,
      bootstrap: bootstrap, blockRows: min(1024, max(64, (1 << 24) / max(1, groups.count))))
  }

  /// The same with a number of queries a block.
  package static func metrics(
    images: [Float], texts: [Float], width: Int, groups: [Int], labels: [[Int]], clusters: [Int],
    bootstrap: Bootstrap?, blockRows: Int
  ) -> [MetricValue] {
    let count = groups.count
    precondition(
      images.count == count * width && texts.count == images.count && labels.count == count
        && clusters.count == count,
      "retrieval: \(images.count) and \(texts.count) numbers, \(labels.count) labels, \(clusters.count) patients "
        + "for \(count) pairs of width \(width)")
    let candidates = RetrievalCandidates(groups: groups, labels: labels)
    var list = MeasurementList()
    for (direction, queries, targets) in [("image_to_text", images, texts), ("text_to_image", texts, images)]
    {
      let found = search(queries, targets, width: width, candidates, blockRows: blockRows)
      let title = direction == "image_to_text" ? "text by image" : "image by text"
      for (place, depth) in depths.enumerated() {
        _ = list.add(
          mean(
            found.map { $0.hits[place] }, name: "\(direction)_recall_at_\(depth)",
            title: "Recall@\(depth), \(title)", chance: candidates.recallChance(depth), reason: "no pairs"))
      }
      for (place, depth) in depths.enumerated() {
        let reason = candidates.precisionReason(depth)
        _ = list.add(
          mean(
            reason == nil ? found.map { $0.precisions[place] } : [],
            name: "\(direction)_precision_at_\(depth)", title: "Precision@\(depth), \(title)",
            chance: reason == nil ? candidates.precisionChance : nil, reason: reason ?? "no pairs",
            note: tieNote(found.count { $0.losesByTies[place] }, of: found.count)))
      }
    }
    return list.take(clusters: clusters, bootstrap: bootstrap)
  }

  /// The mean of a number of each query.
  private static func mean(
    _ values: [Double], name: String, title: String, chance: Double?, reason: String, note: String? = nil
  ) -> Measurement {
    let item = Measurement.Item(name: name, title: title, chance: chance, reason: reason, note: note)
    return Measurement(items: [item]) { weights in
      if values.isEmpty { return [nil] }
      guard let weights else { return [values.reduce(0, +) / Double(values.count)] }
      var (sum, total) = (0.0, 0.0)
      for (value, weight) in zip(values, weights) {
        sum += value * weight
        total += weight
      }
      return [total > 0 ? sum / total : nil]
    }
  }

  /// That ties count, where they cost more than half of the queries something; else nil.
  private static func tieNote(_ tied: Int, of count: Int) -> String? {
    2 * tied > count ? "equal scores count against it: \(tied) of \(count) queries have ties at the cut" : nil
  }

  /// What each query found, block after block.
  private static func search(
    _ queries: [Float], _ targets: [Float], width: Int, _ candidates: RetrievalCandidates, blockRows: Int
  ) -> [RetrievalCandidates.Found] {
    let count = candidates.count
    if count == 0 { return [] }
    let targets = Tensor([count, width], targets)
    return stride(from: 0, to: count, by: max(1, blockRows)).flatMap { start in
      let rows = min(max(1, blockRows), count - start)
      let block = Tensor([rows, width], Array(queries[start * width..<(start + rows) * width]))
      let scores = matmul(block, targets, transposingB: true)
      return scores.read { pointer -> [RetrievalCandidates.Found] in
        nonisolated(unsafe) let pointer = pointer  // read only, and the block outlives the loop
        return Bootstrap.collect(rows) { row in
          candidates.found(start + row, UnsafeBufferPointer(start: pointer + row * count, count: count))
        }
      }
    }
  }
}
