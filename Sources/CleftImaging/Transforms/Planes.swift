/// Levels to read, row by row; valid only inside the call that hands it out.
package struct SourcePlane {
  package let base: UnsafePointer<UInt8>
  package let width, height: Int

  /// The first level of a row.
  @inline(__always)
  package func row(_ y: Int) -> UnsafePointer<UInt8> { base + y * width }
}

/// Levels to write; valid only inside the call that hands it out.
///
/// Rows are `stride` levels apart, so that a plane can be a window of a larger picture.
package struct TargetPlane {
  package let base: UnsafeMutablePointer<UInt8>
  package let width, height, stride: Int

  /// The first level of a row.
  @inline(__always)
  package func row(_ y: Int) -> UnsafeMutablePointer<UInt8> { base + y * stride }
}

extension GrayImage {
  /// Reads the levels without bounds checks.
  ///
  /// An empty picture has no levels to read: `body` is not called.
  @inline(__always)
  package func reading(_ body: (SourcePlane) -> Void) {
    pixels.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, !buffer.isEmpty else { return }
      body(SourcePlane(base: base, width: width, height: height))
    }
  }
}

/// A level from a sum that is not negative: rounded half to even, held to 255.
///
/// Adding 2²³ leaves no fraction bits, so the addition itself rounds, as the processor does by default, and the low
/// byte is the answer. Without SSE4.1 `rounded()` is a function call a pixel; this vectorizes.
@inline(__always)
func roundedLevel(_ value: Float) -> UInt8 {
  UInt8(truncatingIfNeeded: (min(value, 255) + 8_388_608).bitPattern)
}
