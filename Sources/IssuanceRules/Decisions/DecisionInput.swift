public import ClawWire

/// An approval that may serve a request, with what the ledger knows of its use.
public struct ApprovalCandidate: Sendable, Hashable {
    /// The approval.
    public let state: ApprovalState
    /// The request that got a token on it, if one did.
    public let usedBy: RequestID?
    /// Tokens that the approval's window has given so far.
    public let grantsInWindow: Int
    /// When its newest fact was read, by the ledger's clock: no decision on it is younger, whatever its source's clock
    /// says. `nil` when the ledger does not know.
    public let readAt: Timestamp?

    /// Makes a candidate.
    public init(state: ApprovalState, usedBy: RequestID? = nil, grantsInWindow: Int = 0, readAt: Timestamp? = nil) {
        self.state = state
        self.usedBy = usedBy
        self.grantsInWindow = grantsInWindow
        self.readAt = readAt
    }
}

/// The WPC that a request names, as far as it could be had.
public enum WPCAvailability: Sendable, Hashable {
    /// The request names none.
    case notRequested
    /// Verified against hash, signature and signers.
    case available(IssuancePolicy, hash: Digest)
    /// It could not be loaded; trying again may help.
    case unavailable(reason: String)
    /// It was loaded and does not stand: a code of the WPC family and a sentence.
    case invalid(code: String, detail: String)
}

/// The earlier request that an upgrade replaces, as the ledger knows it.
public struct UpgradeTarget: Sendable, Hashable {
    /// The earlier request.
    public let requestID: RequestID
    /// Its job.
    public let jobID: JobID
    /// Its agent.
    public let agentDID: AgentDID
    /// The scope its token grants.
    public let scope: [String]
    /// The elevated actions its token grants.
    public let elevatedActions: [String]
    /// The approvals it rests on.
    public let approvals: [ApprovalID]
    /// True while its token is neither expired nor revoked.
    public let isLive: Bool

    /// Makes a target.
    public init(
        requestID: RequestID, jobID: JobID, agentDID: AgentDID, scope: [String], elevatedActions: [String] = [],
        approvals: [ApprovalID], isLive: Bool
    ) {
        self.requestID = requestID
        self.jobID = jobID
        self.agentDID = agentDID
        self.scope = scope
        self.elevatedActions = elevatedActions
        self.approvals = approvals
        self.isLive = isLive
    }
}

/// All that a decision depends on beside the rules. The same input gives the same decision.
public struct DecisionInput: Sendable, Hashable {
    /// The request.
    public var request: CapabilityRequest
    /// The configured source it came from.
    public var requestSource: SourceName
    /// How it was authenticated.
    public var requestAuthenticity: Authenticity
    /// When it was first read, by the ledger's clock; the wait counts from here.
    public var receivedAt: Timestamp
    /// Approvals that may serve it, in any order; those that do not fit its binding are left out.
    public var approvals: [ApprovalCandidate]
    /// The WPC.
    public var wpc: WPCAvailability
    /// When the signing key's validity ends; `nil` for a key without an end.
    public var keyValidUntil: Timestamp?
    /// The request that this one upgrades, when it names one that is known.
    public var upgrade: UpgradeTarget?
    /// What is stopped, revoked and restricted, as the ledger has it in the transaction of the decision.
    public var control: ControlState
    /// The key that would sign; needed for stops of a key and for suspect keys.
    public var signingKey: KeyID?
    /// The `jti` that the token would have; needed only when the control state revokes one.
    public var tokenID: TokenID?
    /// What the job has used so far; needed only where something limits it. `nil` for a job that has used nothing.
    public var usage: JobUsage?
    /// What is known of the sources that the rules watch, by name; `nil` where nobody watches. A source that is watched
    /// and missing here was never heard.
    public var health: [SourceName: SourceHealth]?
    /// The instant of the decision.
    public var now: Timestamp

    /// Makes an input.
    public init(
        request: CapabilityRequest, requestSource: SourceName, requestAuthenticity: Authenticity,
        receivedAt: Timestamp, approvals: [ApprovalCandidate], wpc: WPCAvailability = .notRequested,
        keyValidUntil: Timestamp? = nil, upgrade: UpgradeTarget? = nil, control: ControlState = .none,
        signingKey: KeyID? = nil, tokenID: TokenID? = nil, usage: JobUsage? = nil, now: Timestamp
    ) {
        self.request = request
        self.requestSource = requestSource
        self.requestAuthenticity = requestAuthenticity
        self.receivedAt = receivedAt
        self.approvals = approvals
        self.wpc = wpc
        self.keyValidUntil = keyValidUntil
        self.upgrade = upgrade
        self.control = control
        self.signingKey = signingKey
        self.tokenID = tokenID
        self.usage = usage
        health = nil
        self.now = now
    }
}
