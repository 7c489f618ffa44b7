internal import Crypto

/// HMAC-SHA-256 (RFC 2104) with one key for many messages: the two blocks made of the key are hashed once, when the key
/// is taken.
struct KeyedHash: Sendable {
    private static let blockBytes = 64

    /// After the key's blocks, before any message.
    private let inner: SHA256
    private let outer: SHA256

    init(key: [UInt8]) {
        let bytes = key.count > Self.blockBytes ? Digest(hashing: key).bytes : key
        let block = bytes + [UInt8](repeating: 0, count: Self.blockBytes - bytes.count)
        inner = Self.hash(block, pad: 0x36)
        outer = Self.hash(block, pad: 0x5C)
    }

    private static func hash(_ block: [UInt8], pad: UInt8) -> SHA256 {
        let padded = block.map { $0 ^ pad }
        var hash = SHA256()
        hash.update(padded.span)
        return hash
    }

    func authenticationCode(of message: [UInt8]) -> Digest {
        var inner = inner
        inner.update(message.span)
        var outer = outer
        outer.update(Digest(inner.finalize()))
        return Digest(outer.finalize())
    }

    /// The second step of HKDF (RFC 5869 section 2.3), with this key as the pseudorandom one.
    func expand(info: [UInt8], count: Int) -> [UInt8] {
        var output: [UInt8] = []
        var last: [UInt8] = []
        var round: UInt8 = 1
        while output.count < count {
            last = authenticationCode(of: last + info + [round]).bytes
            output.append(contentsOf: last)
            round += 1
        }
        return Array(output.prefix(count))
    }

    /// The first step of HKDF without salt (RFC 5869 section 2.2): what it makes of key material is the key to expand.
    static func extracting(_ keyMaterial: [UInt8]) -> KeyedHash {
        KeyedHash(key: KeyedHash(key: []).authenticationCode(of: keyMaterial).bytes)
    }
}
