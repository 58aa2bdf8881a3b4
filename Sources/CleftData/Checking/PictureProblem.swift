import CleftFormats
import CleftImaging

/// What is wrong with a picture that must not be used.
public struct PictureProblem: Sendable, Equatable {
  /// What sort of problem it is.
  public var fault: PictureFault
  /// What is wrong, in one line that does not repeat the path.
  public var reason: String

  /// Makes a problem.
  public init(_ fault: PictureFault, _ reason: String) {
    self.fault = fault
    self.reason = reason
  }

  /// A picture of one gray level: nothing can be learned from it.
  public init(constantLevel: UInt8) {
    self.init(.constant, "constant: every pixel is \(constantLevel)")
  }

  /// What is wrong with a decoded picture; nil if nothing is.
  init?(_ image: GrayImage) {
    guard image.isConstant else { return nil }
    self.init(constantLevel: image.pixels.first ?? 0)
  }

  /// What an error of the decoder says about its picture.
  ///
  /// - Throws: `DataError.system` if it says nothing about it, but that the disk or the memory failed.
  init(_ error: ImagingError, origin: String = "") throws(DataError) {
    if case .system(let problem) = DataError(error, origin: origin) { throw .system(problem) }
    self.init(PictureFinding.fault(error), PictureFinding.reason(error.problem))
  }
}

extension PictureFinding {
  /// Why the picture must not be used; nil if it can be.
  public var problem: PictureProblem? {
    switch self {
    case .faulty(let fault, let reason): PictureProblem(fault, reason)
    case .sound(let facts): facts.constantLevel.map(PictureProblem.init(constantLevel:))
    }
  }
}

extension DataError {
  /// The error of a row whose picture cannot be had.
  init(_ error: ImagingError, origin: String) {
    var problem = error.problem
    if !origin.isEmpty { problem.location = "\(origin): \(problem.location)" }
    self =
      switch error.exitStatus {
      case .missingInput: .missing(problem)
      case .badData: .badData(problem)
      default: .system(problem)
      }
  }
}
