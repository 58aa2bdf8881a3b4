import CleftMetrics
import CleftTensor
import Testing

@Suite struct BlockRetrievalTests {
  /// Unit vectors along axes.
  private func axes(_ places: [Int], width: Int) -> [Float] {
    places.flatMap { place in (0..<width).map { $0 == place ? 1 : 0 } }
  }

  private func metrics(
    _ images: [Float], _ texts: [Float], width: Int, groups: [Int]? = nil, labels: [[Int]]? = nil
  ) -> [String: MetricValue] {
    let count = images.count / width
    let values = BlockRetrieval.metrics(
      images: images, texts: texts, width: width, groups: groups ?? Array(0..<count),
      labels: labels ?? (0..<count).map { [$0 % 2] }, clusters: Array(0..<count), bootstrap: nil)
    return Dictionary(uniqueKeysWithValues: values.map { ($0.name, $0) })
  }

  @Test func pairsAlongTheirOwnAxesAreFound() {
    let rows = axes([0, 1, 2], width: 3)
    let found = metrics(rows, rows, width: 3)
    #expect(found.count == 12)
    for direction in ["image_to_text", "text_to_image"] {
      let first = found["\(direction)_recall_at_1"]
      #expect(first?.value == 1 && abs((first?.chance ?? 0) - 1 / 3) < 1e-12)
      #expect(found["\(direction)_recall_at_5"]?.chance == 1)
      let precision = found["\(direction)_precision_at_5"]
      #expect(precision?.value == nil && precision?.note == "only 3 pairs to retrieve from")
      #expect(found["\(direction)_precision_at_1"]?.value == 1)
    }
  }

  @Test func equalEmbeddingsAreNoSuccess() {
    let rows = axes([Int](repeating: 0, count: 12), width: 2)
    let found = metrics(rows, rows, width: 2)
    for depth in [1, 5, 10] {
      let value = found["image_to_text_recall_at_\(depth)"]
      #expect(value?.value == 0)
      #expect(abs((value?.chance ?? 0) - Double(depth) / 12) < 1e-12)
      #expect(found["text_to_image_recall_at_\(depth)"]?.value == 0)
    }
    // Six others come before the first right one.
    #expect(found["image_to_text_precision_at_5"]?.value == 0)
    #expect(abs((found["image_to_text_precision_at_10"]?.value ?? 0) - 0.4) < 1e-12)
  }

  @Test func picturesAlikeWithCaptionsApartFindOneInEachDirectionAtMost() {
    let found = metrics(axes([0, 0, 0, 0], width: 4), axes([0, 1, 2, 3], width: 4), width: 4)
    #expect(found["image_to_text_recall_at_1"]?.value == 0.25)
    #expect(found["text_to_image_recall_at_1"]?.value == 0)
  }

  @Test func pairsOfAGroupMatchEachOther() {
    let (images, texts) = (axes([0, 1, 2], width: 3), axes([1, 0, 2], width: 3))
    let apart = metrics(images, texts, width: 3)
    #expect(abs((apart["image_to_text_recall_at_1"]?.value ?? 0) - 1 / 3) < 1e-12)
    let together = metrics(images, texts, width: 3, groups: [5, 5, 8])
    #expect(together["image_to_text_recall_at_1"]?.value == 1)
    #expect(together["text_to_image_recall_at_1"]?.value == 1)
  }

  @Test func chanceIsThatOfARandomOrder() {
    // Two of four match each of the first two queries, one the others; five hold everything.
    let rows = axes([0, 1, 2, 3], width: 4)
    let found = metrics(rows, rows, width: 4, groups: [0, 0, 1, 2], labels: [[0], [0], [0], [1, 2]])
    #expect(found["image_to_text_recall_at_1"]?.chance == 0.375)
    #expect(found["image_to_text_recall_at_5"]?.chance == 1)
    // (3 · 3 + 1 · 1) / 16
    #expect(found["image_to_text_precision_at_1"]?.chance == 0.625)
  }

  @Test func precisionCountsTheQuerysLabels() {
    let rows = axes((0..<12).map { $0 % 2 }, width: 2)
    let found = metrics(rows, rows, width: 2)
    #expect(found["text_to_image_precision_at_1"]?.value == 1)
    #expect(found["text_to_image_precision_at_5"]?.value == 1)
    // There are six of each kind.
    #expect(abs((found["text_to_image_precision_at_10"]?.value ?? 0) - 0.6) < 1e-12)
    #expect(found["text_to_image_precision_at_10"]?.chance == 0.5)
    // Five others have the own pair's score.
    #expect(found["text_to_image_recall_at_5"]?.value == 0 && found["text_to_image_recall_at_10"]?.value == 1)
    let alike = metrics(rows, rows, width: 2, labels: [[Int]](repeating: [], count: 12))
    #expect(alike["text_to_image_precision_at_1"]?.value == nil)
    #expect(alike["text_to_image_precision_at_1"]?.note == "all pairs have the same labels")
  }

  @Test func precisionSaysWhereTiesCountAgainstIt() {
    let rows = axes([Int](repeating: 0, count: 12), width: 2)
    let found = metrics(rows, rows, width: 2)
    let note = "equal scores count against it: 12 of 12 queries have ties at the cut"
    #expect(found["image_to_text_precision_at_5"]?.note == note)
    #expect(found["image_to_text_recall_at_5"]?.note == nil)
    // Equal scores of equal labels cost nothing.
    let apart = axes((0..<12).map { $0 % 2 }, width: 2)
    #expect(metrics(apart, apart, width: 2)["image_to_text_precision_at_5"]?.note == nil)
    // The first six of twelve have wrong neighbors: half is not many.
    let half = axes((0..<12).map { $0 < 6 ? 0 : 1 }, width: 2)
    let labels = (0..<12).map { [$0 < 6 ? $0 % 2 : 2] }
    #expect(metrics(half, half, width: 2, labels: labels)["image_to_text_precision_at_1"]?.note == nil)
  }

  @Test func whatIsNoNumberFindsNothing() {
    var images = axes([0, 1, 2], width: 3)
    images[4] = .nan
    let found = metrics(images, axes([0, 1, 2], width: 3), width: 3)
    #expect(abs((found["image_to_text_recall_at_1"]?.value ?? 0) - 2 / 3) < 1e-12)
    #expect(abs((found["text_to_image_recall_at_1"]?.value ?? 0) - 2 / 3) < 1e-12)
  }

  @Test func noPairsAreUndefined() {
    let found = metrics([], [], width: 4)
    #expect(found.count == 12 && found.values.allSatisfy { $0.value == nil && $0.note == "no pairs" })
  }

  /// Random unit rows; pictures lean towards their captions.
  private func randomPairs(_ count: Int, width: Int) -> (images: [Float], texts: [Float]) {
    let key = RandomKey(seed: 21)
    let (own, noise) = (
      normals(key.split("texts"), count * width), normals(key.split("noise"), count * width)
    )
    func unit(_ row: Int, _ values: [Double]) -> [Float] {
      let row = values[row * width..<(row + 1) * width]
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { Float($0 / length) }
    }
    let mixed = zip(own, noise).map { 0.6 * $0 + $1 }
    return ((0..<count).flatMap { unit($0, mixed) }, (0..<count).flatMap { unit($0, own) })
  }

  @Test func blocksGiveWhatTheWholeGives() {
    let (count, width) = (61, 9)
    let (images, texts) = randomPairs(count, width: width)
    let groups = (0..<count).map { $0 % 40 }
    let labels = (0..<count).map { $0 % 5 == 0 ? [] : [$0 % 3] }
    func run(_ rows: Int) -> [MetricValue] {
      BlockRetrieval.metrics(
        images: images, texts: texts, width: width, groups: groups, labels: labels,
        clusters: (0..<count).map { $0 / 2 }, bootstrap: Bootstrap(draws: 50, key: RandomKey(seed: 1)),
        blockRows: rows)
    }
    let whole = run(count)
    for rows in [1, 7, 60, 500] { #expect(run(rows) == whole) }
    for value in whole {
      let (number, interval) = (value.value ?? -1, value.interval ?? Interval(2, 2))
      #expect(number > 0 && number < 1 && interval.lower <= number && number <= interval.upper)
    }
    #expect(whole[0].value == recall(images, texts, width: width, groups: groups, depth: 1))
    #expect(whole[1].value == recall(images, texts, width: width, groups: groups, depth: 5))
    #expect(whole[6].value == recall(texts, images, width: width, groups: groups, depth: 1))
  }

  /// Recall by sorting every query's scores.
  private func recall(_ queries: [Float], _ targets: [Float], width: Int, groups: [Int], depth: Int) -> Double
  {
    let hits = groups.indices.count { query in
      let scores = groups.indices.map { target in
        (0..<width).reduce(0.0) { sum, place in
          sum + Double(queries[query * width + place]) * Double(targets[target * width + place])
        }
      }
      let order = scores.indices.sorted { scores[$0] > scores[$1] }
      return order.prefix(depth).contains { groups[$0] == groups[query] }
    }
    return Double(hits) / Double(groups.count)
  }
}
