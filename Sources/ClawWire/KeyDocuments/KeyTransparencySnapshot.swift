/// A signed statement of which keys were accepted at a time (WIRE section 5).
///
/// Unlike an envelope's, the signature covers the statement's JSON text itself, not its hash.
public struct KeyTransparencySnapshot: Sendable, Hashable {
    /// `generated_at`, seconds since the epoch.
    public let generatedAt: Int64
    /// The keys.
    public let roster: KeyRoster
    /// `snapshot_hash_b64u`.
    public let hash: HashText
    /// `signer_kid`.
    public let signerKid: KeyID
    /// `signature_b64u`.
    public let signature: Ed25519Signature

    /// Signs a snapshot with the active key.
    ///
    /// - Throws: ``KeyDocumentError`` with `not_active` when the signer is not the roster's active key; what the signer
    ///   throws.
    public static func sign(
        _ roster: KeyRoster, generatedAt: Timestamp, signer: any Ed25519Signer
    ) throws -> KeyTransparencySnapshot {
        let kid = signer.publicKey.kid
        guard kid == roster.activeKid else {
            throw KeyDocumentError(.notActive, "key \(kid) cannot sign: the active key is \(roster.activeKid)")
        }
        let text = signedText(roster, generatedAt: generatedAt.seconds)
        return KeyTransparencySnapshot(
            generatedAt: generatedAt.seconds, roster: roster, hash: HashText(Digest(hashing: text)), signerKid: kid,
            signature: try signer.sign(text))
    }

    /// `snapshot_id`.
    public var id: String { "kts_\(generatedAt)_\(roster.activeKid)" }

    /// The JSON text that is hashed and signed: nine members.
    public var signedText: [UInt8] { Self.signedText(roster, generatedAt: generatedAt) }

    private static func signedText(_ roster: KeyRoster, generatedAt: Int64) -> [UInt8] {
        JSONWriter.bytes(.object(signedObject(roster, generatedAt: generatedAt)), order: .document)
    }

    private static func signedObject(_ roster: KeyRoster, generatedAt: Int64) -> JSONObject {
        [
            "snapshot_version": "1", "generated_at": .integer(generatedAt),
            "generated_at_iso": .string(Timestamp(seconds: generatedAt).iso8601),
            "active_kid": .string(roster.activeKid.rawValue), "accepted_kids": KeyRoster.json(roster.acceptedKids),
            "signing_kids": KeyRoster.json(roster.signingKids),
            "verify_only_kids": KeyRoster.json(roster.verifyOnlyKids), "expiring_kids": roster.expiringJSON,
            "overlap_seconds": .integer(roster.overlapSeconds),
        ]
    }

    /// The document, members in the reference's order.
    public var json: JSONValue {
        var object = Self.signedObject(roster, generatedAt: generatedAt)
        object["snapshot_id"] = .string(id)
        object["snapshot_hash_b64u"] = .string(hash.text)
        object["signer_kid"] = .string(signerKid.rawValue)
        object["signature_b64u"] = .string(signature.b64u)
        return .object(object)
    }

    /// Reads a snapshot and verifies hash and signature.
    ///
    /// - Parameters:
    ///   - value: the document. The signed text is printed again from its members, so a document with members in
    ///     another order verifies too, and one with other members than the nine does not gain anything by them.
    ///   - keys: keys that may sign snapshots.
    /// - Throws: ``KeyDocumentError``.
    public static func verify(
        _ value: JSONValue, keys: [Ed25519PublicKey]
    ) throws(KeyDocumentError) -> KeyTransparencySnapshot {
        guard let object = value.object else { throw KeyDocumentError(.malformed, "a snapshot is an object") }
        guard object["snapshot_version"]?.string == "1" else {
            throw KeyDocumentError(.unknownVersion, "only snapshot version 1 is known")
        }
        guard let generatedAt = object["generated_at"]?.integer,
            let hash = object["snapshot_hash_b64u"]?.string.flatMap({ HashText($0) }),
            let signerKid = object["signer_kid"]?.string,
            let signature = object["signature_b64u"]?.string.flatMap({ Ed25519Signature(b64u: $0) })
        else { throw KeyDocumentError(.malformed, "generated_at, hash, signer_kid or signature is missing") }
        let snapshot = KeyTransparencySnapshot(
            generatedAt: generatedAt, roster: try KeyRoster(object), hash: hash, signerKid: KeyID(signerKid),
            signature: signature)
        let text = snapshot.signedText
        guard HashText(Digest(hashing: text)) == hash else {
            throw KeyDocumentError(.hashMismatch, "snapshot_hash_b64u is not the hash of the snapshot")
        }
        guard let key = keys.first(where: { $0.kid == snapshot.signerKid }) else {
            throw KeyDocumentError(.unknownSigner, "no key given has kid \(snapshot.signerKid)")
        }
        guard key.isValidSignature(signature, for: text) else {
            throw KeyDocumentError(.signatureInvalid, "the signature is not key \(key.kid)'s")
        }
        return snapshot
    }
}
