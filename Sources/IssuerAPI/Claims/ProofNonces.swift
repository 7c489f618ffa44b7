import ClawWire
import Crypto

/// Nonces for proofs (RFC 9449 section 8), without memory: the second of making and a code over it, by a key that all
/// workers share. A nonce of one worker is taken by each of them.
struct ProofNonces: Sendable {
    /// Seconds by which another worker's clock may be ahead.
    private static let tolerance: Int64 = 5
    private static let codeBytes = 16

    private let key: SymmetricKey
    private let lifetime: Int64

    init(key: [UInt8], lifetime: Duration) {
        self.key = SymmetricKey(data: key)
        self.lifetime = lifetime.components.seconds
    }

    /// A nonce of now.
    func nonce(at now: Timestamp) -> String {
        let time = Self.bytes(now.seconds)
        return Base64URL.encode(time + code(time))
    }

    /// True for a nonce that was made here or by another worker, and not too long ago.
    func accepts(_ nonce: String, at now: Timestamp) -> Bool {
        guard let bytes = Base64URL.decode(nonce), bytes.count == 8 + Self.codeBytes else { return false }
        let made = bytes[..<8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        guard made >= now.seconds - lifetime, made <= now.seconds + Self.tolerance else { return false }
        let difference = zip(code(Array(bytes[..<8])), bytes[8...]).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
        return difference == 0
    }

    private func code(_ time: [UInt8]) -> [UInt8] {
        let message = Array("clawgrant dpop nonce".utf8) + time
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: key)).prefix(Self.codeBytes).map { $0 }
    }

    private static func bytes(_ seconds: Int64) -> [UInt8] {
        stride(from: Int64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: seconds >> $0) }
    }
}
