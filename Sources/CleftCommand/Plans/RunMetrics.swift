import CleftFormats
import Foundation
import Glibc

/// The numbers of a run by name, as `metrics.jsonl` holds them.
struct RunMetrics {
  /// One number over the run, in the order in which it was written.
  struct Series {
    /// Optimizer steps done at each value.
    var steps: [Double] = []
    var values: [Double] = []
  }

  /// Every number but the step itself.
  private(set) var series: [String: Series] = [:]
  /// Largest step of a line; 0 without one.
  private(set) var lastStep = 0
  /// Lines that hold numbers of a step.
  private(set) var lineCount = 0
  /// Lines that cannot be read, by number from 1; the torn end is none of them.
  private(set) var unreadableLines: [Int] = []
  /// Whether the file ends within a line, as when the process was killed while it wrote.
  private(set) var hasTornEnd = false

  /// Values too large to be compared.
  private(set) var hugeCount = 0

  /// What is left out, and where the first such line is.
  var notes: [String] {
    var notes: [String] = []
    if let first = unreadableLines.first {
      let count = unreadableLines.count
      notes.append("metrics.jsonl:\(first): \(count) unreadable line\(count == 1 ? "" : "s"), left out")
    }
    if hasTornEnd { notes.append("metrics.jsonl: 1 torn line at its end, left out") }
    if hugeCount > 0 { notes.append("metrics.jsonl: \(hugeCount) value(s) beyond ±1e100, left out") }
    return notes
  }

  /// No numbers.
  init() {}

  /// Reads a file; an absent one is a run that has not logged yet.
  ///
  /// - Throws: `FormatError.system` if the file cannot be read.
  init(_ path: String) throws(FormatError) {
    guard FileSystem.exists(path) else { return }
    // The zero behind the end stops the reading of a number that is cut.
    var bytes = [UInt8](try FileSystem.read(path))
    let count = bytes.count
    bytes.append(0)
    var reader = LineReader()
    bytes.withUnsafeBufferPointer { buffer in
      var (start, number) = (0, 0)
      while start < count {
        let end = buffer[start..<count].firstIndex(of: 0x0A) ?? count
        number += 1
        defer { start = end + 1 }
        if buffer[start..<end].allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { continue }
        if reader.read(buffer, start..<end), let step = reader.step {
          add(reader, step)
        } else if end == count {
          hasTornEnd = true
        } else {
          unreadableLines.append(number)
        }
      }
    }
    // A line that was left out may have brought names that no other has.
    for (name, column) in zip(reader.names, columns) where !column.values.isEmpty { series[name] = column }
    columns = []
  }

  /// Series while they are filled, by the reader's numbers of names.
  private var columns: [Series] = []

  private mutating func add(_ reader: LineReader, _ step: Double) {
    while columns.count < reader.names.count { columns.append(Series()) }
    for (name, value) in reader.found {
      columns[name].steps.append(step)
      columns[name].values.append(value)
    }
    hugeCount += reader.hugeCount
    lineCount += 1
    lastStep = max(lastStep, Int(step))
  }
}

/// Reads lines of JSON: flat objects of numbers at once, all others by `JSONSerialization`, which takes several times as
/// long.
private struct LineReader {
  /// Names met so far.
  private(set) var names: [String] = []
  private var numbers: [String: Int] = [:]
  /// Numbers of the newest line, by number of their name; `step` is not among them.
  private(set) var found: [(name: Int, value: Double)] = []
  private(set) var step: Double?
  /// Values of the newest line that are left out because of their size.
  private(set) var hugeCount = 0

  /// Whether a line is an object; its numbers are in `found` then.
  mutating func read(_ buffer: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    if readFlat(buffer, range) { return true }
    clear()
    let line = Data(buffer[range])
    guard let object = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else { return false }
    for (name, value) in object.sorted(by: { $0.key < $1.key }) {
      // Text and nested values are none that could be compared.
      if let value = value as? Double { take(name, value) }
    }
    return true
  }

  /// Whether a line is a flat object of numbers without spaces, as `cleft train` writes them.
  private mutating func readFlat(_ buffer: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    clear()
    guard let base = buffer.baseAddress, range.count > 2, buffer[range.lowerBound] == UInt8(ascii: "{") else {
      return false
    }
    var place = range.lowerBound + 1
    while place < range.upperBound, buffer[place] == UInt8(ascii: "\"") {
      let start = place + 1
      guard let end = buffer[start..<range.upperBound].firstIndex(of: UInt8(ascii: "\"")),
        end + 2 < range.upperBound, buffer[end + 1] == UInt8(ascii: ":"),
        !buffer[start..<end].contains(UInt8(ascii: "\\"))
      else { return false }
      let first = buffer[end + 2]
      guard first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else { return false }
      var stop: UnsafeMutablePointer<CChar>?
      let value = base.withMemoryRebound(to: CChar.self, capacity: buffer.count) {
        let value = strtod($0 + end + 2, &stop)
        place = stop.map { [base = $0] in UnsafePointer($0) - base } ?? range.upperBound
        return value
      }
      guard place < range.upperBound else { return false }
      take(String(decoding: buffer[start..<end], as: UTF8.self), value)
      if buffer[place] == UInt8(ascii: "}") { return place + 1 == range.upperBound }
      guard buffer[place] == UInt8(ascii: ",") else { return false }
      place += 1
    }
    return false
  }

  private mutating func clear() {
    found.removeAll(keepingCapacity: true)
    step = nil
    hugeCount = 0
  }

  private mutating func take(_ name: String, _ value: Double) {
    if name == "step" {
      step = value >= 0 && value < 1e15 ? value : nil
      return
    }
    guard abs(value) < 1e100 else {
      hugeCount += 1
      return
    }
    if let number = numbers[name] {
      found.append((number, value))
    } else {
      numbers[name] = names.count
      found.append((names.count, value))
      names.append(name)
    }
  }
}
