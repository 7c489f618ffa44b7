import ClawWire

/// A signed receipt in `payload.metadata`, in the common envelope (WIRE section 8.1).
struct EvidenceEnvelope {
    /// The envelope.
    let envelope: Part
    /// Its payload.
    let payload: Part
    /// `payload_hash_b64u` as written.
    let hash: String
    /// `signature_b64u` as written.
    let signature: String
    /// `signer_did`.
    let signer: String
    /// `issued_at`, in milliseconds since 1970.
    let issuedAt: Int64

    private static let members: Set<String> = [
        "envelope_version", "envelope_type", "payload", "payload_hash_b64u", "hash_algorithm", "signature_b64u",
        "algorithm", "signer_did", "issued_at",
    ]

    /// Reads the envelope and closes its set of members.
    ///
    /// - Throws: the verifier's codes in the reference's order.
    init(
        _ value: JSONValue, at path: String, type: String, codes: MetadataCodes
    ) throws(ReferenceRefusal) {
        guard let object = value.object else {
            throw ReferenceRefusal(codes.malformed, path, "must be a signed envelope")
        }
        let envelope = Part(members: object, path: path)
        guard envelope.isClosed(Self.members) else {
            throw ReferenceRefusal(codes.malformed, path, "the envelope has a member of another name")
        }
        try envelope.constant("envelope_version", "1", else: codes.malformed)
        try envelope.constant("envelope_type", type, else: codes.malformed)
        try envelope.constant("hash_algorithm", "SHA-256", else: codes.hashAlgorithm)
        try envelope.constant("algorithm", "Ed25519", else: codes.algorithm)
        hash = try envelope.base64URL("payload_hash_b64u", else: codes.malformed)
        signature = try envelope.base64URL("signature_b64u", else: codes.malformed)
        signer = try envelope.did("signer_did", else: codes.did)
        issuedAt = try envelope.date("issued_at", else: codes.malformed)
        payload = try envelope.part("payload", else: codes.malformed)
        self.envelope = envelope
    }

    /// Refuses a payload with another hash, or a signature that is not the signer's.
    func verify() throws(ReferenceRefusal) {
        try Self.verify(envelope, payload: payload, hash: hash, signature: signature, signer: signer)
    }

    /// Refuses a payload with another hash, or a signature that is not the signer's.
    static func verify(
        _ envelope: Part, payload: Part, hash: String, signature: String, signer: String
    ) throws(ReferenceRefusal) {
        try envelope.require(
            JSONValue.object(payload.members).documentDigest.b64u == hash, "HASH_MISMATCH", "payload_hash_b64u",
            "the payload has another hash")
        if case .none = ReferenceSignature.key(of: signer) {
            throw envelope.refusal("INVALID_DID_FORMAT", "signer_did", "the signer is no Ed25519 did:key")
        }
        try envelope.require(
            ReferenceSignature.holds(signature, by: signer, over: hash), "SIGNATURE_INVALID", "signature_b64u",
            "the signature is not the signer's")
    }
}

/// A list of revoked keys that a signed document carries.
enum RevokedKeys {
    /// Refuses a document whose signer it names as revoked by the time of the document.
    ///
    /// - Parameters:
    ///   - key: the member that holds the list.
    ///   - part: the document.
    ///   - signer: the DID that signed it.
    ///   - time: when it says that it was made, in milliseconds since 1970.
    static func check(
        _ key: String, of part: Part, signer: String, at time: Int64, codes: MetadataCodes
    ) throws(ReferenceRefusal) {
        guard let value = part[key] else { return }
        guard let entries = value.array else { throw part.refusal(codes.malformed, key, "must be an array") }
        for (index, entry) in entries.enumerated() {
            guard let object = entry.object else {
                throw part.refusal(codes.malformed, "\(key)[\(index)]", "must be an object")
            }
            let revocation = Part(members: object, path: part.field("\(key)[\(index)]"))
            try revocation.constant("revocation_version", "1", else: codes.malformed)
            let revoked = try revocation.did("revoked_signer_did", else: codes.did)
            let effective = try revocation.date("effective_at", else: codes.malformed)
            if let reason = revocation["reason"], Loose.filled(reason) == nil {
                throw revocation.refusal(codes.malformed, "reason", "must be a text that is not empty")
            }
            guard revoked != signer || effective > time else {
                throw revocation.refusal("REVOKED", "revoked_signer_did", "the signer's key was revoked")
            }
        }
    }
}
