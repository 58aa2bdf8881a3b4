extension Tensor {
  /// Elements or draws below which another thread is not worth waking.
  private static let randomGrain = 16_384

  /// Uniform values in [low, high): element `i` is number `i` of the stream.
  public static func uniform(_ shape: Shape, low: Double, high: Double, key: RandomKey) -> Tensor {
    let tensor = Tensor(uninitialized: shape)
    tensor.withMutablePointer { out in
      parallel(shape.count, grain: randomGrain) { range in
        Kernels.uniform(out + range.lowerBound, range, key, low: low, high: high)
      }
    }
    return tensor
  }

  /// Normal values around zero: element `i` is what a generator's `normal()` gives at its call `i`, times `deviation`.
  public static func normal(_ shape: Shape, deviation: Float, key: RandomKey) -> Tensor {
    let tensor = Tensor(uninitialized: shape)
    tensor.withMutablePointer { out in
      parallel(shape.count, grain: randomGrain) { range in
        Kernels.normal(out + range.lowerBound, range, key, deviation: deviation)
      }
    }
    return tensor
  }

  /// Normal values cut at two deviations: what a generator's `normal()` gives, in its order, without what lies outside.
  ///
  /// Which draw becomes an element depends on all before it, so draws are made in rounds: every part of a round on its own,
  /// then what each has kept is moved behind what came before.
  public static func truncatedNormal(_ shape: Shape, deviation: Float, key: RandomKey) -> Tensor {
    let tensor = Tensor(uninitialized: shape)
    tensor.withMutablePointer { out in
      var (done, drawn) = (0, 0)
      while done < shape.count {
        // Of a hundred draws 95.45 stay.
        let missing = shape.count - done
        let draws = min(missing + missing / 16 + 64, 4 * randomGrain * Runtime.threadCount)
        let kept = round(drawn..<drawn + draws, out + done, room: missing, deviation, key)
        done += kept
        drawn += draws
      }
    }
    return tensor
  }

  /// Makes the draws of a range and writes those that stay one behind the other, as far as there is room.
  ///
  /// - Returns: how many were written.
  private static func round(
    _ draws: Range<Int>, _ out: UnsafeMutablePointer<Float>, room: Int, _ deviation: Float, _ key: RandomKey
  ) -> Int {
    let parts = (draws.count + randomGrain - 1) / randomGrain
    var counts = [Int](repeating: 0, count: parts)
    return counts.withUnsafeMutableBufferPointer { counts in
      Tensor(uninitialized: [draws.count]).withMutablePointer { scratch in
        spread(parts) { part in
          let start = part * randomGrain
          let range = draws.lowerBound + start..<min(draws.lowerBound + start + randomGrain, draws.upperBound)
          counts[part] = Kernels.truncatedNormal(scratch + start, range, key, deviation: deviation)
        }
        let ends = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        spread(parts) { part in
          let count = min(ends[part + 1], room) - ends[part]
          if count > 0 { (out + ends[part]).update(from: scratch + part * randomGrain, count: count) }
        }
        return min(ends[parts], room)
      }
    }
  }
}
