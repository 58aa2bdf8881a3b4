import CleftTensor
import Testing

/// Time in products and in attention; in processes of their own, where nothing else computes.
@Suite struct WorkSecondsTests {
  @Test func productsAreTimed() async {
    await #expect(processExitsWith: .success) {
      let a = Tensor([300, 300], repeating: 1)
      #expect(Runtime.workSeconds.products == 0)
      let start = ContinuousClock.now
      for _ in 0..<4 { _ = matmul(a, a) }
      let passed = (ContinuousClock.now - start) / .seconds(1)
      let work = Runtime.workSeconds
      #expect(work.products > 0 && work.products <= passed)
      #expect(work.attention == 0)
    }
  }

  /// The products inside count as attention alone, and the time of two threads does not add up.
  @Test func attentionIsTimedOnce() async {
    await #expect(processExitsWith: .success) {
      Runtime.configure(threads: 2)
      let layout = SequenceLayout.uniform(count: 4, length: 64)
      let options = AttentionOptions(headCount: 4, scale: 0.25)
      let qkv = Tensor([4 * 64, 3 * 64], repeating: 0.01)
      let start = ContinuousClock.now
      let out = attention(qkv.tracked(by: Node()), layout, options)
      let passed = (ContinuousClock.now - start) / .seconds(1)
      let forward = Runtime.workSeconds
      #expect(forward.attention > 0 && forward.attention <= passed)
      #expect(forward.products == 0)

      let ones = Tensor([1, out.count], repeating: 1)
      _ = matmul(out.reshaped([1, out.count]), ones, transposingB: true).gradients()
      #expect(Runtime.workSeconds.attention > forward.attention)
    }
  }
}
