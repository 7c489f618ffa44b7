public import ClawWire

/// What is not as the grants say it should be. Codes are listed with their remedies in `docs/budgets.md`.
public struct UsageFinding: Sendable, Hashable {
    /// What, for machines. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A call with a token that was not issued here, or with none: shadow use.
        case unknownScope = "GATEWAY_UNKNOWN_SCOPE"
        /// A call after the token was revoked.
        case afterRevocation = "GATEWAY_AFTER_REVOCATION"
        /// A call after the token had expired.
        case afterExpiry = "GATEWAY_AFTER_EXPIRY"
        /// A call before the token was issued.
        case beforeGrant = "GATEWAY_BEFORE_GRANT"
        /// A call under another WPC than the grant's.
        case wrongPolicy = "GATEWAY_WRONG_POLICY"
        /// A receipt of a signer that is not listed.
        case wrongSigner = "GATEWAY_WRONG_SIGNER"
        /// A receipt id that was used before, with another payload.
        case replayedReceipt = "GATEWAY_RECEIPT_REPLAYED"
        /// A run id that calls of two jobs carry.
        case runInTwoJobs = "GATEWAY_RUN_IN_TWO_JOBS"
        /// More was used than the budget allows.
        case budgetExceeded = "BUDGET_EXCEEDED"
        /// A budget in money, and a model without a price.
        case priceUnknown = "BUDGET_PRICE_UNKNOWN"
        /// What the vendor answered about an approval is not what its source said.
        case approvalContradicted = "APPROVAL_CONTRADICTED"

        /// How grave it is.
        public var severity: Severity {
            switch self {
            case .unknownScope, .afterRevocation, .afterExpiry, .wrongPolicy, .wrongSigner, .replayedReceipt,
                .runInTwoJobs, .approvalContradicted:
                .critical
            case .beforeGrant, .budgetExceeded, .priceUnknown: .warning
            }
        }
    }

    /// How grave a finding is. The text is the wire form.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// Somebody should look at it.
        case warning
        /// Somebody must look at it now.
        case critical
    }

    /// By how much a budget was exceeded.
    public struct Excess: Sendable, Hashable {
        /// The limit.
        public let limit: Budget.Limit
        /// What was used.
        public let used: Int64
        /// Calls that were on their way when the tokens were revoked.
        public let callsInFlight: Int64
    }

    /// What.
    public let code: Code
    /// For people.
    public let detail: String
    /// What it is about: `signer/receipt_id`, `run:id`, `job:id` or `approval:id`.
    public let about: String
    /// Hashes of the evidence.
    public let evidence: [Digest]
    /// The grant it is about, when there is one.
    public let grant: UsageGrant?
    /// By how much a budget was exceeded.
    public let excess: Excess?

    /// Makes a finding.
    public init(
        _ code: Code, _ detail: String, about: String, evidence: [Digest] = [], grant: UsageGrant? = nil,
        excess: Excess? = nil
    ) {
        self.code = code
        self.detail = detail
        self.about = about
        self.evidence = evidence
        self.grant = grant
        self.excess = excess
    }

    /// Identifies it: the same code about the same thing on the same evidence is one finding. The first hash of the
    /// evidence decides: what else there is follows from the rest.
    public var key: Digest {
        let excess = excess.map { excess in
            let kind = "\(excess.limit.dimension.rawValue)/\(excess.limit.currency ?? "")"
            return "\(kind):\(excess.limit.amount):\(excess.used)"
        }
        return JSONValue.array([
            .string(code.rawValue), .string(about), .optional(excess), .optional(evidence.first?.b64u),
        ]).canonicalDigest
    }

    /// A second payload under a name that was used before.
    public static func replay(_ call: ObservedCall, known: Digest?) -> UsageFinding {
        UsageFinding(
            .replayedReceipt, "the receipt id was used before, for another payload; it is not counted again",
            about: call.name.description, evidence: [call.payloadHash] + (known.map { [$0] } ?? []))
    }
}
