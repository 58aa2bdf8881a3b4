@_exported import CleftTraining
@_exported import CleftImaging
@_exported import CleftText
@_exported import CleftFormats
@_exported import CleftData
