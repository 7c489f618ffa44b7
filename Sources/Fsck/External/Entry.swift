import ClawWire

/// Writes the parts of a fixed-width entry, big-endian so that bytes sort as numbers do.
struct EntryWriter {
    private(set) var bytes: [UInt8] = []

    init(width: Int) { bytes.reserveCapacity(width) }

    mutating func put(_ byte: UInt8) { bytes.append(byte) }

    mutating func put(_ value: UInt32) {
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func put(_ value: UInt64) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// A number of either sign, so that smaller ones sort first.
    mutating func put(_ value: Int64) { put(UInt64(bitPattern: value) ^ 1 << 63) }

    mutating func put(_ value: Int32) { put(UInt32(bitPattern: value) ^ 1 << 31) }

    mutating func put(_ fingerprint: Fingerprint) {
        put(fingerprint.high)
        put(fingerprint.low)
    }
}

/// Reads what ``EntryWriter`` wrote.
struct EntryReader {
    let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func byte() -> UInt8 {
        defer { position += 1 }
        return bytes[position]
    }

    mutating func uint32() -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 { value = value << 8 | UInt32(byte()) }
        return value
    }

    mutating func uint64() -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<8 { value = value << 8 | UInt64(byte()) }
        return value
    }

    mutating func int64() -> Int64 { Int64(bitPattern: uint64() ^ 1 << 63) }

    mutating func int32() -> Int32 { Int32(bitPattern: uint32() ^ 1 << 31) }

    mutating func fingerprint() -> Fingerprint { Fingerprint(high: uint64(), low: uint64()) }
}

/// The first half of a SHA-256 digest: what names, texts and records are known by in sorted runs.
struct Fingerprint: Hashable, Comparable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(_ digest: Digest) {
        let bytes = digest.bytes
        var words: (UInt64, UInt64) = (0, 0)
        for i in 0..<8 {
            words.0 = words.0 << 8 | UInt64(bytes[i])
            words.1 = words.1 << 8 | UInt64(bytes[i + 8])
        }
        (high, low) = words
    }

    init(_ text: String) { self.init(Digest(hashing: text)) }

    init(_ bytes: [UInt8]) { self.init(Digest(hashing: bytes)) }

    static func < (left: Fingerprint, right: Fingerprint) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}
