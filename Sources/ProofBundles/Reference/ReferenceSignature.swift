import ClawWire

/// How the reference checks hashes and signatures.
enum ReferenceSignature {
    /// What a DID says about the key.
    enum Key: Sendable {
        /// It names no Ed25519 key.
        case none
        /// It names one of another length: no signature of it holds.
        case unusable
        /// The key.
        case key(Ed25519PublicKey)
    }

    /// The key of a `did:key`. Only the two bytes before the key are looked at.
    static func key(of did: String) -> Key {
        let prefix = "did:key:z"
        guard did.utf8.starts(with: prefix.utf8), did.utf8.count <= 512,
            let decoded = Base58.decode(String(decoding: did.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)),
            decoded.count >= 2, decoded[0] == 0xED, decoded[1] == 0x01
        else { return .none }
        return Ed25519PublicKey(bytes: Array(decoded.dropFirst(2))).map { .key($0) } ?? .unusable
    }

    /// Reads a signature as the reference's decoder does: unused bits of the last character may be anything.
    static func signature(_ text: String) -> Ed25519Signature? {
        if let strict = Ed25519Signature(b64u: text) { return strict }
        let bytes = Array(text.utf8)
        guard bytes.count == 86, let last = bytes.last else { return nil }
        // 86 characters carry 516 bits for 512: the last character's low four bits say nothing.
        guard let value = alphabet.firstIndex(of: last) else { return nil }
        let cleared = bytes.dropLast() + [alphabet[value & 0x30]]
        return Ed25519Signature(b64u: String(decoding: cleared, as: UTF8.self))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// True when a DID's key signed a message.
    static func holds(_ signature: String, by did: String, over message: String) -> Bool {
        guard case .key(let key) = key(of: did), let signature = Self.signature(signature) else { return false }
        return key.isValidSignature(signature, for: Array(message.utf8))
    }

    /// The document-order hash of a payload; `nil` for an algorithm that the reference names but does not have.
    static func hash(_ payload: JSONValue, algorithm: String) -> String? {
        algorithm == "SHA-256" ? payload.documentDigest.b64u : nil
    }
}
