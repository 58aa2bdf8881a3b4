import Foundation

/// Canonical decomposition (NFD) of scalars.
enum Decomposition {
  /// The text with every composed character taken apart, marks in canonical order.
  static func decomposed(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard text.contains(where: { !$0.isASCII }) else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    for scalar in text {
      // The only one whose decomposition `tokenizers` does not know.
      if scalar.isASCII || scalar.value == 0x11938 {
        result.append(scalar)
      } else {
        result += Array(String(Character(scalar)).decomposedStringWithCanonicalMapping.unicodeScalars)
      }
    }
    return ordered(result)
  }

  /// Sorts every run of marks by combining class; equal ones stay in order.
  private static func ordered(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    let classes = text.map { $0.isASCII ? 0 : $0.properties.canonicalCombiningClass.rawValue }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var i = 0
    while i < text.count {
      guard classes[i] != 0 else {
        result.append(text[i])
        i += 1
        continue
      }
      let end = classes[i...].firstIndex(of: 0) ?? text.count
      let run = (i..<end).sorted { (classes[$0], $0) < (classes[$1], $1) }
      result += run.map { text[$0] }
      i = end
    }
    return result
  }
}
