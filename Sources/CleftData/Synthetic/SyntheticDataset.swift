import CleftFormats
import CleftImaging
import CleftTensor
import Foundation

/// Writes a synthetic chest set in the published CheXpert and RSNA layouts.
///
/// Equal settings give equal files.
public struct SyntheticDataset: Sendable {
  /// Folder to write to.
  public var folder: String
  /// Training patients; the validation set has a tenth as many.
  public var trainPatients: Int
  /// Test pictures of each of the five classes.
  public var testPerClass: Int
  /// RSNA test pictures of each class; as many again for its training table.
  public var rsnaPerClass: Int
  /// 0 plain … 1 subtle findings.
  public var difficulty: Double
  /// Seed of everything drawn.
  public var seed: UInt64
  /// Smallest and largest side in pixels.
  public var sizePixels: ClosedRange<Double>

  /// Makes settings.
  public init(
    folder: String, trainPatients: Int, testPerClass: Int, rsnaPerClass: Int, difficulty: Double,
    seed: UInt64,
    sizePixels: ClosedRange<Double> = 288...384
  ) {
    self.folder = folder
    self.trainPatients = trainPatients
    self.testPerClass = testPerClass
    self.rsnaPerClass = rsnaPerClass
    self.difficulty = difficulty
    self.seed = seed
    self.sizePixels = sizePixels
  }

  /// What one picture is to show and where it goes.
  private struct Order: Sendable {
    var patient: Int
    var study: Int
    var findings: [Finding]
    var path: String
  }

  /// CheXpert's own order of finding columns.
  private static let tableOrder: [Finding] = [
    .noFinding, .enlargedCardiomediastinum, .cardiomegaly, .lungOpacity, .lungLesion, .edema, .consolidation,
    .pneumonia, .atelectasis, .pneumothorax, .pleuralEffusion, .pleuralOther, .fracture, .supportDevices,
  ]

  private var key: RandomKey { RandomKey(seed: seed).split("synthetic chest") }

  /// Writes everything and returns the number of pictures.
  public func write(progress: @Sendable (_ done: Int, _ of: Int) -> Void = { _, _ in }) throws -> Int {
    let root = "\(folder)/\(CheXpert.folder)"
    let images = "\(root)/\(CheXpert.imageFolder)"
    let rsna = "\(folder)/\(RSNA.folder)"
    try FileSystem.makeFolder(images)
    try FileSystem.makeFolder("\(rsna)/\(RSNA.imageFolder)")
    let validPatients = max(1, trainPatients / 10)
    let train = orders(patients: 1..<trainPatients + 1)
    let valid = orders(patients: trainPatients + 1..<trainPatients + validPatients + 1)
    let firstTest = trainPatients + validPatients + 1
    let test = Finding.five.enumerated().flatMap { index, finding in
      (0..<testPerClass).map { number in
        order(patient: firstTest + index * testPerClass + number, study: 1, findings: [finding])
      }
    }
    let firstRSNA = firstTest + 5 * testPerClass
    let rsnaOrders = rsnaOrders(first: firstRSNA)
    let total = train.count + valid.count + test.count + rsnaOrders.count
    var boxes: [[String]] = []
    var done = 0
    func table(_ orders: [Order], _ names: [String], isExclusive: Bool) throws {
      let rendered = try render(orders, images, done: &done, total: total, progress: progress)
      let rows = zip(orders, rendered).map { order, picture in row(order, picture, isExclusive: isExclusive) }
      for (order, picture) in zip(orders, rendered) {
        boxes += picture.boxes.map { box in
          [
            order.path, box.finding.rawValue, "\(box.columns.lowerBound)", "\(box.rows.lowerBound)",
            "\(box.columns.upperBound)", "\(box.rows.upperBound)",
          ]
        }
      }
      let columns = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"] + Self.tableOrder.map(\.rawValue)
      for name in names {
        try FileSystem.write(Data(csvText(columns: columns, rows: rows).utf8), to: "\(root)/\(name)")
      }
    }
    try table(train, [false, true].map { CheXpert.table(.train, usesFiveClasses: $0) }, isExclusive: false)
    try table(valid, [false, true].map { CheXpert.table(.valid, usesFiveClasses: $0) }, isExclusive: false)
    try table(test, [CheXpert.table(.test, usesFiveClasses: true)], isExclusive: true)
    try FileSystem.write(
      Data(csvText(columns: ["Path", "Finding", "x0", "y0", "x1", "y1"], rows: boxes).utf8),
      to: "\(root)/synthetic_boxes.csv")
    try writeRSNA(rsnaOrders, rsna, done: &done, total: total, progress: progress)
    return total
  }

  /// Pictures of each finding side by side, as evaluation sees them: one column a finding, `rows` patients each.
  public func contactSheet(rows: Int, side: Int = 160) -> GrayImage {
    let (findings, columns) = (Finding.allCases, 7)
    let pipeline = ImagePipeline(sizePixels: side)
    let tiles = stride(from: 0, to: findings.count, by: columns).flatMap { first in
      (0..<rows).flatMap { row in
        (first..<first + columns).map { index in
          let picture = PhantomRenderer.render(
            patient: key.split("sheet", index, row), study: key.split("sheet study", index, row),
            findings: [findings[index]], difficulty: difficulty, sizePixels: sizePixels)
          return pipeline.evaluation(picture.image)
        }
      }
    }
    return GrayImage.contactSheet(tiles, columns: columns)
  }

  // MARK: - What to draw

  private func orders(patients: Range<Int>) -> [Order] {
    patients.flatMap { patient in
      (1...(key.split("studies", patient).uniform(at: 0) < 0.15 ? 2 : 1)).map { study in
        order(patient: patient, study: study, findings: drawFindings(key.split("findings", patient, study)))
      }
    }
  }

  private func order(patient: Int, study: Int, findings: [Finding]) -> Order {
    let number = String(patient)
    let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
    return Order(
      patient: patient, study: study, findings: findings,
      path: "CheXpert-v1.0/train/patient\(padded)/study\(study)/view1_frontal.jpg")
  }

  /// Findings of one study: none, one, or several that go together.
  private func drawFindings(_ key: RandomKey) -> [Finding] {
    var draw = key.generator
    let kind = draw.uniform()
    if kind < 0.16 { return draw.chance(0.2) ? [.supportDevices, .noFinding] : [.noFinding] }
    let common: [(Finding, Double)] = [
      (.atelectasis, 0.15), (.edema, 0.14), (.cardiomegaly, 0.15), (.pleuralEffusion, 0.15),
      (.consolidation, 0.12),
      (.pneumonia, 0.11), (.pneumothorax, 0.06), (.lungLesion, 0.03), (.lungOpacity, 0.04),
      (.enlargedCardiomediastinum, 0.02), (.pleuralOther, 0.015), (.fracture, 0.015),
    ]
    func pick() -> Finding {
      var share = draw.uniform()
      for (finding, weight) in common {
        share -= weight
        if share < 0 { return finding }
      }
      return .atelectasis
    }
    var findings: Set<Finding> = [pick()]
    if kind > 0.62 { findings.insert(pick()) }
    if kind > 0.90 { findings.insert(pick()) }
    if findings.contains(.edema), draw.chance(0.2) { findings.insert(.cardiomegaly) }
    if findings.contains(.pneumonia), draw.chance(0.2) { findings.insert(.lungOpacity) }
    if draw.chance(0.15) { findings.insert(.supportDevices) }
    return Finding.allCases.filter(findings.contains)
  }

  private func rsnaOrders(first: Int) -> [Order] {
    (0..<4 * rsnaPerClass).map { index in
      let isPositive = index % 2 == 1
      var draw = key.split("rsna", index).generator
      let others: [Finding] = draw.chance(0.1) ? [.supportDevices] : []
      let name = Checksum.of("rsna \(seed) \(index)") + Checksum.of("patient \(seed) \(index)")
      return Order(
        patient: first + index, study: 1, findings: (isPositive ? [.pneumonia] : []) + others, path: name)
    }
  }

  // MARK: - Drawing and writing

  private func picture(_ order: Order) -> PhantomImage {
    PhantomRenderer.render(
      patient: key.split("patient", order.patient), study: key.split("study", order.patient, order.study),
      findings: order.findings, difficulty: difficulty, sizePixels: sizePixels)
  }

  private func render(
    _ orders: [Order], _ images: String, done: inout Int, total: Int, progress: @Sendable (Int, Int) -> Void
  ) throws -> [PhantomImage] {
    var result: [PhantomImage] = []
    for start in stride(from: 0, to: orders.count, by: 256) {
      let chunk = Array(orders[start..<min(start + 256, orders.count)])
      let pictures = try Runtime.map(chunk.count) { index -> PhantomImage in
        let picture = picture(chunk[index])
        let path = "\(images)/" + chunk[index].path.split(separator: "/").dropFirst().joined(separator: "/")
        try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
        try FileSystem.write(ImageEncoder.jpeg(picture.image, quality: 90), to: path, isDurable: false)
        return picture
      }
      result += pictures.map {
        PhantomImage(
          image: GrayImage(width: 1, height: 1), sex: $0.sex, age: $0.age, view: $0.view, boxes: $0.boxes)
      }
      done += chunk.count
      progress(done, total)
    }
    return result
  }

  /// A line of the table: 1 for what is there, otherwise mostly blank, sometimes 0 or -1 as report labelers write.
  private func row(_ order: Order, _ picture: PhantomImage, isExclusive: Bool) -> [String] {
    var draw = key.split("labels", order.patient, order.study).generator
    let cells = Self.tableOrder.map { finding -> String in
      if order.findings.contains(finding) { return "1.0" }
      let share = draw.uniform()
      if isExclusive { return "0.0" }
      if finding == .noFinding { return "" }
      return share < 0.15 ? "0.0" : (share < 0.18 ? "-1.0" : "")
    }
    return [order.path, picture.sex == "F" ? "Female" : "Male", "\(picture.age)", "Frontal", picture.view]
      + cells
  }

  private func writeRSNA(
    _ orders: [Order], _ folder: String, done: inout Int, total: Int, progress: @Sendable (Int, Int) -> Void
  ) throws {
    _ = try Runtime.map(orders.count) { index in
      let order = orders[index]
      let picture = picture(order)
      let bits = index % 3 == 0 ? 12 : 8
      let isInverted = index % 5 == 0
      let values = picture.image.pixels.map { level -> UInt16 in
        let shown = isInverted ? 255 - level : level
        return bits == 12 ? UInt16(shown) * 16 + 7 : UInt16(shown)
      }
      let uid = "1.2.826.0.1.3680043.8.498.\(seed).\(index)"
      try ImageEncoder.writeDicom(
        values, width: picture.image.width, height: picture.image.height,
        ImageEncoder.DicomFields(
          patientID: order.path, instanceUID: uid + ".3", studyUID: uid + ".1", seriesUID: uid + ".2",
          sex: picture.sex,
          age: (picture.age < 100 ? "0" : "") + "\(picture.age)Y", view: picture.view,
          isMonochrome1: isInverted,
          bitsStored: bits), to: "\(folder)/\(RSNA.imageFolder)/\(order.path).dcm")
    }
    done += orders.count
    progress(done, total)
    for (split, range) in [(Split.train, 0..<2 * rsnaPerClass), (.test, 2 * rsnaPerClass..<4 * rsnaPerClass)]
    {
      let rows = range.map { [orders[$0].path, orders[$0].findings.contains(.pneumonia) ? "1" : "0"] }
      try FileSystem.write(
        Data(csvText(columns: ["patientId", "Target"], rows: rows).utf8), to: "\(folder)/\(RSNA.table(split))"
      )
    }
  }
}
