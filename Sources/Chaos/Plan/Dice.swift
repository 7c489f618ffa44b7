/// A generator that throws the same for the same seed on every machine (SplitMix64).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    /// Dice of their own for each purpose: the streams of two purposes have nothing to do with each other.
    init(seed: UInt64, _ purpose: UInt64...) {
        state = seed
        for number in purpose {
            state = next() ^ (number &* 0xD6E8_FEB8_6659_FD93)
        }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A whole number of a range, each with the same chance.
    mutating func roll(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// True in so many of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { roll(0...99) < percent }
}
