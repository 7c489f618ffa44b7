internal import Crypto

/// A SHA-256 digest.
///
/// Its text is base64url of 43 characters everywhere but in token hashes and file digests, which are lowercase
/// hexadecimal (WIRE sections 1 and 2).
public struct Digest: Sendable, Hashable, Comparable, CustomStringConvertible {
    private let a: UInt64
    private let b: UInt64
    private let c: UInt64
    private let d: UInt64

    /// Hashes bytes.
    public init(hashing bytes: [UInt8]) {
        var hash = SHA256()
        hash.update(bytes.span)
        self.init(hash.finalize())
    }

    /// Hashes the UTF-8 bytes of text.
    public init(hashing text: String) {
        var hash = SHA256()
        hash.update(text.utf8.span)
        self.init(hash.finalize())
    }

    /// Hashes the concatenation of byte strings.
    public init(hashing parts: [[UInt8]]) {
        var hash = SHA256()
        for part in parts { hash.update(part.span) }
        self.init(hash.finalize())
    }

    /// Hashes a byte and data: a leaf of a Merkle tree (RFC 9162 section 2.1.1).
    public init(hashing prefix: UInt8, _ data: [UInt8]) {
        var hash = SHA256()
        hash.update(prefix)
        hash.update(data.span)
        self.init(hash.finalize())
    }

    /// Hashes two digests, after a byte where there is one: an inner node of a Merkle tree (RFC 9162 section 2.1.1).
    public init(hashing prefix: UInt8?, _ left: Digest, _ right: Digest) {
        // The prefix is the last byte of a word of its own, so that it stands right before the digests.
        let words = (
            UInt64(prefix ?? 0).bigEndian, left.a.bigEndian, left.b.bigEndian, left.c.bigEndian, left.d.bigEndian,
            right.a.bigEndian, right.b.bigEndian, right.c.bigEndian, right.d.bigEndian
        )
        var hash = SHA256()
        unsafe withUnsafeBytes(of: words) { (buffer: UnsafeRawBufferPointer) in
            let unused = prefix == nil ? 8 : 7
            unsafe hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[unused...]))
        }
        self.init(hash.finalize())
    }

    init(_ digest: SHA256Digest) {
        (a, b, c, d) = unsafe digest.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) in
            unsafe Self.words(buffer)
        }
    }

    /// Takes 32 bytes as a digest, or returns `nil` for another length.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for (i, byte) in bytes.enumerated() {
            switch i / 8 {
            case 0: words.0 = words.0 << 8 | UInt64(byte)
            case 1: words.1 = words.1 << 8 | UInt64(byte)
            case 2: words.2 = words.2 << 8 | UInt64(byte)
            default: words.3 = words.3 << 8 | UInt64(byte)
            }
        }
        (a, b, c, d) = words
    }

    /// Takes 32 bytes as a digest, or returns `nil` for another length.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        let words = unsafe bytes.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) in
            unsafe Self.words(buffer)
        }
        (a, b, c, d) = words
    }

    /// The four big-endian words of 32 bytes.
    private static func words(_ buffer: UnsafeRawBufferPointer) -> (UInt64, UInt64, UInt64, UInt64) {
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: unsafe buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        return (word(0), word(8), word(16), word(24))
    }

    /// Reads 43 characters of strict base64url.
    public init?(b64u: some StringProtocol) { self.init(b64u: String(b64u)) }

    /// Reads 43 characters of strict base64url.
    public init?(b64u: String) {
        guard b64u.utf8.count == 43, let bytes = Base64URL.decode(b64u) else { return nil }
        self.init(bytes: bytes)
    }

    /// Reads 64 hexadecimal digits of either case.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes: bytes)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { unsafe withBytes { (buffer: UnsafeRawBufferPointer) in unsafe Array(buffer) } }

    fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe withUnsafeBytes(of: (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian), body)
    }

    /// Base64url, 43 characters.
    public var b64u: String {
        var text: [UInt8] = []
        appendB64U(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Lowercase hexadecimal, 64 characters.
    public var hex: String {
        var text: [UInt8] = []
        appendHex(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends ``b64u`` to a buffer.
    public func appendB64U(to output: inout [UInt8]) {
        unsafe withBytes { (buffer: UnsafeRawBufferPointer) in
            unsafe Base64URL.append(buffer.bindMemory(to: UInt8.self).span, to: &output)
        }
    }

    /// Appends ``hex`` to a buffer.
    public func appendHex(to output: inout [UInt8]) {
        unsafe withBytes { (buffer: UnsafeRawBufferPointer) in
            unsafe Hex.append(buffer.bindMemory(to: UInt8.self).span, to: &output)
        }
    }

    /// Base64url.
    public var description: String { b64u }

    /// Orders digests by their bytes.
    public static func < (left: Digest, right: Digest) -> Bool {
        (left.a, left.b, left.c, left.d) < (right.a, right.b, right.c, right.d)
    }
}

extension SHA256 {
    mutating func update(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) in unsafe update(bufferPointer: buffer) }
    }

    fileprivate mutating func update(_ byte: UInt8) {
        unsafe withUnsafeBytes(of: byte) { (buffer: UnsafeRawBufferPointer) in unsafe update(bufferPointer: buffer) }
    }

    mutating func update(_ digest: ClawWire.Digest) {
        unsafe digest.withBytes { (buffer: UnsafeRawBufferPointer) in unsafe update(bufferPointer: buffer) }
    }
}

extension JSONValue {
    /// SHA-256 of the value's RFC 8785 text: the *JCS hash* of WIRE section 1.
    public var canonicalDigest: Digest { Digest(hashing: JSONWriter.bytes(self, order: .canonical)) }

    /// SHA-256 of the value as `JSON.stringify` prints it: the *insertion-order hash* of WIRE section 1.
    public var documentDigest: Digest { Digest(hashing: JSONWriter.bytes(self, order: .document)) }
}
