import CleftTraining
import Testing

/// The line and the numbers of a step.
@Suite struct StepFiguresTests {
  private var figures: StepFigures {
    var figures = StepFigures(
      step: 12_000, of: 40_000, epoch: 3, metrics: ["loss": 2.10341, "loss_c": 2.10341, "acc1": 12.5],
      optimizer: "AdamW", learningRates: [1.2e-5])
    figures.imagesPerSecond = 38.21
    figures.tokensPerSecond = 1234
    figures.stepSeconds = 1.9
    figures.productFraction = 0.779
    figures.attentionFraction = 0.08
    figures.waitFraction = 0.012
    figures.residentBytes = 6 << 30
    figures.tensorBlocks = 812
    figures.secondsLeft = 7500
    return figures
  }

  @Test func theLineFitsAHundredColumns() {
    let line = figures.line()
    #expect(
      line == "step 12000/40000  loss 2.103  lr 1.2e-5  38.2 img/s 1.2k tok/s  gemm 78% wait 1% 6.0 GiB  "
        + "2h05m left")
    #expect(line.count <= 100)
  }

  /// What matters least has no room first; what a run is about always has.
  @Test func aNarrowTerminalGetsTheMost() {
    #expect(
      figures.line(columns: 95)
        == "step 12000/40000  loss 2.103  lr 1.2e-5  38.2 img/s 1.2k tok/s  gemm 78% wait 1%  2h05m left")
    #expect(
      figures.line(columns: 80) == "step 12000/40000  loss 2.103  lr 1.2e-5  38.2 img/s  wait 1%  2h05m left")
    #expect(figures.line(columns: 62) == "step 12000/40000  loss 2.103  38.2 img/s  2h05m left")
    #expect(figures.line(columns: 1) == "step 12000/40000  loss 2.103")
    for columns in 30...120 { #expect(figures.line(columns: columns).count <= columns) }
  }

  @Test func whatIsNotKnownIsLeftOut() {
    var bare = StepFigures(
      step: 1, of: 2, epoch: 0, metrics: ["loss": .nan], optimizer: "SGD", learningRates: [])
    #expect(bare.line() == "step 1/2  loss nan")
    bare.tokensPerSecond = 0
    bare.waitFraction = 0.5
    #expect(bare.line() == "step 1/2  loss nan  wait 50%")
  }

  @Test func numbersHaveThePublishedNames() {
    var figures = figures
    let one = figures.scalars
    #expect(one["train_loss"] == 2.10341 && one["train_loss_c"] == 2.10341 && one["train_acc1"] == 12.5)
    #expect(one["epoch"] == 3 && one["lr-AdamW"] == 1.2e-5 && one["resident_mib"] == 6144)
    #expect(one["gemm_fraction"] == 0.779 && one["tokens_per_s"] == 1234)
    #expect(one.count == 13)
    figures.learningRates = [1e-5, 2e-5, 3e-5]
    let three = figures.scalars
    #expect(three["lr-AdamW/pg1"] == 1e-5 && three["lr-AdamW/pg3"] == 3e-5)
    #expect(three["lr-AdamW"] == nil && three["lr-AdamW/pg4"] == nil)
    let bare = StepFigures(
      step: 1, of: 2, epoch: 0, metrics: ["loss": 1], optimizer: "SGD", learningRates: [1])
    #expect(bare.scalars == ["train_loss": 1, "epoch": 0, "lr-SGD": 1])
  }

  @Test(arguments: [
    ("train_loss", "train/loss"), ("train_loss_c", "train/loss_c"), ("val_acc1", "val/acc1"),
    ("test_auc", "test/auc"), ("lr-AdamW", "lr/AdamW"), ("lr-AdamW/pg1", "lr/AdamW/pg1"), ("epoch", "epoch"),
    ("images_per_s", "system/images_per_s"), ("gemm_fraction", "system/gemm_fraction"),
    ("training_hours", "training_hours"), ("val", "val"), ("grad_norm", "train/grad_norm"),
  ])
  func tagsAreGrouped(_ name: String, _ tag: String) {
    #expect(TensorBoardTag.scalar(name) == tag)
  }

  @Test func everySystemNumberIsInItsGroup() {
    let system = figures.scalars.keys.map(TensorBoardTag.scalar).filter { $0.hasPrefix("system/") }
    #expect(system.count == 8)
    #expect(TensorBoardTag.grouped("a.b", "parameters") == "parameters/a.b")
    #expect(TensorBoardTag.grouped("gradients/a.b", "parameters") == "gradients/a.b")
  }

  @Test func figuresAreShort() {
    #expect(
      [0, 59.2, 61, 3599, 3600, 7500, 86_399, 86_400, 300_000].map { Figure.duration($0) } == [
        "0s", "1m00s", "1m01s", "59m59s", "1h00m", "2h05m", "23h59m", "1d00h", "3d11h",
      ])
    #expect([Figure.duration(.infinity), Figure.duration(.nan), Figure.duration(-3)] == ["?", "?", "0s"])
    #expect(
      [0.0, 4.126, 9.996, 38.21, 99.96, 999.4, 999.6, 1234, 9960, 35_400, 2.5e6].map { Figure.compact($0) }
        == [
          "0.00", "4.13", "10.0", "38.2", "100", "999", "1.0k", "1.2k", "10k", "35k", "2.5M",
        ])
    #expect(
      Figure.digits(0.0123456) == "0.01235" && Figure.digits(2) == "2.000" && Figure.digits(.nan) == "nan")
    #expect(Figure.digits(1234.4) == "1234" && Figure.digits(123.44) == "123.4")
    #expect(
      [1.2e-5, 1e-12, 0.5, 30].map { Figure.scientific($0) } == ["1.2e-5", "1.0e-12", "5.0e-1", "3.0e1"])
  }
}
