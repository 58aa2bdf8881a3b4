import CDicom
import CleftFormats
import Glibc

/// A table of a Modality or VOI LUT Sequence; outside of it the nearest entry holds.
struct DicomLookup {
  /// First input value that has an entry.
  var first: Int
  /// Largest entry the table may have.
  var top: Double
  var entries: [UInt16]

  /// Copies a table; nil if the file has none.
  init?(_ raw: cleft_dicom_lut) {
    guard let values = raw.values, raw.entries > 0 else { return nil }
    first = Int(raw.first)
    top = Double(1 << Int(raw.bits) - 1)
    entries = Array(UnsafeBufferPointer(start: values, count: Int(raw.entries)))
  }

  /// The entry of a value; a fraction counts as the integer below.
  func entry(_ value: Double) -> Double {
    let position = (value - Double(first)).rounded(.down)
    return Double(entries[Int(max(0, min(position, Double(entries.count - 1))))])
  }

  /// The entry of a value as a fraction of the largest one possible.
  func fraction(_ value: Double) -> Double { min(entry(value) / top, 1) }
}

/// WindowCenter and WindowWidth, PS3.3 C.11.2.1.2 and C.11.2.1.3.
struct DicomWindow {
  var center, width: Double
  var function: Function

  /// Values of VOILUTFunction.
  enum Function: String, CaseIterable {
    case linear = "LINEAR"
    case linearExact = "LINEAR_EXACT"
    case sigmoid = "SIGMOID"
  }

  /// Checks a window.
  ///
  /// - Throws: `ImagingError.unreadable` for an unknown function or a width the function is not defined for.
  init(center: Double, width: Double, function: String, _ path: String) throws(ImagingError) {
    guard let known = Function(rawValue: function) else {
      let names = Function.allCases.map(\.rawValue).joined(separator: ", ")
      throw .unreadable(Problem(path, found: "VOILUTFunction '\(function)'", expected: "one of \(names)"))
    }
    guard width >= (known == .linear ? 1 : .leastNormalMagnitude) else {
      throw .unreadable(
        Problem(
          path, found: "WindowWidth \(width) with VOILUTFunction \(function)",
          expected: known == .linear ? "at least 1" : "more than 0",
          hint: "Correct the element, or remove it to show the whole range."))
    }
    (self.center, self.width, self.function) = (center, width, known)
  }

  /// Brightness of a value, 0 … 1.
  func fraction(_ value: Double) -> Double {
    switch function {
    case .linear:
      let (middle, half) = (center - 0.5, (width - 1) / 2)
      if value <= middle - half { return 0 }
      return value > middle + half ? 1 : (value - middle) / (width - 1) + 0.5
    case .linearExact:
      if value <= center - width / 2 { return 0 }
      return value > center + width / 2 ? 1 : (value - center) / width + 0.5
    case .sigmoid:
      return 1 / (1 + exp(-4 * (value - center) / width))
    }
  }
}
