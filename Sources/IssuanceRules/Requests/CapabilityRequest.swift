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

    private struct Members: Sendable, Hashable {
        let requestID: RequestID
        let jobID: JobID
        let jobClass: JobClass
        let agentDID: AgentDID
        let subject: PersonID?
        let scope: [String]
        let actions: [String]
        let tools: [String]
        let audience: [String]
        let ttlSeconds: Int64?
        let policyHash: Digest?
        let approvalID: ApprovalID?
        let ticketNumber: String?
        let delivery: Delivery
        let upgradesRequest: RequestID?
        let reason: String?
        let requestedAt: Timestamp
    }

    /// Holds the members once for all copies: a request stands in its fact, in the approval that carries it, in the ledger's
    /// row and in what decides on it.
    private final class Box: Sendable {
        let members: Members

        init(_ members: Members) { self.members = members }
    }

    private let box: Box

    /// Identifies the request; at most one token is ever minted for it.
    public var requestID: RequestID { box.members.requestID }
    /// The job, claim `mission_id`.
    public var jobID: JobID { box.members.jobID }
    /// The class of the job, a key of the issuance rules.
    public var jobClass: JobClass { box.members.jobClass }
    /// The agent, claim `sub`.
    public var agentDID: AgentDID { box.members.agentDID }
    /// The person on whose entitlement the agent works; needed for the `entitlement` binding.
    public var subject: PersonID? { box.members.subject }
    /// Scope strings asked for.
    public var scope: [String] { box.members.scope }
    /// Elevated or otherwise gated actions asked for (WPC `approvals[].action`).
    public var actions: [String] { box.members.actions }
    /// Tool names asked for, checked against the WPC's tool policy.
    public var tools: [String] { box.members.tools }
    /// Audiences asked for; empty means the rule's.
    public var audience: [String] { box.members.audience }
    /// Lifetime asked for, in seconds.
    public var ttlSeconds: Int64? { box.members.ttlSeconds }
    /// The WPC the job runs under.
    public var policyHash: Digest? { box.members.policyHash }
    /// The approval the request names, by id.
    public var approvalID: ApprovalID? { box.members.approvalID }
    /// The approval the request names, by ticket number.
    public var ticketNumber: String? { box.members.ticketNumber }
    /// Where to deliver.
    public var delivery: Delivery { box.members.delivery }
    /// The token of this earlier request is replaced by a token of higher privilege and revoked.
    public var upgradesRequest: RequestID? { box.members.upgradesRequest }
    /// Why the job asks.
    public var reason: String? { box.members.reason }
    /// When the request was made, by its own clock.
    public var requestedAt: Timestamp { box.members.requestedAt }

    /// Makes a request.
    public init(
        requestID: RequestID, jobID: JobID, jobClass: JobClass, agentDID: AgentDID, subject: PersonID? = nil,
        scope: [String], actions: [String] = [], tools: [String] = [], audience: [String] = [],
        ttlSeconds: Int64? = nil, policyHash: Digest? = nil, approvalID: ApprovalID? = nil,
        ticketNumber: String? = nil, delivery: Delivery, upgradesRequest: RequestID? = nil, reason: String? = nil,
        requestedAt: Timestamp
    ) {
        let members = Members(
            requestID: requestID, jobID: jobID, jobClass: jobClass, agentDID: agentDID, subject: subject, scope: scope,
            actions: actions, tools: tools, audience: audience, ttlSeconds: ttlSeconds, policyHash: policyHash,
            approvalID: approvalID, ticketNumber: ticketNumber, delivery: delivery, upgradesRequest: upgradesRequest,
            reason: reason, requestedAt: requestedAt)
        box = Box(members)
    }

    /// Requests are equal when all their members are.
    public static func == (left: CapabilityRequest, right: CapabilityRequest) -> Bool {
        left.box === right.box || left.box.members == right.box.members
    }

    /// Hashes all members.
    public func hash(into hasher: inout Hasher) { hasher.combine(box.members) }
}
