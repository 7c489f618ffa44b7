/// What happened in a run, as a digest of every line and, where it is wanted, the lines themselves.
struct Trace {
    private(set) var lines: [String] = []
    /// FNV-1a over all lines: equal runs have equal digests.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var count = 0
    let isKept: Bool
    /// The newest lines of a run whose trace is not kept, for its report.
    private static let recent = 48

    init(isKept: Bool) { self.isKept = isKept }

    mutating func note(_ time: Int64, _ node: String, _ event: String) {
        count += 1
        mix(UInt64(bitPattern: time))
        mix(node)
        mix(event)
        guard isKept else { return }
        lines.append("\(Self.stamp(time)) \(node) \(event)")
    }

    private mutating func mix(_ text: String) {
        for byte in text.utf8 { mixByte(byte) }
        mixByte(0)
    }

    private mutating func mix(_ value: UInt64) {
        digest = (digest ^ value) &* 0x0000_0100_0000_01B3
    }

    private mutating func mixByte(_ byte: UInt8) {
        digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// Seconds and microseconds since the beginning.
    private static func stamp(_ time: Int64) -> String {
        let micros = String(time / 1_000 % 1_000_000)
        return "\(time / 1_000_000_000).\(String(repeating: "0", count: 6 - micros.count))\(micros)"
    }
}
