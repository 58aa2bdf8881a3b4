/// Extents of max pooling over channels-last images.
struct PoolingKernel {
  typealias Pointer = UnsafeMutablePointer<Float>

  let input, output: ImageGrid
  let channels, size, stride, padding: Int

  /// Writes the maxima, and which tap each one came from.
  func forward(_ x: Pointer, into y: Pointer, taps: UnsafeMutablePointer<UInt8>) {
    parallel(output.batch * output.height, grain: 1) { lines in
      for line in lines {
        for row in line * output.width..<(line + 1) * output.width {
          let (best, tap) = (y + row * channels, taps + row * channels)
          best.update(repeating: -.infinity, count: channels)
          tap.update(repeating: 0, count: channels)
          eachTap(row) { number, pixel in
            let source = x + pixel * channels
            for c in 0..<channels {
              let isLarger = source[c] > best[c]
              best[c] = isLarger ? source[c] : best[c]
              tap[c] = isLarger ? number : tap[c]
            }
          }
        }
      }
    }
  }

  /// `dx = beta · dx`, plus each gradient at the pixel its maximum came from.
  func backward(_ dy: Pointer, taps: UnsafePointer<UInt8>, into dx: Pointer, beta: Float) {
    spread(input.batch) { image in
      let pixels = input.height * input.width * channels
      if beta == 0 { (dx + image * pixels).update(repeating: 0, count: pixels) }
      let rows = output.height * output.width
      for row in image * rows..<(image + 1) * rows {
        let (gradient, tap) = (dy + row * channels, taps + row * channels)
        eachTap(row) { number, pixel in
          let target = dx + pixel * channels
          for c in 0..<channels { target[c] += tap[c] == number ? gradient[c] : 0 }
        }
      }
    }
  }

  /// Names every pixel under the window of an output row that lies in the image.
  @inline(__always)
  private func eachTap(_ row: Int, _ body: (_ number: UInt8, _ pixel: Int) -> Void) {
    let (line, outputX) = (row / output.width, row % output.width)
    let (image, outputY) = (line / output.height, line % output.height)
    for ky in 0..<size {
      let y = outputY * stride - padding + ky
      if y < 0 || y >= input.height { continue }
      for kx in 0..<size {
        let x = outputX * stride - padding + kx
        if x < 0 || x >= input.width { continue }
        body(UInt8(truncatingIfNeeded: ky * size + kx), (image * input.height + y) * input.width + x)
      }
    }
  }
}
