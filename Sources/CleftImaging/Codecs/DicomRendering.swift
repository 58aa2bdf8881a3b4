/// How stored DICOM values become gray levels.
public enum DicomRendering: String, Sendable, Codable, CaseIterable {
  /// As a viewer shows them: modality LUT, VOI LUT or window, then MONOCHROME1 inverted.
  ///
  /// A file with neither LUT nor window is shown from 0, or its smallest value if that is negative, to its largest.
  case display
  /// As the published program reads them: stored cells times 255 / maximum, MONOCHROME1 inverted.
  ///
  /// In float32, rounded half to even, the magnitude, at most 255; bits above BitsStored count, as in pydicom 2.4.
  case maximum
}

/// What kind of file a picture comes from.
public enum PictureKind: String, Sendable, Codable, CaseIterable {
  case jpeg, png, dicom
}
