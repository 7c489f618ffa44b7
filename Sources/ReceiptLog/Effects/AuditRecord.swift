public import ClawWire

/// The issuance audit record of the reference (WIRE section 5): the claims of a token beside its hash, never the token.
///
/// It stands in audit bundles, for readers of the reference's. What it says is in receipts and grants, which are sealed
/// and proven, so that there is no topic of it.
public struct AuditRecord: Sendable, Hashable {
    /// SHA-256 of the compact token; written in lowercase hexadecimal.
    public let tokenHash: Digest
    /// When it was issued, whole seconds.
    public let issuedAt: Timestamp
    /// Key that signed.
    public let kid: KeyID
    /// Version of the issuing policy.
    public let policyVersion: String
    /// Tier of the issuing policy.
    public let policyTier: String
    /// The claims that the record repeats.
    public let claims: JSONObject

    /// The claims that the reference repeats, in its order.
    public static let repeatedClaims = [
        "sub", "aud", "scope", "iat", "exp", "owner_ref", "owner_did", "controller_did", "agent_did",
        "policy_hash_b64u", "control_plane_policy_hash_b64u", "token_scope_hash_b64u", "payment_account_did",
        "spend_cap", "mission_id", "delegation_id", "delegator_did", "delegate_did", "delegation_policy_hash_b64u",
        "delegation_spend_cap_minor", "delegation_expires_at", "token_lane", "jti",
    ]

    /// Makes the record of a minted token; claims that the reference does not repeat, as `nonce`, are left out.
    public init(
        tokenHash: Digest, issuedAt: Timestamp, kid: KeyID, claims: JSONObject, policyVersion: String = "1",
        policyTier: String = "default"
    ) {
        self.tokenHash = tokenHash
        self.issuedAt = Timestamp(seconds: issuedAt.seconds)
        self.kid = kid
        self.policyVersion = policyVersion
        self.policyTier = policyTier
        self.claims = JSONObject(Self.repeatedClaims.compactMap { name in claims[name].map { (name, $0) } })
    }

    /// The members in the reference's order.
    public var members: JSONObject {
        var object: JSONObject = [
            "token_hash": .string(tokenHash.hex), "issued_at": .integer(issuedAt.seconds),
            "issued_at_iso": .string(issuedAt.iso8601),
        ]
        for name in ["sub", "aud", "scope", "iat", "exp"] { object[name] = claims[name] }
        object["kid"] = .string(kid.rawValue)
        object["policy_version"] = .string(policyVersion)
        object["policy_tier"] = .string(policyTier)
        for member in claims.members { object[member.key] = member.value }
        return object
    }

    /// The key under which the reference keeps the record: newest first.
    public var eventKey: String { Self.eventKey("issuance", at: issuedAt, tokenHash) }

    /// A key of the reference's event store: the time counted down from 9 999 999 999 in ten digits, and the token.
    public static func eventKey(_ stream: String, at time: Timestamp, _ tokenHash: Digest) -> String {
        let inverted = String(max(0, 9_999_999_999 - time.seconds))
        let digits = String(repeating: "0", count: max(0, 10 - inverted.utf8.count)) + inverted
        return "events:\(stream):\(digits):\(tokenHash.hex)"
    }

    /// The record as canonical text.
    public var canonicalBytes: [UInt8] { JSONWriter.bytes(.object(members), order: .canonical) }

    /// Reads a record.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        self.init(
            tokenHash: try reader.hexDigest("token_hash"), issuedAt: try reader.seconds("issued_at"),
            kid: KeyID(try reader.string("kid")), claims: reader.object,
            policyVersion: try reader.string("policy_version"), policyTier: try reader.string("policy_tier"))
        try requireCanonical(canonicalBytes, bytes, "audit")
    }
}
