import CleftData
import CleftFormats
import CleftImaging
import Foundation
import Glibc
import Testing

@Suite struct VerificationTests {
  private let folder: PictureFolder

  init() throws { folder = try PictureFolder() }

  private var memo: String { "\(folder.path)/memo/checks.csv" }

  private func store(memoryBytes: Int = 1 << 20, prepared: PreparedPictures? = nil) -> PictureStore {
    PictureStore(pipeline: ImagePipeline(sizePixels: 56), memoryBytes: memoryBytes, prepared: prepared)
  }

  private func check(
    _ paths: [String], _ policy: BadRowPolicy, store: PictureStore? = nil, memo: String? = nil,
    workerCount: Int = 2
  ) throws -> ImageTextDataset {
    try PictureVerification.run(
      folder.dataset(paths), store: store ?? self.store(), policy: policy, memo: memo,
      workerCount: workerCount, progress: { _, _ in })
  }

  /// Good pictures with a truncated, a constant and a missing one between them.
  private func mixed(withMissing: Bool = true) throws -> [String] {
    var paths = try folder.pictures(4)
    let whole = try ImageEncoder.jpeg(PictureFolder.image(50, width: 200, height: 200), quality: 90)
    paths.insert(try folder.write("cut.jpg", whole.prefix(whole.count / 2)), at: 1)
    let blank = GrayImage(width: 60, height: 20, level: 9)
    paths.insert(try folder.write("blank.png", ImageEncoder.png(blank)), at: 3)
    if withMissing { paths.insert("\(folder.data)/gone.png", at: 4) }
    return paths
  }

  @Test func goodPicturesPassAndStayInMemory() throws {
    let paths = try folder.pictures(5)
    let store = store()
    let dataset = try check(paths + paths, .stop, store: store)
    #expect(dataset.samples.count == 10)
    #expect(dataset.badRows.isEmpty && dataset.leftOut.isEmpty && dataset.notes.isEmpty)
    #expect(store.summary.decodings == 5)
    for sample in dataset.samples { _ = try store.evaluation(sample) }
    #expect(store.summary.decodings == 5)
  }

  @Test func missingFilesEndTheRunBeforeAnythingIsDecoded() throws {
    let store = store()
    let paths = try mixed()
    let error = #expect(throws: DataError.self) { try check(paths + [paths[4]], .stop, store: store) }
    #expect(error?.exitStatus == .missingInput)
    #expect(error?.problem.location == "table.csv:6: \(paths[4])")
    #expect(error?.problem.found == "no such file, and 1 other row")
    #expect(store.summary.decodings == 0)
  }

  @Test func theFirstBadRowIsNamed() throws {
    let paths = try mixed(withMissing: false)
    let error = #expect(throws: DataError.self) { try check(paths, .stop) }
    #expect(error?.exitStatus == .badData)
    #expect(error?.problem.location == "table.csv:3: \(paths[1])")
    #expect(error?.problem.found.hasSuffix(", and 1 other row") == true)
    #expect(error?.problem.hint.contains("--on_bad_row skip") == true)
  }

  @Test(arguments: [1, 3]) func badRowsAreLeftOutInTableOrder(workers: Int) throws {
    let paths = try mixed()
    let dataset = try check(paths + [paths[1]], .skip, workerCount: workers)
    #expect(dataset.samples.map(\.imagePath) == [paths[0], paths[2], paths[5], paths[6]])
    #expect(dataset.badRows.map(\.imagePath) == [paths[1], paths[3], paths[4], paths[1]])
    #expect(
      dataset.badRows.map(\.origin) == ["table.csv:3", "table.csv:5", "table.csv:6", "table.csv:9"])
    #expect(dataset.badRows[1].reason == "constant: every pixel is 9")
    #expect(dataset.badRows[2].reason == "no such file")
    #expect(
      dataset.leftOut == ["damaged picture": 2, "constant picture": 1, "missing picture": 1])
  }

  @Test func aConstantPictureThatIsUsedAllTheSameIsCounted() throws {
    let paths = try mixed(withMissing: false)
    let store = store()
    _ = try check(paths, .skip, store: store)
    #expect(store.summary.constant == 0)
    for _ in 0..<2 { _ = try store.evaluation(folder.samples(paths)[3]) }
    #expect(store.summary.constant == 1)
    #expect(store.summary.warnings.count == 1)
  }

  @Test func nothingLeftIsAnError() throws {
    let gone = ["\(folder.data)/a.png", "\(folder.data)/b.png"]
    let missing = #expect(throws: DataError.self) { try check(gone, .skip) }
    #expect(missing?.exitStatus == .missingInput)
    let broken = try folder.write("broken.png", Data([1, 2, 3]))
    let bad = #expect(throws: DataError.self) { try check(gone + [broken], .skip) }
    #expect(bad?.exitStatus == .badData)
    #expect(bad?.problem.found == "no usable row (left out: 1 unreadable picture, 2 missing picture)")
    #expect(throws: DataError.self) { try check([], .stop) }
  }

  @Test func theMemoSparesUnchangedPictures() throws {
    let paths = try mixed(withMissing: false)
    func decodings() throws -> Int {
      let store = store()
      #expect(try check(paths, .skip, store: store, memo: memo).badRows.count == 2)
      return store.summary.decodings
    }
    #expect(try decodings() == 5)
    // The unreadable one is tried again each time, but not decoded to an end.
    #expect(try decodings() == 0)
    try folder.write("p1.png", ImageEncoder.png(PictureFolder.image(77)))
    #expect(try decodings() == 1)
    #expect(try decodings() == 0)
  }

  @Test func aMemoIsKeptWhenTheRunStops() throws {
    let paths = try mixed(withMissing: false)
    #expect(throws: DataError.self) { try check(paths, .stop, memo: memo) }
    let store = store()
    #expect(throws: DataError.self) { try check(paths, .stop, store: store, memo: memo) }
    #expect(store.summary.decodings == 0)
  }

  @Test func aTornOrForeignMemoIsWrittenOver() throws {
    let paths = try folder.pictures(4)
    _ = try check(paths, .stop, memo: memo)
    let whole = try Data(contentsOf: URL(fileURLWithPath: memo))
    let others = [Data(), Data("hello".utf8), Data("a,b\n1,2\n".utf8), Data(repeating: 0, count: 999)]
    for bytes in [whole.prefix(whole.count - 10), whole.prefix(60)] + others {
      try bytes.write(to: URL(fileURLWithPath: memo))
      let store = store()
      #expect(try check(paths, .stop, store: store, memo: memo).samples.count == 4)
      #expect(store.summary.decodings > 0)
      #expect(try Data(contentsOf: URL(fileURLWithPath: memo)) == whole)
    }
  }

  @Test func aMemoThatCannotBeWrittenIsSaid() throws {
    let paths = try folder.pictures(1)
    let file = try folder.write("file", Data([1]))
    let dataset = try check(paths, .stop, memo: file + "/memo.csv")
    #expect(dataset.notes.count == 1)
  }

  @Test func preparedPicturesNeedNoDecoding() throws {
    let paths = try folder.pictures(4)
    let blank = GrayImage(width: 60, height: 20, level: 9)
    let all = paths + [try folder.write("blank.png", ImageEncoder.png(blank))]
    try folder.prepare(all)
    try folder.write("p1.png", ImageEncoder.png(PictureFolder.image(77)))
    let store = store(prepared: try PreparedPictures.open(folder.out, dataFolder: folder.data))
    let dataset = try check(all, .skip, store: store)
    #expect(dataset.badRows.map(\.reason) == ["constant: every pixel is 9"])
    #expect(store.summary.decodings == 1)
    #expect(dataset.notes.first?.contains("of 5 pictures 1 have changed") == true)
    let small = self.store(
      memoryBytes: 0, prepared: try PreparedPictures.open(folder.out, dataFolder: folder.data))
    _ = try check(Array(all[2...3]), .stop, store: small)
    #expect((small.summary.preparedReads, small.summary.decodings) == (0, 0))
    #expect(small.summary.warnings.isEmpty)
  }

  /// Paths that no file can be opened at are not all missing files.
  @Test func aPathThatCannotBeFollowedIsNotAMissingFile() throws {
    let paths = try folder.pictures(2) + ["\(folder.data)/loop.png"]
    try #require(symlink("loop.png", paths[2]) == 0)
    #expect(try check(paths, .skip).leftOut == ["unreadable picture": 1])
    #expect(throws: DataError.self) { try check(paths, .stop) }
    #expect(try folder.prepare(paths).problems.first?.reason.contains("cannot be opened") == true)
  }

  /// The system refuses to open files: no row may be lost by that, whatever the policy.
  @Test func aFailingSystemIsNoFaultOfARow() async {
    await #expect(processExitsWith: .success) {
      let folder = try PictureFolder()
      let paths = try folder.pictures(4)
      let store = PictureStore(pipeline: ImagePipeline(sizePixels: 56), memoryBytes: 0)
      var limit = rlimit(rlim_cur: 0, rlim_max: 0)
      try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      let usual = limit.rlim_cur
      func allowFiles(_ count: rlim_t) {
        limit.rlim_cur = count
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      }
      func status(_ body: () throws -> Void) -> CleftFormats.ExitStatus? {
        allowFiles(0)
        defer { allowFiles(usual) }
        do { try body() } catch { return (error as? any CleftError)?.exitStatus }
        return nil
      }
      for policy in BadRowPolicy.allCases {
        let found = status {
          _ = try PictureVerification.run(
            folder.dataset(paths), store: store, policy: policy, memo: nil, workerCount: 2,
            progress: { _, _ in })
        }
        #expect(found == .inputOutput)
      }
      #expect(status { _ = try store.evaluation(folder.samples(paths)[1]) } == .inputOutput)
      #expect(store.summary.decodings == 0)
    }
  }

  /// With so few files that its own can be opened and a picture cannot, preparing ends and blames no picture.
  @Test func preparingEndsWhenTheSystemFails() async {
    await #expect(processExitsWith: .success) {
      let folder = try PictureFolder()
      let paths = try folder.pictures(3)
      var limit = rlimit(rlim_cur: 0, rlim_max: 0)
      try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      let usual = limit.rlim_cur
      let lowest = open("/dev/null", O_RDONLY)
      close(lowest)
      var failures = 0
      for count in 0..<12 {
        limit.rlim_cur = rlim_t(lowest) + rlim_t(count)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let result = Result { try folder.prepare(paths, workerCount: 1) }
        limit.rlim_cur = usual
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        switch result {
        case .success(let report): #expect(report.problems.isEmpty)
        case .failure(let error):
          failures += 1
          #expect((error as? any CleftError)?.exitStatus == .inputOutput, "\(count): \(error)")
        }
      }
      #expect(failures > 0)
    }
  }

  @Test func progressCountsEveryPictureOnce() throws {
    let paths = try folder.pictures(6)
    var last = (0, 0)
    _ = try PictureVerification.run(
      folder.dataset(paths + paths), store: store(), policy: .stop, memo: nil, workerCount: 3
    ) { last = ($0, $1) }
    #expect(last == (6, 6))
  }
}
