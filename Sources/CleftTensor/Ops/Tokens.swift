/// Cuts images into square patches, each flattened in the order of a convolution's weights.
///
/// - Shapes: `images` `[B, C, H, W]`, `H` and `W` multiples of `size` → `[B·N, C·size·size]`, patches row by row.
/// - Saves: nothing; images get no gradient.
public func patchify(_ images: Tensor, size: Int) -> Tensor {
  let shape = images.shape
  precondition(
    shape.rank == 4 && shape[2] % size == 0 && shape[3] % size == 0,
    "patchify: [\(shape)] into patches of \(size)")
  precondition(!images.isTracked, "patchify: images are constants")
  let (batch, channels, height, width) = (shape[0], shape[1], shape[2], shape[3])
  let (down, across) = (height / size, width / size)
  let patchWidth = channels * size * size
  let result = Tensor(uninitialized: [batch * down * across, patchWidth])
  with(images, result) { x, y in
    parallel(batch * down, grain: 1) { range in
      for line in range {
        let (image, row) = (line / down, line % down)
        for column in 0..<across {
          let target = y + (line * across + column) * patchWidth
          for channel in 0..<channels {
            for v in 0..<size {
              let source =
                x + ((image * channels + channel) * height + row * size + v) * width + column * size
              (target + (channel * size + v) * size).update(from: source, count: size)
            }
          }
        }
      }
    }
  }
  return result
}

/// Puts class token, register tokens and patches of each image in one packed tensor, positions added.
///
/// Row order is [class, registers, patches]. Registers carry no position. `positions` has a row for the class token
/// first when it has one more row than there are patches.
///
/// - Shapes: `patches` `[B·N, C]`, `positions` `[N, C]` or `[1 + N, C]`, `classToken` `[C]`, `registers` `[R, C]`
///   → `[B·(1 + R + N), C]`.
/// - Source: Darcet et al. 2023, arXiv 2309.16588 (registers).
public func assembleTokens(
  patches: Tensor, positions: Tensor, classToken: Tensor, registers: Tensor?, batch: Int
) -> Tensor {
  let width = patches.shape.last
  let patchCount = patches.shape.rows / batch
  let registerCount = registers.map { $0.count / width } ?? 0
  let classRows = positions.count / width - patchCount
  precondition(
    classRows == 0 || classRows == 1, "assembleTokens: [\(positions.shape)] for \(patchCount) patches")
  let length = 1 + registerCount + patchCount
  let result = Tensor(uninitialized: [batch * length, width])
  with(patches, positions, classToken, registers ?? classToken) { patches, positions, cls, registers in
    result.withMutablePointer { out in
      parallel(batch, grain: 1) { range in
        for image in range {
          let target = out + image * length * width
          for c in 0..<width { target[c] = cls[c] + (classRows == 1 ? positions[c] : 0) }
          (target + width).update(from: registers, count: registerCount * width)
          Kernels.addRows(
            patches + image * patchCount * width, positions + classRows * width,
            into: target + (1 + registerCount) * width, count: patchCount * width)
        }
      }
    }
  }
  let inputs = [patches.node, positions.node, classToken.node, registers?.node]
  let (patchShape, positionShape, classShape) = (patches.shape, positions.shape, classToken.shape)
  let registerShape = registers?.shape ?? []
  return result.recorded(inputs) { gradient, sink in
    let firstPatch = (1 + registerCount) * width
    gradient.withMutablePointer { dy in
      if sink.wants(0) {
        sink.accumulate(0, patchShape) { target, beta in
          for image in 0..<batch {
            let source = dy + image * length * width + firstPatch
            let place = target + image * patchCount * width
            if beta == 0 {
              place.update(from: source, count: patchCount * width)
            } else {
              Kernels.addRows(place, source, into: place, count: patchCount * width)
            }
          }
        }
      }
      // Sums over the batch of `count` values that start `from` values into each image.
      func batchSum(_ input: Int, _ shape: Shape, _ pieces: [(from: Int, to: Int, count: Int)]) {
        guard sink.wants(input) else { return }
        sink.accumulate(input, shape) { target, beta in
          if beta == 0 { target.update(repeating: 0, count: shape.count) }
          for image in 0..<batch {
            for piece in pieces {
              let source = dy + image * length * width + piece.from
              Kernels.addRows(target + piece.to, source, into: target + piece.to, count: piece.count)
            }
          }
        }
      }
      batchSum(
        1, positionShape,
        [
          (from: 0, to: 0, count: classRows * width),
          (from: firstPatch, to: classRows * width, count: patchCount * width),
        ])
      batchSum(2, classShape, [(from: 0, to: 0, count: width)])
      batchSum(3, registerShape, [(from: width, to: 0, count: registerCount * width)])
    }
  }
}

/// Mean over the rows of each sequence of equal length.
///
/// - Shapes: `x` `[B·T, C]` → `[B, C]`.
public func meanOverSequences(_ x: Tensor, count batch: Int) -> Tensor {
  let width = x.shape.last
  let length = x.shape.rows / batch
  precondition(length * batch == x.shape.rows, "meanOverSequences: [\(x.shape)] in \(batch) parts")
  let result = Tensor([batch, width])
  let share = 1 / Float(length)
  with(x, result) { x, y in
    parallel(batch, grain: 1) { range in
      for item in range {
        let target = y + item * width
        for row in 0..<length {
          let source = x + (item * length + row) * width
          for c in 0..<width { target[c] += source[c] }
        }
        for c in 0..<width { target[c] *= share }
      }
    }
  }
  let shape = x.shape
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: shape)
    with(gradient, out) { dy, dx in
      parallel(batch * length, grain: 256) { range in
        for row in range {
          let source = dy + row / length * width
          for c in 0..<width { dx[row * width + c] = source[c] * share }
        }
      }
    }
    sink.add(0, out)
  }
}

extension Kernels {
  /// `out = a + b` on the calling thread.
  @inline(__always)
  static func addRows(_ a: Pointer, _ b: Pointer, into out: Pointer, count: Int) {
    for i in 0..<count { out[i] = a[i] + b[i] }
  }
}
