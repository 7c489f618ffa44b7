/// Why a key document is refused.
public struct KeyDocumentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable {
        /// No JSON, or another shape.
        case malformed
        /// A version this code does not know.
        case unknownVersion = "unknown_version"
        /// A `kid` is not the one of its key, or is there twice.
        case kidMismatch = "kid_mismatch"
        /// The snapshot's hash is not the hash of its signed text.
        case hashMismatch = "hash_mismatch"
        /// The snapshot's signer is not among the keys given.
        case unknownSigner = "unknown_signer"
        /// The snapshot's signature is not the signer's.
        case signatureInvalid = "signature_invalid"
        /// The signing key is not the active one.
        case notActive = "not_active"
    }
    /// What is wrong.
    public let code: Code
    /// A sentence for people.
    public let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Code and sentence.
    public var description: String { "\(code.rawValue): \(detail)" }
}

/// The published key set (RFC 7517, RFC 8037; WIRE section 5).
public enum JWKS {
    /// The document of the keys that are accepted at an instant, signing ones first.
    ///
    /// - Parameter signals: keys by which Security Event Tokens are verified; they stand behind the others.
    public static func document(_ keys: AcceptedKeys, signals: [PublicJWK] = [], now: Timestamp) -> JSONValue {
        ["keys": .array(keys.accepted(at: now).map { jwk($0.key) } + signals.map(\.json))]
    }

    /// One key as the services print it.
    public static func jwk(_ key: Ed25519PublicKey) -> JSONValue {
        [
            "kty": "OKP", "crv": "Ed25519", "x": .string(Base64URL.encode(key.bytes)),
            "kid": .string(key.kid.rawValue), "alg": "EdDSA", "use": "sig", "ext": true,
        ]
    }

    /// Reads a key set. Keys of other types or uses are passed over, as RFC 7517 §5 asks.
    ///
    /// - Throws: ``KeyDocumentError`` with `malformed` when it is no key set or one of our type is broken,
    ///   `kid_mismatch` when a `kid` is not its key's or is there twice.
    public static func parse(
        _ bytes: [UInt8], limits: JSONLimits = .token
    ) throws(KeyDocumentError) -> [Ed25519PublicKey] {
        let document: JSONValue
        do {
            document = try JSONReader.parse(bytes, limits: limits)
        } catch {
            throw KeyDocumentError(.malformed, error.description)
        }
        guard let elements = document["keys"]?.array else {
            throw KeyDocumentError(.malformed, "a key set has a list \"keys\"")
        }
        var keys: [Ed25519PublicKey] = []
        for element in elements {
            guard element["kty"]?.string == "OKP", element["crv"]?.string == "Ed25519",
                element["use"]?.string ?? "sig" == "sig", element["alg"]?.string ?? "EdDSA" == "EdDSA"
            else { continue }
            guard let x = element["x"]?.string, let bytes = Base64URL.decode(x),
                let key = Ed25519PublicKey(bytes: bytes), element["d"] == nil
            else {
                throw KeyDocumentError(.malformed, "an Ed25519 key has no public x of 32 bytes, or has a private d")
            }
            if let kid = element["kid"]?.string, !ExactText.equal(kid, key.kid.rawValue) {
                throw KeyDocumentError(.kidMismatch, "the key under kid \(kid.cut(toBytes: 64)) has kid \(key.kid)")
            }
            guard !keys.contains(key) else { throw KeyDocumentError(.kidMismatch, "kid \(key.kid) is there twice") }
            keys.append(key)
        }
        return keys
    }
}
