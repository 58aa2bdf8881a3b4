import Foundation

/// A table read from a CSV file (RFC 4180): quoted fields, doubled quotes, CR LF or LF, an optional byte-order mark.
public struct CSVTable: Sendable {
  /// Where the file lies.
  public let path: String
  /// Names in the first line.
  public let columns: [String]
  /// Fields of each further line.
  public let rows: [[String]]
  /// Line of the file on which each row starts, counted from 1.
  public let lines: [Int]

  /// Reads a table.
  ///
  /// - Throws: `FormatError` naming the line if a row has more or fewer fields than the header or a quote stays open.
  public init(_ path: String, separator: Character = ",") throws(FormatError) {
    self.path = path
    let data = try FileSystem.read(path)
    let parsed = try Self.parse(data, path: path, separator: separator.asciiValue ?? UInt8(ascii: ","))
    guard let header = parsed.first else {
      throw .malformed(Problem(path, found: "an empty file", expected: "a line of column names"))
    }
    columns = header.fields
    for row in parsed.dropFirst() where row.fields.count != header.fields.count {
      throw .malformed(
        Problem(
          "\(path):\(row.line)", found: "\(row.fields.count) fields",
          expected: "\(header.fields.count) as in line 1",
          hint: "Quote fields that contain the separator."))
    }
    rows = parsed.dropFirst().map(\.fields)
    lines = parsed.dropFirst().map(\.line)
  }

  /// Index of a column.
  ///
  /// - Throws: `FormatError.malformed` with the nearest names.
  public func column(_ name: String) throws(FormatError) -> Int {
    if let index = columns.firstIndex(of: name) { return index }
    throw .malformed(
      Problem(
        "\(path):1", found: "no column '\(name)'",
        hint: "Nearest: \(nearestNames(to: name, among: columns).joined(separator: ", "))."))
  }

  private struct Row {
    var fields: [String]
    var line: Int
  }

  private static func parse(_ data: Data, path: String, separator: UInt8) throws(FormatError) -> [Row] {
    let bytes = [UInt8](data)
    let (quote, newline, carriageReturn) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var rows: [Row] = []
    var fields: [String] = []
    var line = 1
    var i = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while i < bytes.count {
      let firstLine = line
      fields = []
      row: while true {
        if i < bytes.count, bytes[i] == quote {
          var field: [UInt8] = []
          i += 1
          while true {
            guard i < bytes.count else {
              throw .malformed(
                Problem(
                  "\(path):\(firstLine)", found: "a quote that is never closed", hint: "Close or double it."))
            }
            if bytes[i] == quote {
              if i + 1 < bytes.count, bytes[i + 1] == quote {
                field.append(quote)
                i += 2
                continue
              }
              i += 1
              break
            }
            if bytes[i] == newline { line += 1 }
            field.append(bytes[i])
            i += 1
          }
          fields.append(String(decoding: field, as: UTF8.self))
        } else {
          let start = i
          while i < bytes.count, bytes[i] != separator, bytes[i] != newline { i += 1 }
          var end = i
          if end > start, bytes[end - 1] == carriageReturn { end -= 1 }
          fields.append(String(decoding: bytes[start..<end], as: UTF8.self))
        }
        while i < bytes.count, bytes[i] == carriageReturn { i += 1 }
        if i >= bytes.count { break row }
        if bytes[i] == separator {
          i += 1
          continue row
        }
        guard bytes[i] == newline else {
          throw .malformed(
            Problem(
              "\(path):\(line)", found: "text after a closing quote", expected: "a separator or a line end"))
        }
        i += 1
        line += 1
        break row
      }
      if fields != [""] { rows.append(Row(fields: fields, line: firstLine)) }
    }
    return rows
  }
}

/// Writes rows as CSV, quoting where needed.
public func csvText(columns: [String], rows: [[String]]) -> String {
  ([columns] + rows).map { row in
    row.map { field in
      field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline })
        ? "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : field
    }.joined(separator: ",") + "\n"
  }.joined()
}
