import CDicom
import CleftFormats
import Glibc

/// What a DICOM file says about its cells, and the gray level of each.
///
/// A cell is a stored number of 8 or 16 bits; there are at most 65,536, so a level is worked out once for each cell
/// that is present and looked up for each pixel.
struct DicomShades {
  /// Bits of a cell, of its value, and the value's highest bit.
  var bitsAllocated, bitsStored, highBit: Int
  var isSigned: Bool
  var isMonochrome1: Bool
  /// From stored values to what they measure.
  var modality: Modality
  /// From what they measure to brightness; nil if the file leaves it to the viewer.
  var voi: VOI?

  /// Modality LUT, PS3.3 C.11.1.
  enum Modality {
    case linear(slope: Double, intercept: Double)
    case table(DicomLookup)
  }

  /// VOI LUT, PS3.3 C.11.2.
  enum VOI {
    case window(center: Double, width: Double, function: String)
    case table(DicomLookup)
  }

  /// Takes a file's elements; sequences go before numbers, as in pydicom.
  init(_ image: cleft_dicom_image) {
    bitsAllocated = Int(image.bits_allocated)
    bitsStored = Int(image.bits_stored)
    highBit = Int(image.high_bit)
    isSigned = image.is_signed != 0
    isMonochrome1 = image.is_monochrome1 != 0
    modality =
      DicomLookup(image.modality).map { .table($0) }
      ?? .linear(slope: image.slope, intercept: image.intercept)
    if let table = DicomLookup(image.voi) {
      voi = .table(table)
    } else if image.has_window != 0 {
      var raw = image.voi_function
      let function = withUnsafeBytes(of: &raw) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      voi = .window(
        center: image.window_center, width: image.window_width,
        function: function.isEmpty ? "LINEAR" : function)
    }
  }

  /// Gray levels of cells.
  func levels<Cell: FixedWidthInteger & UnsignedInteger & Sendable>(
    of cells: UnsafeBufferPointer<Cell>, _ rendering: DicomRendering, _ path: String
  ) throws(ImagingError) -> [UInt8] {
    let present = Self.present(cells)
    var table = [UInt8](repeating: 0, count: present.count)
    switch rendering {
    case .maximum: fillByMaximum(&table, present)
    case .display: try fillForDisplay(&table, present, path)
    }
    if isMonochrome1 { for cell in table.indices { table[cell] = 255 - table[cell] } }
    return table.withUnsafeBufferPointer { table in
      [UInt8](unsafeUninitializedCapacity: cells.count) { target, initialized in
        // Plain pointers: the loop runs once for each pixel.
        guard let target = target.baseAddress, let table = table.baseAddress else { return }
        for index in 0..<cells.count { target[index] = table[Int(cells[index])] }
        initialized = cells.count
      }
    }
  }

  /// Which cells occur.
  private static func present<Cell: FixedWidthInteger & UnsignedInteger>(
    _ cells: UnsafeBufferPointer<Cell>
  ) -> [Bool] {
    var present = [Bool](repeating: false, count: Int(Cell.max) + 1)
    present.withUnsafeMutableBufferPointer { present in
      guard let present = present.baseAddress else { return }
      for index in 0..<cells.count { present[Int(cells[index])] = true }
    }
    return present
  }

  /// As published: stored numbers times 255 / maximum in float32, half to even, magnitude, held to 0 … 255.
  private func fillByMaximum(_ table: inout [UInt8], _ present: [Bool]) {
    let isNegative: (Int) -> Bool = { isSigned && $0 >= present.count / 2 }
    let number: (Int) -> Int = { isNegative($0) ? $0 - present.count : $0 }
    guard let top = present.indices.lazy.filter({ present[$0] }).map(number).max(), top != 0 else { return }
    let factor = Float(255 / Double(top))
    for cell in table.indices where present[cell] {
      table[cell] = Self.level(abs(Float(number(cell)) * factor))
    }
  }

  /// As a viewer shows them.
  private func fillForDisplay(
    _ table: inout [UInt8], _ present: [Bool], _ path: String
  ) throws(ImagingError) {
    let found = present.indices.filter { present[$0] }
    let values = found.map { measured(stored($0)) }
    switch voi {
    case .table(let lookup):
      for (cell, value) in zip(found, values) {
        table[cell] = Self.level(Float(lookup.fraction(value) * 255))
      }
    case .window(let center, let width, let function):
      let window = try DicomWindow(center: center, width: width, function: function, path)
      for (cell, value) in zip(found, values) { table[cell] = Self.level(window.fraction(value) * 255) }
    case nil:
      // The same arithmetic as `fillByMaximum`, so that both agree where nothing is negative or rescaled.
      let low = min(0, values.min() ?? 0)
      let span = (values.max() ?? 0) - low
      let factor = span > 0 ? Float(255 / span) : 0
      for (cell, value) in zip(found, values) { table[cell] = Self.level(Float(value - low) * factor) }
    }
  }

  /// The value in a cell: without the bits around it, its sign spread.
  func stored(_ cell: Int) -> Int {
    let value = (cell >> (highBit + 1 - bitsStored)) & ((1 << bitsStored) - 1)
    return isSigned && value >> (bitsStored - 1) != 0 ? value - 1 << bitsStored : value
  }

  private func measured(_ stored: Int) -> Double {
    switch modality {
    case .linear(let slope, let intercept): Double(stored) * slope + intercept
    case .table(let lookup): lookup.entry(Double(stored))
    }
  }

  private static func level<Number: BinaryFloatingPoint>(_ value: Number) -> UInt8 {
    UInt8(max(0, min(value.rounded(.toNearestOrEven), 255)))
  }
}
