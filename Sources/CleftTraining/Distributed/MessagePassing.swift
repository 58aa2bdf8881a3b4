import CMPI

/// The message-passing library that ranks on several machines go through.
public enum MessagePassing {
  /// First line of the library's description of itself.
  public static var libraryVersion: String {
    var buffer = [CChar](repeating: 0, count: 1024)
    let length = Int(cleft_mpi_library_version(&buffer, Int32(buffer.count)))
    let text = String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(whereSeparator: { $0 == "," || $0.isNewline }).first.map(String.init) ?? "unknown"
  }
}
