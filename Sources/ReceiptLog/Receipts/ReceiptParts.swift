public import ClawWire

/// Tags of this target's identifiers.
public enum EvidenceIdentifier {
    /// See ``ReceiptID``.
    public enum Receipt {}
    /// See ``WorkerID``.
    public enum Worker {}
}

/// Identifies a receipt; follows from what the receipt is about, see ``Receipt/id``.
public typealias ReceiptID = Identifier<EvidenceIdentifier.Receipt>
/// Names the worker that decided.
public typealias WorkerID = Identifier<EvidenceIdentifier.Worker>

/// Where a record of a topic stands.
public struct RecordOrigin: Sendable, Hashable, CustomStringConvertible {
    /// Topic.
    public let topic: String
    /// Partition.
    public let partition: Int32
    /// Offset.
    public let offset: Int64

    /// Names a record.
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    /// `topic/partition/offset`.
    public var description: String { "\(topic)/\(partition)/\(offset)" }
}

/// One piece of evidence that a decision looked at: the digest of the record, and where it was read.
public struct EvidenceInput: Sendable, Hashable {
    /// SHA-256 of the canonical record.
    public let digest: Digest
    /// Where it was read.
    public let origin: RecordOrigin
    /// The configured source that spoke.
    public let source: SourceName?

    /// Makes a reference to a piece of evidence.
    public init(digest: Digest, origin: RecordOrigin, source: SourceName? = nil) {
        self.digest = digest
        self.origin = origin
        self.source = source
    }
}

/// How an approval was known to be genuine; a property of its source.
public enum Authenticity: String, Sendable, Hashable, CaseIterable {
    /// The event or its batch carried a signature by a listed key.
    case signed
    /// It was read back from the vendor before issuing.
    case confirmed
    /// The broker's access control was the only guard.
    case topic
}

/// How a token reaches its job.
public enum DeliveryMode: String, Sendable, Hashable, CaseIterable {
    /// As a JWE to the job's key.
    case sealed
    /// In the clear, where a job class allows it by name.
    case plain
    /// By reference; the job claims it by proving a key.
    case reference
}

/// How far an authority reaches: what was asked for, or what was granted.
public struct AuthorityExtent: Sendable, Hashable {
    /// Scope strings.
    public let scope: [String]
    /// Gated actions.
    public let actions: [String]
    /// Audiences.
    public let audience: [String]
    /// Lifetime in seconds; `nil` where none was asked for.
    public let ttlSeconds: Int64?

    /// Makes an extent.
    public init(scope: [String], actions: [String] = [], audience: [String] = [], ttlSeconds: Int64? = nil) {
        self.scope = scope
        self.actions = actions
        self.audience = audience
        self.ttlSeconds = ttlSeconds
    }
}

/// Names a token without being one: no member of it lets its reader act.
public struct TokenReference: Sendable, Hashable {
    /// SHA-256 of the compact token's ASCII text; written in lowercase hexadecimal (WIRE section 2).
    public let tokenHash: Digest
    /// Claim `jti`.
    public let jti: TokenID
    /// Claim `token_scope_hash_b64u`.
    public let scopeHash: Digest
    /// Key that signed.
    public let kid: KeyID
    /// Claim `iat`, whole seconds.
    public let issuedAt: Timestamp
    /// Claim `exp`, whole seconds.
    public let expiresAt: Timestamp

    /// Names a token.
    public init(
        tokenHash: Digest, jti: TokenID, scopeHash: Digest, kid: KeyID, issuedAt: Timestamp, expiresAt: Timestamp
    ) {
        self.tokenHash = tokenHash
        self.jti = jti
        self.scopeHash = scopeHash
        self.kid = kid
        self.issuedAt = Timestamp(seconds: issuedAt.seconds)
        self.expiresAt = Timestamp(seconds: expiresAt.seconds)
    }
}

/// Why a token was revoked.
public enum RevocationCause: String, Sendable, Hashable, CaseIterable {
    /// The approval it rests on ended before its time.
    case approvalEnded = "approval_ended"
    /// The approved window passed.
    case approvalExpired = "approval_expired"
    /// Everything that rests on its subject became void.
    case subjectInvalidated = "subject_invalidated"
    /// A token of higher privilege took its place.
    case upgraded
    /// An emergency stop covers it.
    case stopped
    /// The key that signed it is no longer trusted.
    case keyWithdrawn = "key_withdrawn"
    /// Its budget is spent.
    case budgetSpent = "budget_spent"
    /// An operator asked for it.
    case requested
    /// Its WPC was replaced by another.
    case policyRotated = "policy_rotated"
    /// Elevated execution was disabled.
    case elevationDisabled = "elevation_disabled"
    /// Its WPC does not force the proxied model route, which was required.
    case proxyRequired = "proxy_required"
}
