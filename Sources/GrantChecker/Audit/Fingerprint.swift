import ClawWire

/// The first 16 bytes of a SHA-256: enough to tell apart what an honest system and an accident can produce, in half the
/// memory.
struct Fingerprint: Hashable {
    let high: UInt64
    let low: UInt64

    init(_ digest: Digest) {
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in digest.bytes.prefix(16).enumerated() {
            if index < 8 { words.0 = words.0 << 8 | UInt64(byte) } else { words.1 = words.1 << 8 | UInt64(byte) }
        }
        (high, low) = words
    }

    init(_ text: String) { self.init(Digest(hashing: text)) }

    /// Of the 16 bytes themselves.
    init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
