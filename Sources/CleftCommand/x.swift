@_exported import CleftTraining
