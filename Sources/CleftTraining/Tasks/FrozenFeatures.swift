import CleftData
import CleftModels
import CleftNN
import CleftTensor

/// Features of towers that make the same of a sample every time: made once, kept, and taken instead of running the tower.
///
/// Only what stands in front of the heads is kept; heads may be trained. Kept features are constants.
public final class FrozenFeatures {
  /// What is kept, and what is not for lack of memory, one line each.
  public private(set) var notices: [String] = []
  /// By the split that asks.
  package private(set) var captions: [Split: FrozenCaptions] = [:]
  package private(set) var pictures: FrozenPictures?

  /// Whether features of validation samples are kept.
  private var keepsForValidation = false
  private let keeping: FeatureKeeping
  private var bytesLeft: Int

  init(_ keeping: FeatureKeeping) {
    self.keeping = keeping
    bytesLeft = keeping.limitBytes
  }

  /// What training steps take from here: `captions`, `pictures`, both or `none`.
  public var keptForTraining: String {
    let kept = [captions[.train].map { _ in "captions" }, pictures?.isForTraining == true ? "pictures" : nil]
    let names = kept.compactMap { $0 }
    return names.isEmpty ? "none" : names.joined(separator: " and ")
  }

  /// The same, and `validation` where the passes of validation take anything: what `state.json` says.
  public var kept: String {
    let names = [keptForTraining].filter { $0 != "none" } + (keepsForValidation ? ["validation"] : [])
    return names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  // MARK: - Captions

  /// Keeps features of captions as far as the tower and the run allow.
  ///
  /// - Parameters:
  ///   - tokens: those of each sample's caption.
  ///   - encode: captions → features `[N, C]`, as in evaluation.
  func keepCaptions(
    _ tokens: [Split: [[Int]]], _ tower: FrozenTower, encode: @escaping ([[Int]]) -> Tensor
  ) {
    guard keeping.limitBytes > 0, tower.isConstantInEvaluation else { return }
    let (training, validation) = (tokens[.train] ?? [], tokens[.valid] ?? [])
    if tower.isConstantInTraining {
      let all = FrozenCaptions([(.train, training), (.valid, validation)], encode: encode)
      let pays = keeping.drawCount > Double(Set(training).count)
      if pays, let size = takes(all.captions.count, tower.width, "text", "different captions") {
        captions = [.train: all, .valid: all]
        keepsForValidation = !validation.isEmpty
        notices.append(
          "the text tower is frozen: each of \(all.captions.count) different captions is encoded once and kept "
            + "(\(size)).")
        return
      }
    }
    let own = FrozenCaptions([(.valid, validation)], encode: encode)
    guard !validation.isEmpty,
      let size = takes(own.captions.count, tower.width, "text", "validation captions")
    else { return }
    (captions, keepsForValidation) = ([.valid: own], true)
    let others =
      tower.isConstantInTraining
      ? "" : "; those of training each time, for their dropout (--quirk frozen_dropout=off goes without)"
    notices.append(
      "the text tower is frozen: each of \(own.captions.count) different validation captions is encoded once "
        + "and kept (\(size))\(others).")
  }

  // MARK: - Pictures

  /// Keeps features of pictures as far as the tower and the run allow.
  ///
  /// - Parameters:
  ///   - training: number of training samples.
  ///   - validation: number of validation samples.
  func keepPictures(training: Int, validation: Int, _ image: ImageEncoder, _ tower: FrozenTower) {
    guard keeping.limitBytes > 0, tower.isConstantInEvaluation else { return }
    var counts: [Split: Int] = [:]
    let comeUpAgain = tower.isConstantInTraining && keeping.drawCount > Double(training)
    if comeUpAgain, !keeping.augments,
      let size = takes(training, tower.width, "image", "training pictures")
    {
      counts[.train] = training
      notices.append(
        "the image tower is frozen, and pictures are not augmented: each of \(training) training pictures is "
          + "encoded once, before the steps, and kept (\(size)).")
    }
    if validation > 0, let size = takes(validation, tower.width, "image", "validation pictures") {
      counts[.valid] = validation
      keepsForValidation = true
      let others =
        comeUpAgain && keeping.augments
        ? "; those of training each time, augmented (--no_augmentation goes without)" : ""
      notices.append(
        "the image tower is frozen: each of \(validation) validation pictures is encoded once and kept "
          + "(\(size))\(others).")
    }
    if counts.isEmpty { return }
    pictures = FrozenPictures(counts: counts) { image.feature($0, .evaluation) }
  }

  /// Takes the room of so many features, or says that there is none.
  ///
  /// - Returns: their size as text; nil if they have no room.
  private func takes(_ count: Int, _ width: Int, _ tower: String, _ what: String) -> String? {
    let bytes = count * width * MemoryLayout<Float>.stride
    if bytes <= bytesLeft {
      bytesLeft -= bytes
      return Self.size(bytes)
    }
    let (wanted, limit) = (Self.size(bytes), Self.size(keeping.limitBytes))
    notices.append(
      "the \(tower) tower is frozen, but features of \(count) \(what) take \(wanted) where \(limit), a quarter of the "
        + "memory, may be kept: they are encoded each time.")
    return nil
  }

  private static func size(_ bytes: Int) -> String {
    if bytes < 1 << 20 { return "\((bytes + 1023) >> 10) KiB" }
    return bytes < 1 << 30 ? Checkpoint.mebibytes(bytes) : Figure.gibibytes(bytes)
  }
}

extension TrainingTask {
  /// What the image tower makes of some samples `[B, C]`: what is kept of it, or what `compute` makes.
  func imageFeatures(
    _ split: Split, _ indices: [Int], _ context: ForwardContext, compute: () -> Tensor
  ) -> Tensor {
    // Who looks inside wants the tower to run.
    guard context.taps == nil, let kept = frozen?.pictures else { return compute() }
    return kept.features(split, indices, isTraining: context.isTraining, compute)
  }
}
