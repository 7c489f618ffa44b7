public import ClawWire

/// What a bundle is worth to the reference's marketplace.
public enum ProofTier: String, Sendable, Hashable, CaseIterable {
    /// Nothing could be read.
    case unknown
    /// The agent's own word.
    case selfSigned = "self"
    /// At least one receipt of a gateway counts.
    case gateway
    /// At least one attestation of a sandbox counts.
    case sandbox
    /// A tool's run was witnessed (hosted verifier).
    case tee
    /// Witnesses of a browser session signed (hosted verifier).
    case witnessedWeb = "witnessed_web"
}

/// How many kinds of evidence hold.
public enum TrustTier: String, Sendable, Hashable, CaseIterable {
    /// The envelope does not hold.
    case unknown
    /// Only the envelope holds.
    case basic
    /// The event chain or all receipts hold.
    case verified
    /// The runner's attestation holds too.
    case attested
    /// Manifest, chain, receipts and attestations hold.
    case full
}

/// Why the reference refuses a bundle.
public struct ReferenceRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reference's reason code, for example `HASH_MISMATCH`.
    public let code: String
    /// The member concerned, written as the reference writes it, for example `payload.event_chain[1].event_id`.
    public let field: String?
    /// A sentence for people.
    public let detail: String
    /// True when the answer still carries tiers, bundle id and agent: the reference refused after it had weighed all.
    public let keepsTiers: Bool

    /// Makes a refusal.
    public init(_ code: String, _ field: String?, _ detail: String, keepsTiers: Bool = false) {
        self.code = code
        self.field = field
        self.detail = detail
        self.keepsTiers = keepsTiers
    }

    /// For example `HASH_MISMATCH (payload.urm): …`.
    public var description: String { "\(code)\(field.map { " (\($0))" } ?? ""): \(detail)" }
}

/// The reference's answer about a bundle.
public struct ReferenceVerdict: Sendable, Hashable {
    /// VALID or INVALID.
    public enum Status: String, Sendable, Hashable {
        /// The reference accepts.
        case valid = "VALID"
        /// The reference refuses.
        case invalid = "INVALID"
    }

    /// VALID or INVALID.
    public let status: Status
    /// Why not; `nil` when VALID.
    public let refusal: ReferenceRefusal?
    /// Trust tier; `nil` when the reference names none.
    public let trustTier: TrustTier?
    /// Proof tier; `nil` when the reference names none.
    public let proofTier: ProofTier?
    /// The reference's `component_results`, member by member as far as verification came and the answer shows them.
    public let components: JSONObject
    /// The reference's `risk_flags`, sorted.
    public let riskFlags: [String]

    /// `error.code` of the answer.
    public var code: String? { refusal?.code }
    /// `error.field` of the answer.
    public var field: String? { refusal?.field }
    /// Receipts in the bundle.
    public var receiptsCount: Int64? { components["receipts_count"]?.integer }
    /// Receipts that count for the proof tier.
    public var receiptsVerifiedCount: Int64? { components["receipts_verified_count"]?.integer }
    /// The reference's `envelope_valid`. True for an unsigned bare payload too: never rely on it.
    public var envelopeValid: Bool? { components["envelope_valid"]?.bool }
}
