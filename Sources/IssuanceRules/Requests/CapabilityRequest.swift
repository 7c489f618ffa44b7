public import ClawWire

/// A job's request for a token: which job, which agent, which scope, under which WPC, delivered to which key.
///
/// The wire form is the `capability_request` of WIRE section 11 with our fields beside it.
public struct CapabilityRequest: Sendable, Hashable {
    /// How a token reaches the job.
    public enum Delivery: Sendable, Hashable {
        /// A JWE to the job's X25519 public key (32 bytes).
        case sealed(publicKey: [UInt8])
        /// The token itself in the grant; a job class must allow it by name.
        case plain
        /// The grant names the token and the job claims it by proving the key with this JWK thumbprint (RFC 7638). A request
        /// of an earlier version names none, and nobody could claim its token.
        case reference(claimKey: Digest?)
    }

    /// Identifies the request; at most one token is ever minted for it.
    public let requestID: RequestID
    /// The job, claim `mission_id`.
    public let jobID: JobID
    /// The class of the job, a key of the issuance rules.
    public let jobClass: JobClass
    /// The agent, claim `sub`.
    public let agentDID: AgentDID
    /// The person on whose entitlement the agent works; needed for the `entitlement` binding.
    public let subject: PersonID?
    /// Scope strings asked for.
    public let scope: [String]
    /// Elevated or otherwise gated actions asked for (WPC `approvals[].action`).
    public let actions: [String]
    /// Tool names asked for, checked against the WPC's tool policy.
    public let tools: [String]
    /// Audiences asked for; empty means the rule's.
    public let audience: [String]
    /// Lifetime asked for, in seconds.
    public let ttlSeconds: Int64?
    /// The WPC the job runs under.
    public let policyHash: Digest?
    /// The approval the request names, by id.
    public let approvalID: ApprovalID?
    /// The approval the request names, by ticket number.
    public let ticketNumber: String?
    /// Where to deliver.
    public let delivery: Delivery
    /// The token of this earlier request is replaced by a token of higher privilege and revoked.
    public let upgradesRequest: RequestID?
    /// Why the job asks.
    public let reason: String?
    /// When the request was made, by its own clock.
    public let requestedAt: Timestamp

    /// Makes a request.
    public init(
        requestID: RequestID, jobID: JobID, jobClass: JobClass, agentDID: AgentDID, subject: PersonID? = nil,
        scope: [String], actions: [String] = [], tools: [String] = [], audience: [String] = [],
        ttlSeconds: Int64? = nil, policyHash: Digest? = nil, approvalID: ApprovalID? = nil,
        ticketNumber: String? = nil, delivery: Delivery, upgradesRequest: RequestID? = nil, reason: String? = nil,
        requestedAt: Timestamp
    ) {
        self.requestID = requestID
        self.jobID = jobID
        self.jobClass = jobClass
        self.agentDID = agentDID
        self.subject = subject
        self.scope = scope
        self.actions = actions
        self.tools = tools
        self.audience = audience
        self.ttlSeconds = ttlSeconds
        self.policyHash = policyHash
        self.approvalID = approvalID
        self.ticketNumber = ticketNumber
        self.delivery = delivery
        self.upgradesRequest = upgradesRequest
        self.reason = reason
        self.requestedAt = requestedAt
    }
}
