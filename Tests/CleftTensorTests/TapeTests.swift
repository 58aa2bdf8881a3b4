import CleftTensor
import Testing

@Suite struct TapeTests {
  @Test func recomputeGivesTheSameBitsAndReachesParameters() {
    let (x, w) = (numbers([4, 6], 1), numbers([6, 6], 2))
    func gradients(_ recomputes: Bool, inputTracked: Bool) -> (Tensor?, Tensor?) {
      let (xLeaf, wLeaf) = (Node(), Node())
      let input = inputTracked ? x.tracked(by: xLeaf) : x
      let weight = w.tracked(by: wLeaf)
      let body: (Tensor) -> Tensor = {
        gelu(dropout(linear($0, weight, nil), probability: 0.2, key: RandomKey(seed: 1)), .erf)
      }
      let y = recomputes ? recompute(input, body) : body(input)
      let all = contrastiveLoss(
        images: normalizeRows(y), texts: normalizeRows(numbers([4, 6], 3)), logitScale: Tensor([], [1])
      ).loss.gradients()
      return (all[xLeaf], all[wLeaf])
    }
    for tracked in [true, false] {
      let (plain, again) = (gradients(false, inputTracked: tracked), gradients(true, inputTracked: tracked))
      #expect(plain.0?.array == again.0?.array)
      #expect(plain.1?.array == again.1?.array)
      #expect(again.1 != nil, "a constant input must not detach the parameters inside")
    }
  }

  @Test func gradientsAddAndScale() {
    let leaf = Node()
    let x = numbers([1, 3], 1).tracked(by: leaf)
    func loss() -> Tensor { matmul(x, Tensor([1, 3], [1, 2, 3]), transposingB: true) }
    var sum = loss().gradients()
    sum.add(loss().gradients())
    sum.scale(by: 0.5)
    #expect(sum[leaf]?.array == [1, 2, 3])
  }

  @Test func randomKeysDependOnPurposeAndIndicesAlone() {
    let key = RandomKey(seed: 7)
    #expect(key.split("a", 1) == RandomKey(seed: 7).split("a", 1))
    #expect(key.split("a", 1) != key.split("a", 2))
    #expect(key.split("a") != key.split("b"))
    let mean = (0..<10_000).reduce(0.0) { $0 + key.uniform(at: $1) } / 10_000
    #expect(abs(mean - 0.5) < 0.01)
  }

  @Test func shapeMismatchNamesOperationAndShapes() async {
    await #expect(processExitsWith: .failure) {
      _ = linear(Tensor([2, 3]), Tensor([4, 5]), nil)
    }
  }
}
