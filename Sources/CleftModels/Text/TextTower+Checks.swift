/// What makes a size impossible, nil if nothing does.
func impossibleSize(_ sizes: [(name: String, size: Int)]) -> String? {
  for (name, size) in sizes where size < 1 || size > 1 << 24 {
    return "\(name) \(size); expected 1 ... 2^24"
  }
  return nil
}

/// What is wrong with a number of heads, nil if nothing is.
func unevenHeads(_ tower: String, _ width: Int, _ heads: Int) -> String? {
  width % heads == 0 ? nil : "\(tower) tower: \(heads) heads for \(width) channels; expected a divisor"
}

/// What is wrong with a token id, nil if nothing is.
func idOutside(_ name: String, _ id: Int, _ vocabularySize: Int) -> String? {
  (0..<vocabularySize).contains(id) ? nil : "\(name) \(id); expected below vocab_size \(vocabularySize)"
}

/// A configuration field that would silently be computed otherwise.
func unsupported<Key: CodingKey>(
  _ key: Key, in values: KeyedDecodingContainer<Key>, _ found: some CustomStringConvertible, expected: String
) -> DecodingError {
  .dataCorruptedError(
    forKey: key, in: values, debugDescription: "\(key.stringValue) \(found); expected \(expected)")
}

/// A special token's id, which newer files give as a list of which the first one counts.
func tokenID<Key: CodingKey>(_ key: Key, in values: KeyedDecodingContainer<Key>) throws -> Int? {
  if let single = try? values.decodeIfPresent(Int.self, forKey: key) { return single }
  return try values.decodeIfPresent([Int].self, forKey: key)?.first
}

/// A size of a configuration file, held to what arithmetic on it cannot overflow.
func size<Key: CodingKey>(_ key: Key, in values: KeyedDecodingContainer<Key>) throws -> Int {
  let size = try values.decode(Int.self, forKey: key)
  if abs(size.clamped) <= 1 << 24 { return size }
  throw unsupported(key, in: values, size, expected: "1 ... 2^24")
}

/// The same of a size that may be left out.
func optionalSize<Key: CodingKey>(_ key: Key, in values: KeyedDecodingContainer<Key>) throws -> Int? {
  guard values.contains(key), try !values.decodeNil(forKey: key) else { return nil }
  return try size(key, in: values)
}

extension Int {
  /// The number, without the one whose magnitude is none.
  fileprivate var clamped: Int { self == .min ? .max : self }
}
