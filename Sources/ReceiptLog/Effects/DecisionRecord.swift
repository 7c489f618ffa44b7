public import ClawWire

/// The outcome of a request or an approval, as published: a `capability_response` (WIRE section 11) with our members
/// under the one key `clawgrant`, so that a reader of the closed schema has one key to drop.
public struct DecisionRecord: Sendable, Hashable {
    /// What became of it.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// A token was minted.
        case issued
        /// Refused for good.
        case denied
        /// Ran out of time.
        case expired
    }

    /// Outcome.
    public let outcome: Outcome
    /// Whom it is about. An approval that ended without a request has no request id.
    public let subject: Receipt.Subject
    /// Why, most important first.
    public let reasons: [Receipt.Reason]
    /// Path of the rule that decided.
    public let rule: String
    /// What was asked for.
    public let asked: AuthorityExtent?
    /// What was granted, with the token's names.
    public let granted: Granted?
    /// What would have been needed.
    public let needed: [String]
    /// Rules.
    public let rulesHash: Digest?
    /// WPC.
    public let policyHash: Digest?
    /// How the approval was known to be genuine.
    public let authenticity: Authenticity?
    /// When it was decided.
    public let decidedAt: Timestamp
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest

    /// What was granted.
    public struct Granted: Sendable, Hashable {
        /// How far it reaches.
        public let extent: AuthorityExtent
        /// The token's names.
        public let token: TokenReference
    }

    /// Derives the record of a decision's receipt; `nil` for receipts of other kinds.
    public init?(_ encoded: EncodedReceipt) {
        let receipt = encoded.receipt
        switch receipt.content {
        case .grantIssued(let grant):
            outcome = .issued
            granted = Granted(extent: grant.granted, token: grant.token)
        case .decisionDenied:
            outcome = .denied
            granted = nil
        case .decisionExpired:
            outcome = .expired
            granted = nil
        case .grantClaimed, .decisionQuarantined, .deadLetterRedriven, .deadLetterDiscarded, .revocation,
            .revocationsEnded,
            .keyChanged, .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated, .gatewayReceipt,
            .findingRaised, .budgetReached, .heartbeat:
            return nil
        }
        subject = receipt.subject
        reasons = receipt.reasons
        rule = receipt.content.rule ?? ""
        asked = receipt.content.asked
        needed = receipt.content.refusal?.needed ?? []
        rulesHash = receipt.provenance.rulesHash
        policyHash = receipt.provenance.policyHash
        authenticity = receipt.provenance.authenticity
        decidedAt = receipt.occurredAt
        receiptID = receipt.id
        receiptDigest = encoded.digest
    }

    /// Key on the decisions topic: the request, else the approval.
    public var recordKey: [UInt8] {
        Array((subject.requestID?.rawValue ?? subject.approvalIDs.first?.rawValue ?? receiptID.rawValue).utf8)
    }

    /// The word of the `capability_response`: it knows no expiry.
    var decision: String { outcome == .issued ? "granted" : "denied" }

    /// The published form.
    public var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter(capacity: 2_048)
        writer.openObject()
        writer.key("clawgrant")
        writeOurs(to: &writer)
        writer.member("decision", decision)
        if let granted {
            writer.key("granted_capability")
            writer.openObject()
            writer.member("capability_id", granted.token.jti.rawValue)
            writer.member("expires_at", granted.token.expiresAt)
            writer.member("policy_hash_b64u", policyHash)
            writer.member("scope_hash_b64u", granted.token.scopeHash)
            writer.member("ttl_seconds", granted.token.expiresAt.seconds - granted.token.issuedAt.seconds)
            writer.closeObject()
        }
        if let reason = reasons.first {
            writer.member("reason", reason.detail)
            writer.member("reason_code", reason.code)
        }
        writer.member("request_id", subject.requestID?.rawValue)
        writer.member("response_id", receiptID.rawValue)
        writer.member("response_version", "1")
        writer.member("timestamp", decidedAt)
        writer.closeObject()
        return writer.output
    }

    private func writeOurs(to writer: inout CanonicalWriter) {
        writer.openObject()
        writer.member("agent_did", subject.agentDID?.rawValue)
        writer.member("approval_ids", subject.approvalIDs.map(\.rawValue))
        if let asked { writer.member("asked", asked) }
        writer.member("authenticity", authenticity?.rawValue)
        if let granted { writer.member("granted", granted.extent) }
        writer.member("job_class", subject.jobClass?.rawValue)
        writer.member("job_id", subject.jobID?.rawValue)
        writer.member("needed", needed)
        writer.member("outcome", outcome.rawValue)
        writer.member("reasons", reasons)
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("rule", rule)
        writer.member("rules_hash_b64u", rulesHash)
        if let granted { writer.token(granted.token) }
        writer.member("wpc_hash_b64u", policyHash)
        writer.closeObject()
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let response = try MemberReader(parsing: bytes)
        try response.constant("response_version", "1")
        let reader = try response.nested("clawgrant")
        outcome = try reader.choice("outcome")
        subject = Receipt.Subject(
            requestID: try response.optionalString("request_id").map { RequestID($0) },
            approvalIDs: try reader.strings("approval_ids").map { ApprovalID($0) },
            jobID: try reader.optionalString("job_id").map { JobID($0) },
            jobClass: try reader.optionalString("job_class").map { JobClass($0) },
            agentDID: try reader.optionalString("agent_did").map { AgentDID($0) })
        reasons = try Receipt.Reason.list(reader, "reasons")
        rule = try reader.string("rule")
        if let extent = try reader.optionalNested("asked") {
            asked = try AuthorityExtent(extent)
        } else {
            asked = nil
        }
        if outcome == .issued {
            granted = Granted(
                extent: try AuthorityExtent(try reader.nested("granted")),
                token: try TokenReference(try reader.nested("token")))
        } else {
            granted = nil
        }
        needed = try reader.strings("needed")
        rulesHash = try reader.optionalDigest("rules_hash_b64u")
        policyHash = try reader.optionalDigest("wpc_hash_b64u")
        authenticity = reader.has("authenticity") ? try reader.choice("authenticity") : nil
        decidedAt = try response.timestamp("timestamp")
        receiptID = ReceiptID(try reader.string("receipt_id"))
        receiptDigest = try reader.digest("receipt_digest_b64u")
        try requireCanonical(canonicalBytes, bytes, "decision")
    }
}
