/// Reads the pickles of PyTorch checkpoints without executing anything.
///
/// Known names are understood (`OrderedDict`, tensors, storages, a few plain objects); any other callable is an error
/// that names it. Memory stays within a fixed multiple of the pickle's length.
/// - Source: Python's `pickletools`, protocols 0 to 5; PyTorch `torch/serialization.py`.
struct Unpickler {
  var cursor: PickleCursor
  var heap = PickleHeap()
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo = Memo()
  /// What values may still cost; see `spend`.
  private var budget: Int

  /// Reads one pickle that fills `data`.
  static func read(_ data: UnsafeRawBufferPointer, path: String) throws(FormatError) -> PickleDocument {
    var cursor = PickleCursor(data: data, path: path)
    return try read(&cursor)
  }

  /// Reads one pickle and leaves the cursor behind it.
  static func read(_ cursor: inout PickleCursor) throws(FormatError) -> PickleDocument {
    var unpickler = Unpickler(cursor)
    let root = try unpickler.run()
    cursor.place = unpickler.cursor.place
    return PickleDocument(root: root, heap: unpickler.heap)
  }

  private init(_ cursor: PickleCursor) {
    self.cursor = cursor
    budget = 4_000_000 + 2 * (cursor.data.count - cursor.place)
  }

  private mutating func run() throws(FormatError) -> PickleValue {
    while true {
      let opcode = try cursor.byte()
      if opcode == UInt8(ascii: ".") { return try pop() }
      if try runNumber(opcode) { continue }
      if try runText(opcode) { continue }
      if try runMemo(opcode) { continue }
      if try runContainer(opcode) { continue }
      guard try runObject(opcode) else { throw damaged("opcode \(opcode)") }
    }
  }

  /// Frames, constants and numbers; false for other opcodes.
  private mutating func runNumber(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case 0x80: _ = try cursor.byte()
    case 0x95: _ = try cursor.take(8)
    case UInt8(ascii: "N"): try push(.none)
    case 0x88: try push(.bool(true))
    case 0x89: try push(.bool(false))
    case UInt8(ascii: "K"): try push(.int(Int(try cursor.byte())))
    case UInt8(ascii: "M"): try push(.int(try cursor.unsigned(2)))
    case UInt8(ascii: "J"): try push(.int(try cursor.signed32()))
    case 0x8A: try push(try cursor.long(Int(try cursor.byte())))
    case 0x8B: try push(try cursor.long(try cursor.signed32()))
    case UInt8(ascii: "I"), UInt8(ascii: "L"): try push(try cursor.decimal())
    case UInt8(ascii: "F"): try push(.float(try cursor.decimalFraction()))
    case UInt8(ascii: "G"): try push(.float(try cursor.double()))
    default: return false
    }
    return true
  }

  /// Texts and bytes; false for other opcodes.
  private mutating func runText(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case UInt8(ascii: "S"): try push(.string(try cursor.quoted()))
    case UInt8(ascii: "V"): try push(.string(try cursor.rawUnicode()))
    case 0x8C, UInt8(ascii: "U"): try push(.string(try cursor.text(Int(try cursor.byte()))))
    case UInt8(ascii: "X"): try push(.string(try cursor.text(try cursor.unsigned(4))))
    case UInt8(ascii: "T"): try push(.string(try cursor.text(try cursor.signed32())))
    case 0x8D: try push(.string(try cursor.text(try cursor.unsigned(8))))
    case UInt8(ascii: "C"): try push(.bytes(Array(try cursor.take(Int(try cursor.byte())))))
    case UInt8(ascii: "B"): try push(.bytes(Array(try cursor.take(try cursor.unsigned(4)))))
    case 0x8E, 0x96: try push(.bytes(Array(try cursor.take(try cursor.unsigned(8)))))
    default: return false
    }
    return true
  }

  /// The memo and moves on the stack; false for other opcodes.
  private mutating func runMemo(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case UInt8(ascii: "p"): try remember(try cursor.index())
    case UInt8(ascii: "q"): try remember(Int(try cursor.byte()))
    case UInt8(ascii: "r"): try remember(try cursor.unsigned(4))
    case 0x94: try remember(memo.count)
    case UInt8(ascii: "g"): try push(try remembered(try cursor.index()))
    case UInt8(ascii: "h"): try push(try remembered(Int(try cursor.byte())))
    case UInt8(ascii: "j"): try push(try remembered(try cursor.unsigned(4)))
    case UInt8(ascii: "2"): try push(try top())
    case UInt8(ascii: "0"):
      if marks.last == stack.count { marks.removeLast() } else { _ = try pop() }
    case UInt8(ascii: "1"): _ = try popToMark()
    default: return false
    }
    return true
  }

  /// Tuples, lists, sets and dictionaries; false for other opcodes.
  private mutating func runContainer(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case UInt8(ascii: "("):
      try spend(1)
      marks.append(stack.count)
    case UInt8(ascii: ")"): try push(.tuple(try node([])))
    case 0x85, 0x86, 0x87:
      var items: [PickleValue] = []
      for _ in 0..<Int(opcode) - 0x84 { items.append(try pop()) }
      try push(.tuple(try node(items.reversed())))
    case UInt8(ascii: "t"): try push(.tuple(try node(try popToMark())))
    case UInt8(ascii: "]"), 0x8F: try push(.list(try node([])))
    case UInt8(ascii: "l"), 0x91: try push(.list(try node(try popToMark())))
    case UInt8(ascii: "}"): try push(.dictionary(try node([])))
    case UInt8(ascii: "d"):
      let items = try popToMark()
      guard items.count % 2 == 0 else { throw damaged("a dictionary") }
      try push(.dictionary(try node(items)))
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"), 0x90: try append(try popToMark())
    case UInt8(ascii: "s"):
      let value = try pop()
      try set([try pop(), value])
    case UInt8(ascii: "u"): try set(try popToMark())
    default: return false
    }
    return true
  }

  /// Names, calls, states and storages; false for other opcodes.
  private mutating func runObject(_ opcode: UInt8) throws(FormatError) -> Bool {
    switch opcode {
    case UInt8(ascii: "c"):
      let module = try cursor.line()
      try push(try global(module, try cursor.line()))
    case 0x93:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw damaged("a name")
      }
      try push(try global(module, name))
    case UInt8(ascii: "R"), 0x81:
      let arguments = try pop()
      try push(try call(try pop(), arguments))
    case 0x92:
      guard case .dictionary(let keywords) = try pop(), heap.nodes[keywords].isEmpty else {
        throw damaged("an object with keywords")
      }
      let arguments = try pop()
      try push(try call(try pop(), arguments))
    case UInt8(ascii: "i"):
      let module = try cursor.line()
      let callable = try global(module, try cursor.line())
      try push(try call(callable, .tuple(try node(try popToMark()))))
    case UInt8(ascii: "o"):
      let items = try popToMark()
      guard let callable = items.first else { throw damaged("an object") }
      try push(try call(callable, .tuple(try node(Array(items.dropFirst())))))
    case UInt8(ascii: "b"):
      let state = try pop()
      try setState(state, of: try top())
    case UInt8(ascii: "Q"): try push(try storage(try pop()))
    default: return false
    }
    return true
  }
}

// MARK: - Stack and memo

extension Unpickler {
  func damaged(_ what: String) -> FormatError { cursor.damaged(what) }

  /// Pays for a value out of what the pickle's length allows.
  ///
  /// One unit is 24 bytes or so. Python's own pickles spend less than two for each byte; a hostile one, which has
  /// values made again and again out of a few bytes, runs out.
  mutating func spend(_ cost: Int) throws(FormatError) {
    budget -= cost
    guard budget >= 0 else {
      throw .malformed(
        Problem(
          cursor.path, found: "a pickle that unfolds to far more than its length",
          expected: "a PyTorch checkpoint", hint: "Nothing was executed. Do not trust this file."))
    }
  }

  /// A new container.
  mutating func node(_ items: [PickleValue]) throws(FormatError) -> Int {
    try spend(3)
    return heap.add(items)
  }

  private mutating func push(_ value: PickleValue) throws(FormatError) {
    try spend(1)
    stack.append(value)
  }

  private mutating func pop() throws(FormatError) -> PickleValue {
    guard let value = stack.popLast(), stack.count >= marks.last ?? 0 else { throw damaged("a stack") }
    return value
  }

  private func top() throws(FormatError) -> PickleValue {
    guard let value = stack.last else { throw damaged("a stack") }
    return value
  }

  private mutating func popToMark() throws(FormatError) -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else { throw damaged("a mark") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func remember(_ index: Int) throws(FormatError) {
    try spend(3)
    memo.set(index, try top())
  }

  private func remembered(_ index: Int) throws(FormatError) -> PickleValue {
    guard let value = memo[index] else { throw damaged("a memo entry") }
    return value
  }

  private mutating func append(_ items: [PickleValue]) throws(FormatError) {
    guard case .list(let list) = try top() else { throw damaged("a list") }
    heap.append(items, to: list)
  }

  private mutating func set(_ items: [PickleValue]) throws(FormatError) {
    guard items.count % 2 == 0, case .dictionary(let dictionary) = try top() else {
      throw damaged("a dictionary")
    }
    heap.append(items, to: dictionary)
  }
}

/// Values that a pickle refers to again, by number; nearly always they are numbered in order.
private struct Memo {
  private var ordered: [PickleValue] = []
  private var others: [Int: PickleValue] = [:]

  var count: Int { ordered.count + others.count }

  subscript(index: Int) -> PickleValue? { index < ordered.count ? ordered[index] : others[index] }

  mutating func set(_ index: Int, _ value: PickleValue) {
    if index < ordered.count {
      ordered[index] = value
    } else if index == ordered.count, others.isEmpty {
      ordered.append(value)
    } else {
      others[index] = value
    }
  }
}
