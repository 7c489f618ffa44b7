public import ClawWire

/// What became of a request, with everything a reader needs to see why.
public struct Decision: Sendable, Hashable {
    /// The outcome.
    public enum Outcome: Sendable, Hashable {
        /// A token is minted from this plan.
        case issue(GrantPlan)
        /// Final refusal.
        case deny
        /// Final: what was waited for did not come in time, or the window passed.
        case expire
        /// Not yet: the request waits, at the latest until the instant given, when it expires.
        case wait(until: Timestamp)
    }

    /// Outcome.
    public let outcome: Outcome
    /// Why, most important first. Never empty but for `issue`, where they are notes on what was shortened.
    public let reasons: [Reason]
    /// Path of the rule that decided, for example `job_classes.prod_db_maintenance.ttl`.
    public let rule: String
    /// The approvals that were looked at.
    public let approvals: [ApprovalID]
    /// What would have been needed, for people: one sentence an unmet condition.
    public let needed: [String]
    /// For `wait`: an instant at which the answer may change by itself, because a window begins.
    public let recheckAt: Timestamp?

    /// Makes a decision.
    public init(
        outcome: Outcome, reasons: [Reason], rule: String, approvals: [ApprovalID], needed: [String],
        recheckAt: Timestamp? = nil
    ) {
        self.outcome = outcome
        self.reasons = reasons
        self.rule = rule
        self.approvals = approvals
        self.needed = needed
        self.recheckAt = recheckAt
    }
}

/// One reason with its detail.
public struct Reason: Sendable, Hashable {
    /// The code, for machines.
    public let code: ReasonCode
    /// One sentence, for people, naming the values concerned.
    public let detail: String
    /// Makes a reason.
    public init(_ code: ReasonCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}

/// What a token to be minted contains, before it has an id and an issue time.
public struct GrantPlan: Sendable, Hashable {
    /// Claim `sub`.
    public let agentDID: AgentDID
    /// Claim `aud`.
    public let audience: [String]
    /// Claim `scope`.
    public let scope: [String]
    /// Claim `iat`, whole seconds.
    public let issuedAt: Timestamp
    /// Claim `exp`, whole seconds; later than ``issuedAt``.
    public let expiresAt: Timestamp
    /// Claim `mission_id`.
    public let jobID: JobID
    /// Class of the job.
    public let jobClass: JobClass
    /// Claim `policy_hash_b64u`, when pinned.
    public let policyHash: Digest?
    /// Claim `owner_ref`: digest of the approvals the token rests on.
    public let approvalDigest: Digest
    /// The approvals the token rests on.
    public let approvals: [ApprovalID]
    /// The people who approved.
    public let approvers: [PersonID]
    /// Elevated actions that are in scope.
    public let elevatedActions: [String]
    /// How the token is delivered.
    public let delivery: CapabilityRequest.Delivery
    /// The earlier request whose token this one replaces.
    public let replaces: RequestID?

    /// Makes a plan.
    public init(
        agentDID: AgentDID, audience: [String], scope: [String], issuedAt: Timestamp, expiresAt: Timestamp,
        jobID: JobID, jobClass: JobClass, policyHash: Digest?, approvalDigest: Digest, approvals: [ApprovalID],
        approvers: [PersonID], elevatedActions: [String], delivery: CapabilityRequest.Delivery, replaces: RequestID?
    ) {
        self.agentDID = agentDID
        self.audience = audience
        self.scope = scope
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.jobID = jobID
        self.jobClass = jobClass
        self.policyHash = policyHash
        self.approvalDigest = approvalDigest
        self.approvals = approvals
        self.approvers = approvers
        self.elevatedActions = elevatedActions
        self.delivery = delivery
        self.replaces = replaces
    }
}

extension Decision {
    /// The refusal that a worker records which decides and mints nothing: what it would have granted, and why it did not.
    public func withoutMinting(_ plan: GrantPlan) -> Decision {
        let extent = "\(plan.scope.joined(separator: " ")) for job \(plan.jobID) until \(plan.expiresAt)"
        return Decision(
            outcome: .deny,
            reasons: [
                Reason(.capabilityDryRun, "a token for \(extent) would have been minted; this worker only decides")
            ],
            rule: rule, approvals: approvals, needed: [])
    }
}
