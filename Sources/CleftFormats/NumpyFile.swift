import CleftTensor
import Foundation

/// An array in NumPy's `.npy` format, read where it lies in the file.
///
/// float32, float64 and int64, little-endian and in C order: what `numpy.save` writes of such arrays.
/// - Source: NEP 1, "A Simple File Format for NumPy Arrays", versions 1.0 to 3.0.
public final class NumpyFile {
  /// Where the file lies.
  public let path: String
  /// Extents; `[]` for a single number.
  public let shape: Shape
  /// `float32`, `float64` or `int64`.
  public let dtype: DType
  private let file: MappedFile
  /// Bytes in front of the first number.
  private let start: Int

  /// Opens a file and checks that it holds what its header says.
  ///
  /// - Throws: `FormatError.missing`, `.malformed` or `.system`.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    file = try MappedFile(path)
    let bytes = UnsafeRawBufferPointer(start: file.base, count: file.count)
    let header = try NumpyHeader(bytes, path)
    (shape, dtype, start) = (Shape(header.dimensions), header.dtype, header.byteCount)
    let found = file.count - start
    guard let count = Self.count(header.dimensions, dtype), count == found else {
      throw .malformed(
        Problem(
          path, found: "\(found) bytes behind its header",
          expected: "those of [\(shape)] numbers of type \(header.code)",
          hint: "The file is cut or damaged; write it again."))
    }
  }

  /// Bytes of so many numbers; nil if that is more than there can be, whether or not some extent is 0.
  private static func count(_ dimensions: [Int], _ dtype: DType) -> Int? {
    var bytes = dtype.byteCount
    for extent in dimensions where extent > 0 {
      let (product, overflows) = bytes.multipliedReportingOverflow(by: extent)
      if overflows { return nil }
      bytes = product
    }
    return dimensions.contains(0) ? 0 : bytes
  }

  /// Rows of the first axis: 1 for a single number.
  public var rowCount: Int { shape.dimensions.first ?? 1 }

  /// Numbers of a row.
  public var width: Int { shape.dimensions.dropFirst().reduce(1, *) }

  /// Some rows as float32, all other axes as one: `[rows, width]`.
  ///
  /// Numbers of other types are rounded to nearest.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rowCount, "npy: rows \(range) of [\(shape)]")
    let result = Tensor(uninitialized: [range.count, width])
    let (count, first) = (range.count * width, start + range.lowerBound * width * dtype.byteCount)
    let (source, dtype) = (UnsafeRawPointer(file.base) + first, dtype)
    result.withMutablePointer { target in
      switch dtype {
      case .float64:
        for place in 0..<count {
          target[place] = Float(source.loadUnaligned(fromByteOffset: 8 * place, as: Double.self))
        }
      case .int64:
        for place in 0..<count {
          target[place] = Float(source.loadUnaligned(fromByteOffset: 8 * place, as: Int64.self))
        }
      default: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 4 * count)
      }
    }
    return result
  }

  /// All numbers as float32, in the shape of the file.
  public var tensor: Tensor { Tensor(shape, rows(0..<rowCount).array) }

  /// All numbers of an int64 array in row-major order.
  ///
  /// - Throws: `FormatError.malformed` if they are no integers.
  public func integers() throws(FormatError) -> [Int] {
    guard dtype == .int64 else {
      throw .malformed(Problem(path, found: "numbers of type \(dtype.rawValue)", expected: "int64"))
    }
    return (0..<shape.count).map {
      Int(Int64(littleEndian: file.base.loadUnaligned(fromByteOffset: start + 8 * $0, as: Int64.self)))
    }
  }

  /// Writes a float32 array beside its place and renames it.
  ///
  /// - Throws: `FormatError.system`.
  public static func write(_ tensor: Tensor, to path: String) throws(FormatError) {
    var data = NumpyHeader.float32(tensor.shape.dimensions)
    tensor.read { data.append(UnsafeBufferPointer(start: $0, count: tensor.count)) }
    try FileSystem.write(data, to: path)
  }
}
