import ArgumentParser
import CleftData
import CleftFormats

extension ProcessOptions {
  /// The quirks that `--compat` and `--quirk` ask for.
  ///
  /// - Throws: `ValidationError` for a name or a state that is none, and for what is never reproduced.
  func readQuirks() throws -> Quirks {
    do { return try Quirks(isReference: compat == .reference, changes: quirk) } catch {
      throw ValidationError(error.description)
    }
  }
}

extension RunOptions {
  /// The quirks in force, whose names `validate` has looked at.
  var quirks: Quirks {
    guard let quirks = try? Quirks(isReference: self.compat == .reference, changes: self.quirk) else {
      preconditionFailure("--quirk: read before it was validated")
    }
    return quirks
  }
}
