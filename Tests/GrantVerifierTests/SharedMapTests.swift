import TestSupport
import Testing

@testable import GrantVerifier

struct SharedMapTests {
    /// A key whose hashes collide.
    private struct Colliding: Hashable {
        let value: Int
        func hash(into hasher: inout Hasher) { hasher.combine(value % 3) }
    }

    @Test func itIsADictionaryWhoseCopiesStandStill() {
        var random = SeededGenerator(seed: 4)
        var map = SharedMap<Int, Int>()
        var model: [Int: Int] = [:]
        var copies: [(SharedMap<Int, Int>, [Int: Int])] = []
        for round in 0..<5_000 {
            let key = Int.random(in: 0..<1_500, using: &random)
            let value: Int? = Int.random(in: 0..<3, using: &random) == 0 ? nil : round
            map[key] = value
            model[key] = value
            if round.isMultiple(of: 500) { copies.append((map, model)) }
        }
        for (map, model) in copies + [(map, model)] {
            #expect(map.count == model.count)
            var seen: [Int: Int] = [:]
            map.forEach { seen[$0] = $1 }
            #expect(seen == model)
            for key in 0..<1_500 { #expect(map[key] == model[key]) }
        }
        #expect(copies[3].0 != map)
    }

    @Test func equalContentIsEqualWhateverItsHistory() {
        var left = SharedMap<Int, Int>()
        var right = SharedMap<Int, Int>()
        for n in 0..<500 { left[n] = n }
        for n in (0..<1_000).reversed() { right[n] = n }
        for n in 500..<1_000 { right[n] = nil }
        #expect(left == right)
        right[7] = 8
        #expect(left != right)
    }

    @Test func keysOfOneHashAreToldApart() {
        var map = SharedMap<Colliding, Int>()
        for n in 0..<200 { map[Colliding(value: n)] = n }
        #expect(map.count == 200)
        for n in 0..<200 { #expect(map[Colliding(value: n)] == n) }
        for n in 0..<200 { map[Colliding(value: n)] = nil }
        #expect(map.count == 0)
        #expect(map[Colliding(value: 1)] == nil)
    }
}
