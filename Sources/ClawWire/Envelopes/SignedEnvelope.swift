/// Why an envelope is refused, with the reference verifiers' code (WIRE sections 8.1 and 8.2).
public struct EnvelopeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No object, a member missing, or one of another type or form.
        case malformed = "MALFORMED_ENVELOPE"
        /// `envelope_version` is unknown.
        case unknownVersion = "UNKNOWN_ENVELOPE_VERSION"
        /// `envelope_type` is not the expected one.
        case unknownType = "UNKNOWN_ENVELOPE_TYPE"
        /// `algorithm` is not `Ed25519`.
        case unknownAlgorithm = "UNKNOWN_ALGORITHM"
        /// `hash_algorithm` is not `SHA-256`.
        case unknownHashAlgorithm = "UNKNOWN_HASH_ALGORITHM"
        /// A member is there that the envelope does not have.
        case schemaInvalid = "SCHEMA_VALIDATION_FAILED"
        /// `signer_did` is no Ed25519 `did:key`.
        case invalidDID = "INVALID_DID_FORMAT"
        /// No signer is allowed at all.
        case noAllowlist = "DEPENDENCY_NOT_CONFIGURED"
        /// The signer is not an allowed one.
        case signerNotAllowed = "CLAIM_NOT_FOUND"
        /// `payload_hash_b64u` is not the payload's hash.
        case hashMismatch = "HASH_MISMATCH"
        /// The signature is not the signer's.
        case signatureInvalid = "SIGNATURE_INVALID"
        /// `expires_at` has passed.
        case expired = "EXPIRED_TTL"
    }

    /// What is wrong.
    public let code: Code
    /// The member concerned, when it is one.
    public let field: String?
    /// A sentence for people.
    public let detail: String

    init(_ code: Code, field: String? = nil, _ detail: String) {
        self.code = code
        self.field = field
        self.detail = detail
    }

    /// For example `HASH_MISMATCH (payload_hash_b64u): …`.
    public var description: String { "\(code.rawValue)\(field.map { " (\($0))" } ?? ""): \(detail)" }
}

/// The envelope in which the Claw services sign a payload (WIRE section 8.1).
///
/// The signature covers the ASCII text of `payload_hash_b64u` and nothing else: type, signer and dates are not signed.
/// So a signature of one type is valid for every type, and a key must sign for one purpose only.
public struct SignedEnvelope: Sendable, Hashable {
    /// How the payload is hashed.
    public enum HashRule: Sendable, Hashable {
        /// In document order: every type but the WPC.
        case document
        /// RFC 8785: the WPC.
        case canonical

        /// The payload's hash under this rule.
        public func digest(_ payload: JSONObject) -> Digest {
            switch self {
            case .document: JSONValue.object(payload).documentDigest
            case .canonical: JSONValue.object(payload).canonicalDigest
            }
        }
    }

    /// `envelope_type`.
    public let type: String
    /// `payload`, in document order.
    public let payload: JSONObject
    /// `payload_hash_b64u`.
    public let payloadHash: HashText
    /// `signature_b64u`.
    public let signature: Ed25519Signature
    /// `signer_did`.
    public let signerDID: String
    /// `issued_at`, RFC 3339. Not signed.
    public let issuedAt: String
    /// `expires_at`, RFC 3339. Not signed.
    public let expiresAt: String?

    /// Signs a payload.
    ///
    /// - Throws: what the signer throws.
    public static func sign(
        type: String, payload: JSONObject, rule: HashRule, signer: any Ed25519Signer, issuedAt: Timestamp,
        expiresAt: Timestamp? = nil
    ) throws -> SignedEnvelope {
        let hash = HashText(rule.digest(payload))
        return SignedEnvelope(
            type: type, payload: payload, payloadHash: hash, signature: try signer.sign(Array(hash.text.utf8)),
            signerDID: signer.publicKey.did, issuedAt: issuedAt.iso8601, expiresAt: expiresAt?.iso8601)
    }

    /// The envelope as JSON, members in the reference's order.
    public var json: JSONValue {
        var object: JSONObject = [
            "envelope_version": "1", "envelope_type": .string(type), "payload": .object(payload),
            "payload_hash_b64u": .string(payloadHash.text), "hash_algorithm": "SHA-256",
            "signature_b64u": .string(signature.b64u), "algorithm": "Ed25519", "signer_did": .string(signerDID),
            "issued_at": .string(issuedAt),
        ]
        if let expiresAt { object["expires_at"] = .string(expiresAt) }
        return .object(object)
    }

    private static let members: Set<String> = [
        "envelope_version", "envelope_type", "payload", "payload_hash_b64u", "hash_algorithm", "signature_b64u",
        "algorithm", "signer_did", "issued_at", "expires_at",
    ]

    /// Reads an envelope of a type without verifying it.
    ///
    /// - Throws: ``EnvelopeError`` in the reference's order: shape, version, type, algorithms, foreign members, DID,
    ///   forms.
    public static func parse(_ value: JSONValue, type expected: String) throws(EnvelopeError) -> SignedEnvelope {
        guard let object = value.object else {
            throw EnvelopeError(.malformed, "an envelope is an object, not \(value.typeName)")
        }
        func text(_ key: String) throws(EnvelopeError) -> String {
            guard let text = object[key]?.string, !text.isEmpty else {
                throw EnvelopeError(.malformed, field: key, "the member \(key) must be a text")
            }
            return text
        }
        let version = try text("envelope_version")
        let type = try text("envelope_type")
        let algorithm = try text("algorithm")
        let hashAlgorithm = try text("hash_algorithm")
        let hash = try text("payload_hash_b64u")
        let signature = try text("signature_b64u")
        let signer = try text("signer_did")
        let issuedAt = try text("issued_at")
        let expiresAt = object.contains("expires_at") ? try text("expires_at") : nil
        guard let payload = object["payload"]?.object else {
            throw EnvelopeError(.malformed, field: "payload", "the payload must be an object")
        }
        guard version == "1" else {
            throw EnvelopeError(.unknownVersion, field: "envelope_version", "only version 1 is known")
        }
        guard ExactText.equal(type, expected) else {
            throw EnvelopeError(
                .unknownType, field: "envelope_type",
                "the type is \"\(type.cut(toBytes: 64))\"; \"\(expected)\" was expected"
            )
        }
        guard algorithm == "Ed25519" else {
            throw EnvelopeError(.unknownAlgorithm, field: "algorithm", "only Ed25519 is known")
        }
        guard hashAlgorithm == "SHA-256" else {
            throw EnvelopeError(.unknownHashAlgorithm, field: "hash_algorithm", "only SHA-256 is known")
        }
        if let foreign = object.keys.first(where: { !members.contains($0) }) {
            throw EnvelopeError(
                .schemaInvalid, field: foreign.cut(toBytes: 64), "an envelope has no member of this name")
        }
        guard signer.hasPrefix("did:"), signer.utf8.count <= 256 else {
            throw EnvelopeError(.invalidDID, field: "signer_did", "the signer is no DID")
        }
        guard let hash = HashText(hash) else {
            throw EnvelopeError(.malformed, field: "payload_hash_b64u", "a hash has 43 characters of base64url")
        }
        guard let signature = Ed25519Signature(b64u: signature) else {
            throw EnvelopeError(.malformed, field: "signature_b64u", "a signature is strict base64url of 64 bytes")
        }
        for (key, date) in [("issued_at", issuedAt), ("expires_at", expiresAt ?? issuedAt)] {
            guard Timestamp(rfc3339: date) != nil else {
                throw EnvelopeError(.malformed, field: key, "the date is not RFC 3339 with an offset")
            }
        }
        return SignedEnvelope(
            type: type, payload: payload, payloadHash: hash, signature: signature, signerDID: signer,
            issuedAt: issuedAt, expiresAt: expiresAt)
    }

    /// Verifies the envelope.
    ///
    /// - Parameters:
    ///   - rule: how the type's payload is hashed.
    ///   - signers: the DIDs whose signature counts for this type; none is trusted when it is empty.
    ///   - now: when given, `expires_at` must be later; it is not signed, so it can only shorten.
    /// - Throws: ``EnvelopeError`` in the reference's order: allowlist, hash, DID, signature, expiry.
    public func verify(
        rule: HashRule, signers: Set<String>, now: Timestamp? = nil
    ) throws(EnvelopeError) -> VerifiedEnvelope {
        guard !signers.isEmpty else {
            throw EnvelopeError(.noAllowlist, field: "signer_did", "no signer is allowed for \(type)")
        }
        guard signers.contains(where: { ExactText.equal($0, signerDID) }) else {
            throw EnvelopeError(.signerNotAllowed, field: "signer_did", "\(signerDID) is not an allowed signer")
        }
        guard HashText(rule.digest(payload)) == payloadHash else {
            throw EnvelopeError(.hashMismatch, field: "payload_hash_b64u", "the payload has another hash")
        }
        guard let key = Ed25519PublicKey(did: signerDID) else {
            throw EnvelopeError(.invalidDID, field: "signer_did", "the signer is no Ed25519 did:key")
        }
        guard key.isValidSignature(signature, for: Array(payloadHash.text.utf8)) else {
            throw EnvelopeError(.signatureInvalid, field: "signature_b64u", "the signature is not \(signerDID)'s")
        }
        if let now, let expiresAt {
            guard let expiry = Timestamp(rfc3339: expiresAt), now < expiry else {
                throw EnvelopeError(.expired, field: "expires_at", "the envelope expired at \(expiresAt)")
            }
        }
        return VerifiedEnvelope(envelope: self, signer: key)
    }
}

/// An envelope whose hash and signature were checked against an allowed signer.
public struct VerifiedEnvelope: Sendable, Hashable {
    /// The envelope.
    public let envelope: SignedEnvelope
    /// The key that signed it.
    public let signer: Ed25519PublicKey
}
