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
  /// Rows with more or fewer fields than the header, where they are set aside instead of thrown.
  public let raggedRows: [(line: Int, fieldCount: Int)]

  /// Reads a table.
  ///
  /// - Parameter setsRaggedAside: whether rows with more or fewer fields than the header are only listed.
  /// - Throws: `FormatError` naming the line if a row has more or fewer fields than the header, a quote stays open, or
  ///   bytes are not UTF-8.
  public init(
    _ path: String, separator: Character = ",", setsRaggedAside: Bool = false
  ) throws(FormatError) {
    self.path = path
    let data = try FileSystem.read(path)
    try Self.requireText(data, path)
    let parsed = try Self.parse(data, path: path, separator: separator.asciiValue ?? UInt8(ascii: ","))
    guard let header = parsed.first else {
      throw .malformed(Problem(path, found: "an empty file", expected: "a line of column names"))
    }
    columns = header.fields.map { $0.trimmingCharacters(in: .whitespaces) }
    let ragged = parsed.dropFirst().filter { $0.fields.count != header.fields.count }
    if let row = ragged.first, !setsRaggedAside {
      throw .malformed(
        Problem(
          "\(path):\(row.line)", found: "\(row.fields.count) fields",
          expected: "\(header.fields.count) as in line 1",
          hint: "Quote fields that contain the separator."))
    }
    raggedRows = ragged.map { ($0.line, $0.fields.count) }
    let whole =
      ragged.isEmpty
      ? parsed.dropFirst() : parsed.dropFirst().filter { $0.fields.count == header.fields.count }[...]
    rows = whole.map(\.fields)
    lines = whole.map(\.line)
  }

  /// Index of a column.
  ///
  /// - Throws: `FormatError.malformed` with the nearest names.
  public func column(_ name: String) throws(FormatError) -> Int {
    if let index = columns.firstIndex(of: name) {
      guard columns.lastIndex(of: name) == index else {
        throw .malformed(
          Problem("\(path):1", found: "column '\(name)' twice", expected: "once", hint: "Rename one of them.")
        )
      }
      return index
    }
    throw .malformed(
      Problem(
        "\(path):1", found: "no column '\(name)'",
        hint: "Nearest: \(nearestNames(to: name, among: columns).joined(separator: ", "))."))
  }

  /// Fails if bytes are not UTF-8, which would change words without a trace, or lines end as no tool ends them today.
  private static func requireText(_ data: Data, _ path: String) throws(FormatError) {
    let hint = "Save the table as UTF-8."
    if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
      throw .malformed(Problem(path, found: "UTF-16", expected: "UTF-8", hint: hint))
    }
    let (isText, hasLines, hasReturns) = data.withUnsafeBytes { bytes in
      (
        String(validating: bytes, as: UTF8.self) != nil, bytes.contains(UInt8(ascii: "\n")),
        bytes.contains(UInt8(ascii: "\r"))
      )
    }
    guard isText else {
      var line = 1
      var decoder = UTF8()
      var bytes = data.makeIterator()
      search: while true {
        switch decoder.decode(&bytes) {
        case .scalarValue("\n"): line += 1
        case .scalarValue: break
        case .emptyInput, .error: break search
        }
      }
      throw .malformed(
        Problem("\(path):\(line)", found: "bytes that are not UTF-8", expected: "UTF-8", hint: hint))
    }
    if hasReturns, !hasLines {
      throw .malformed(
        Problem(
          path, found: "lines that end with a carriage return alone", expected: "line feeds",
          hint: "Save the table with Unix or Windows line ends."))
    }
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
