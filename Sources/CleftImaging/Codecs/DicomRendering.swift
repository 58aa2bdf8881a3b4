/// How stored DICOM values become gray levels.
public enum DicomRendering: String, Sendable, Codable, CaseIterable {
  /// As a viewer shows them: modality LUT, then VOI LUT or window, then MONOCHROME1 inverted.
  case display
  /// As the published program reads them: stored values times 255 / maximum, MONOCHROME1 inverted.
  case maximum
}

/// What kind of file a picture comes from.
public enum PictureKind: String, Sendable, Codable, CaseIterable {
  case jpeg, png, dicom
}
