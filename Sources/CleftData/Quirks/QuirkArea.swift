/// Which part of the program a quirk shows in.
public enum QuirkArea: String, Sendable, CaseIterable {
  /// Tables, captions, prompts and pictures.
  case data
  /// Towers, losses, optimizers and metrics.
  case model
  /// Options, files and the course of a run.
  case program
}

extension Quirk {
  /// Which part of the program it shows in.
  public var area: QuirkArea {
    switch self {
    case .resize224, .pneumothoraxPrompt, .embedDefaultEmpty, .staleCaptions, .labelShift, .balanceCrash,
      .ignoredBalancedTrain, .promptTuningShare, .integerColumns, .embedGaps, .noNegatives,
      .rsnaValidatesOnTraining, .wastedWork, .lostColumn, .rsnaCaptions, .dicomMaximum, .rsnaPlainPrompts,
      .torchOrder:
      .data
    case .poolFirst, .checkpointDetach, .bf16Stagnation, .unusedRateScale, .rankQuery, .threeLayerGroups,
      .decayedLogitScale, .acc5Names, .zeroAUC, .hugeConfusion, .batchOfOne, .maskInEvaluation, .stalePrompts,
      .batchMeans, .rankNegatives, .roundedTargets, .bertPositionZero, .sineFrequencies, .ia3Llama,
      .prefixRecompute, .staticAdaLoRA, .frozenDropout, .anomalyStop, .duplicateNegatives, .pooledVectors,
      .idleHeads:
      .model
    case .lenientLoad, .freshLogitScale, .flashAttention2, .normsByName, .lastWeights, .deadFlags,
      .rankTimestamps, .sourceToken, .obscureNames, .staleValidation, .baselineHeads:
      .program
    }
  }
}
