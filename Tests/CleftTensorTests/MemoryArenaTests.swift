import CleftTensor
import Testing

/// Blocks cut from slabs and joined again.
struct MemoryArenaTests {
  private struct Held {
    let address, end: UInt
    let span: Int
  }

  private func taken(_ arena: inout MemoryArena, _ byteCount: Int) -> Held {
    let (address, span) = arena.take(byteCount) ?? arena.takeFresh(byteCount)
    return Held(address: address, end: address + UInt(byteCount), span: span)
  }

  @Test func blocksNeverOverlapAndAllComesBack() {
    var arena = MemoryArena()
    var generator = RandomKey(seed: 7).generator
    var held: [Held] = []
    for _ in 0..<6_000 {
      if held.isEmpty || generator.chance(0.52) && held.count < 400 {
        // From single numbers to several megabytes.
        let size = 1 << (2 + Int(generator.uniform() * 20))
        held.append(taken(&arena, size + Int(generator.uniform() * Double(size))))
        #expect(held[held.count - 1].address % 1_024 == 0)
      } else {
        let place = Int(generator.uniform() * Double(held.count))
        arena.give(held.remove(at: place).span)
      }
    }
    let sorted = held.sorted { $0.address < $1.address }
    #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0.end <= $1.address })
    for block in held { arena.give(block.span) }
    // Everything has been joined: blocks of whole slabs need no new ones.
    let slabs = arena.slabCount
    let whole = (0..<slabs).map { _ in taken(&arena, 32 << 20) }
    #expect(arena.slabCount == slabs && arena.slabBytes == slabs << 25)
    for block in whole { arena.give(block.span) }
  }

  @Test func aStepOfTheSameBlocksNeedsNothingNew() {
    var arena = MemoryArena()
    var counts: [Int] = []
    for step in 0..<12 {
      // What a step keeps varies with the length of its captions.
      let sizes = (0..<60).map { (1 + $0 % 7) * (9_000 + 37 * ((step * 5 + $0) % 11)) }
      let blocks = sizes.map { taken(&arena, $0) }
      for block in blocks.reversed() { arena.give(block.span) }
      counts.append(arena.slabCount)
    }
    #expect(counts == Array(repeating: counts[0], count: 12))
  }

  @Test func aBlockBeyondASlabHasOneOfItsOwn() {
    var arena = MemoryArena()
    let block = taken(&arena, 100 << 20)
    #expect(arena.slabCount == 1 && arena.slabBytes == 100 << 20)
    arena.give(block.span)
    // Smaller ones are cut from it.
    let parts = (0..<10).map { _ in taken(&arena, 10 << 20) }
    #expect(arena.slabCount == 1)
    for part in parts { arena.give(part.span) }
  }
}
