/// What is asked of a dataset.
public struct DatasetRequest: Sendable, Equatable {
  /// Folder with the published layouts below it.
  public var dataFolder: String
  /// Which part.
  public var split: Split
  /// A table in place of the layout's; for a manifest the only one.
  public var table: String?
  /// CheXpert's five classes instead of fourteen.
  public var usesFiveClasses = false
  /// Captions and prompts without their prefix, as prompt tuning wants them.
  public var isPromptTuning = false
  /// Captions also name what is not there (`--negative_prompt`).
  public var hasNegatives = false
  /// EMBED's caption family: `structural`, `natural`, `simple`; nil for the default one.
  public var captionFamily: String?
  /// EMBED's density (4 classes) instead of BI-RADS (7).
  public var predictsDensity = false
  /// EMBED: only the balanced list of test pictures, and of training pictures.
  public var isBalancedTest = false, isSmallBalancedTrain = false
  /// EMBED: files that do not lie where the layout has them.
  public var embed = EMBEDFiles()
  /// EMBED: each picture's own metadata in front of the class prompts.
  public var usesInstanceCaptions = false
  /// Share of the rows to keep, 0 … 1.
  public var fraction = 1.0
  /// Whether the share is taken of validation and test rows too (`--train_sub_set`).
  public var subsamplesAllSplits = false
  /// RSNA: whether the share is repeated until it is about as long as the whole (`--keep_size`).
  public var keepsSize = false
  /// Inserted before the extension of pictures that are missing without it (`--image_suffix`).
  public var imageSuffix: String?
  /// YAML file with caption templates in place of the shipped ones.
  public var captionFile: String?
  /// YAML file with prompt sets in place of those of the caption templates (`--prompts`).
  public var promptFile: String?
  /// Whether each class is a question of its own, so that prompts come in pairs (`--multi_label`).
  public var asksEachClass = false
  /// Columns whose values become traits of samples (`--group_columns`).
  public var groupColumns: [String] = []
  /// Columns of a manifest.
  public var manifest = ManifestColumns()
  /// Whether rows to train with are left out if they have no caption.
  public var needsCaption = true
  /// A manifest's test rows: whether they are left out if they have no class.
  ///
  /// False where no picture is scored on one class, so that those of several or none are as good as the others.
  public var needsClass = true
  /// CheXpert's test rows: whether they are left out if they have no class, instead of counting as the first one.
  public var leavesOutUnclassed = false
  /// What happens to rows that cannot be used.
  public var badRows = BadRowPolicy.stop
  /// Which of the published program's quirks are in force.
  public var quirks: Quirks

  /// Makes a request; everything else is set on the value.
  public init(
    dataFolder: String, split: Split, usesFiveClasses: Bool = false, isPromptTuning: Bool = false,
    fraction: Double = 1, quirks: Quirks = .fixed
  ) {
    self.dataFolder = dataFolder
    self.split = split
    self.usesFiveClasses = usesFiveClasses
    self.isPromptTuning = isPromptTuning
    self.fraction = fraction
    self.quirks = quirks
  }
}

/// EMBED's files beside the metadata of a split; nil takes the layout's.
public struct EMBEDFiles: Sendable, Equatable {
  /// The reduced clinical table, which every question and caption needs.
  public var findings: String?
  /// The full clinical table, for captions that speak of masses and calcifications.
  public var clinical: String?
  /// What the codes of the full table mean.
  public var legend: String?
  /// A pickled dictionary from paths to densities, for all splits.
  public var densities: String?

  /// The published layout.
  public init() {}
}

/// Which columns of a table of one's own hold what.
public struct ManifestColumns: Sendable, Equatable {
  /// The picture's path; relative ones count from `imageFolder`.
  public var image = "image"
  /// The caption; nil where a template makes it from labels.
  public var text: String?
  /// One column a class with 1, 0, -1 or empty; empty for none.
  public var labels: [String] = []
  /// One column with the class's name; nil for none.
  public var className: String?
  /// Tables whose classes count too, so that a class has one number in every split; those of the other splits.
  public var classTables: [String] = []
  /// Who is on the picture; nil if the table does not say.
  public var patient: String?
  /// `train`, `valid` or `test`, where one table holds all splits; nil otherwise.
  public var split: String?
  /// Between fields; nil takes a tab for `.tsv` and a comma otherwise.
  public var separator: Character?
  /// Where relative picture paths count from; nil for the table's folder.
  public var imageFolder: String?

  /// The columns a table is expected to have when nothing is said.
  public init() {}
}
