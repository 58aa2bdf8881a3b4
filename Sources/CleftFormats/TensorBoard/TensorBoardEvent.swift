import Foundation

/// One event of a TensorBoard file: something that was so at a step.
///
/// Numbers, histograms and pictures are in the fields that `torch.utils.tensorboard` writes: every TensorBoard reads
/// them, and so do the programs that read its files.
///
/// - Source: TensorFlow's `event.proto` and `summary.proto`.
public struct TensorBoardEvent: Sendable, Equatable {
  /// What happened.
  public enum Content: Sendable, Equatable {
    /// The first event of every file.
    case version
    /// A process begins: events of its step and later ones in older files count no more.
    case start
    /// Values by tag.
    case values([(tag: String, value: Value)])

    /// Whether both are written the same.
    public static func == (a: Self, b: Self) -> Bool { a.message == b.message }
  }

  /// One value under a tag.
  public enum Value: Sendable, Equatable {
    /// A number.
    case scalar(Float)
    /// A distribution.
    case histogram(HistogramSummary)
    /// A gray picture as a PNG file.
    case image(png: Data, width: Int, height: Int)
    /// Precision and recall at thresholds.
    case curve(PrecisionRecallSummary)
  }

  /// Seconds since 1970.
  public var time: Double
  /// The step.
  public var step: Int
  /// What was so.
  public var content: Content

  /// Makes an event.
  public init(time: Double, step: Int, _ content: Content) {
    (self.time, self.step, self.content) = (time, step, content)
  }

  /// The message `Event`.
  public var message: Data {
    ProtobufWriter.message { event in
      event.double(1, time)
      event.integer(2, step)
    } + content.message
  }
}

extension TensorBoardEvent.Content {
  /// The field of an `Event` that it is.
  var message: Data {
    ProtobufWriter.message { event in
      switch self {
      case .version: event.text(3, "brain.Event:2")
      case .start: event.message(7, ProtobufWriter.message { $0.integer(1, 1) })
      case .values(let values):
        event.message(
          5,
          ProtobufWriter.message { summary in
            for (tag, value) in values { summary.message(1, value.message(tag: tag)) }
          })
      }
    }
  }
}

extension TensorBoardEvent.Value {
  /// The message `Summary.Value`.
  func message(tag: String) -> Data {
    ProtobufWriter.message { value in
      value.text(1, tag)
      switch self {
      case .scalar(let number): value.float(2, number, always: true)
      case .histogram(let histogram): value.message(5, histogram.message)
      case .image(let png, let width, let height):
        value.message(
          4,
          ProtobufWriter.message { image in
            image.integer(1, height)
            image.integer(2, width)
            image.integer(3, 1)  // gray
            image.message(4, png)
          })
      case .curve(let curve):
        value.message(8, curve.tensor)
        value.message(9, curve.metadata)
      }
    }
  }
}
