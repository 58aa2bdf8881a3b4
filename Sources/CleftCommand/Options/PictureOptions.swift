import ArgumentParser
import CleftData

/// Where pictures are read from, and what happens when they cannot be.
struct PictureOptions: ParsableArguments {
  @Option(
    help: .value(
      "suffix",
      "Inserted before the extension of pictures that are not there without it, such as _resized. Default: none."
    ))
  var image_suffix: String?

  @Option(
    help: .value(
      "action",
      """
      Rows with an unreadable cell, or a missing, damaged or constant picture: stop before the start, or skip, count \
      and list them.
      """))
  var on_bad_row = BadRowPolicy.stop

  @Flag(
    help:
      """
      Start without looking at every picture first; a damaged one then ends the run when it comes up, where features are \
      kept also one that no step takes.
      """)
  var skip_picture_check = false

  @Option(
    help: .value(
      "folder",
      """
      Folder that 'cleft prepare' wrote. Default: prepared256 in the data folder, or beside a table of your own, if \
      it is there.
      """))
  var prepared: String?

  @Option(
    help: .value("threads", "Decoding threads, 0 decodes in the loop; no more than there are processors."))
  var num_workers = 16

  @Option(
    help: .value("MiB", "Memory for decoded pictures, 0 or more MiB, so that small sets are decoded once."))
  var image_cache = 256

  @Flag(help: "Train on pictures as evaluation sees them: no crop, jitter, blur, turn or mirror at random.")
  var no_augmentation = false

  @Option(
    help: .value(
      "pictures",
      "Training pictures to write, as the model sees them, to preview.png in the run folder, 0 ... 1024."))
  var preview = 0

  mutating func validate() throws {
    if num_workers < 0 { throw ValidationError("--num_workers is \(num_workers); expected 0 or more.") }
    if image_cache < 0 { throw ValidationError("--image_cache is \(image_cache); expected 0 or more MiB.") }
    if !(0...1024).contains(preview) {
      throw ValidationError("--preview is \(preview); expected 0 ... 1024.")
    }
  }
}
