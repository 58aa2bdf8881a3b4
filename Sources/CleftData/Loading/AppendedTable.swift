import CleftFormats
import Foundation

/// Comma-separated lines of a file that is appended to, and so may end, or be damaged, anywhere.
///
/// A line counts only when its line break is there. Fields with commas or quotes are quoted; none has a line break.
enum AppendedTable {
  /// Hands every whole line to `body`.
  ///
  /// - Parameter body: false for a line that makes no sense.
  /// - Returns: the number of lines that are torn or make no sense; nil if the first line is not `columns`.
  static func read(_ data: Data, columns: [String], _ body: ([String]) -> Bool) -> Int? {
    data.withUnsafeBytes { raw -> Int? in
      let bytes = raw.bindMemory(to: UInt8.self)
      var (defects, start, isHeader) = (0, 0, true)
      while start < bytes.count {
        guard let base = bytes.baseAddress,
          let end = memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
        else {
          defects += 1
          break
        }
        let stop = UnsafeRawPointer(end) - UnsafeRawPointer(base)
        let fields = fields(UnsafeBufferPointer(rebasing: bytes[start..<stop]))
        start = stop + 1
        if isHeader {
          if fields != columns { return nil }
          isHeader = false
        } else if fields?.count != columns.count || !body(fields ?? []) {
          defects += 1
        }
      }
      return isHeader ? nil : defects
    }
  }

  /// One line, with its break.
  static func line(_ fields: [String]) -> String { csvText(columns: fields, rows: []) }

  /// Whether a text fits into a line.
  static func fits(_ text: String) -> Bool { !text.utf8.contains(UInt8(ascii: "\n")) }

  private static func fields(_ line: UnsafeBufferPointer<UInt8>) -> [String]? {
    let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
    var fields: [String] = []
    var i = 0
    while true {
      if i < line.count, line[i] == quote {
        guard let (field, next) = quoted(line, from: i + 1) else { return nil }
        fields.append(field)
        i = next
      } else {
        let first = i
        while i < line.count, line[i] != comma { i += 1 }
        fields.append(String(decoding: line[first..<i], as: UTF8.self))
      }
      if i == line.count { return fields }
      if line[i] != comma { return nil }
      i += 1
    }
  }

  private static func quoted(
    _ line: UnsafeBufferPointer<UInt8>, from first: Int
  ) -> (field: String, next: Int)? {
    let quote = UInt8(ascii: "\"")
    var field: [UInt8] = []
    var i = first
    while i < line.count {
      if line[i] == quote {
        if i + 1 == line.count || line[i + 1] != quote {
          return (String(decoding: field, as: UTF8.self), i + 1)
        }
        i += 1
      }
      field.append(line[i])
      i += 1
    }
    return nil
  }
}
