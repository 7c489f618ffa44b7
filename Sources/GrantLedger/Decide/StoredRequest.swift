public import ClawWire

/// What became of a request; the numbers are what the ledger stores.
public enum RequestState: Int16, Sendable, Hashable, CaseIterable {
    /// It waits for an approval or a WPC.
    case waiting = 0
    /// Its token was minted.
    case issued = 1
    /// It was refused for good.
    case denied = 2
    /// What it waited for did not come in time.
    case expired = 3
}

/// The token of an issued request, by everything but itself.
public struct IssuedToken: Sendable, Hashable {
    /// SHA-256 of the compact token.
    public let tokenHash: Digest
    /// Claim `jti`.
    public let tokenID: TokenID
    /// Claim `token_scope_hash_b64u`.
    public let scopeHash: Digest
    /// The signing key.
    public let kid: KeyID
    /// Claim `iat`.
    public let issuedAt: Timestamp
    /// Claim `exp`.
    public let expiresAt: Timestamp
    /// Claim `scope`.
    public let scope: [String]
    /// What a control event reaches the token by; `nil` when it was not loaded.
    public let control: ControlReach?

    /// What a control event reaches a token by, beside what the request itself says.
    public struct ControlReach: Sendable, Hashable {
        /// Stands among ``scopes`` when the WPC forces the proxied model route and demands receipts. It is no scope that
        /// anybody can name.
        public static let proxiedRoute = "model_route:proxied"

        /// Scopes as `kind:value`: of subjects, entitlements, WPCs and sources; and ``proxiedRoute``.
        public let scopes: [String]
        /// Whether an elevated action was granted.
        public let isElevated: Bool
        /// The WPC.
        public let policyHash: Digest?
        /// Makes a reach.
        public init(scopes: [String], isElevated: Bool, policyHash: Digest?) {
            self.scopes = scopes
            self.isElevated = isElevated
            self.policyHash = policyHash
        }
    }

    /// Makes a record of a token.
    public init(
        tokenHash: Digest, tokenID: TokenID, scopeHash: Digest, kid: KeyID, issuedAt: Timestamp, expiresAt: Timestamp,
        scope: [String], control: ControlReach? = nil
    ) {
        self.control = control
        self.tokenHash = tokenHash
        self.tokenID = tokenID
        self.scopeHash = scopeHash
        self.kid = kid
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.scope = scope
    }
}

/// When and why a token was revoked.
public struct TokenRevocation: Sendable, Hashable {
    /// When.
    public let at: Timestamp
    /// Machine code of the cause.
    public let reason: String
    /// Makes a revocation.
    public init(at: Timestamp, reason: String) {
        self.at = at
        self.reason = reason
    }
}

/// A request as the ledger holds it.
public struct StoredRequest: Sendable, Hashable {
    /// Identifier.
    public let requestID: RequestID
    /// State.
    public var state: RequestState
    /// The job.
    public let jobID: JobID
    /// The job's class.
    public let jobClass: JobClass
    /// The agent.
    public let agentDID: AgentDID
    /// The stored request; `nil` once it has its outcome.
    public var body: [UInt8]?
    /// When the ledger first saw it.
    public let receivedAt: Timestamp
    /// Until when it waits.
    public var waitUntil: Timestamp?
    /// When it was decided.
    public var decidedAt: Timestamp?
    /// The approvals it rests on.
    public var approvals: [ApprovalID]
    /// Its token, when issued.
    public var token: IssuedToken?
    /// The revocation of its token.
    public var revocation: TokenRevocation?
    /// The keys by which an approval finds it while it waits.
    public let approvalReference: ApprovalID?
    /// See ``approvalReference``.
    public let ticketReference: String?
    /// See ``approvalReference``.
    public let subjectReference: PersonID?

    /// Makes a stored request.
    public init(
        requestID: RequestID, state: RequestState, jobID: JobID, jobClass: JobClass, agentDID: AgentDID,
        body: [UInt8]?, receivedAt: Timestamp, waitUntil: Timestamp?, decidedAt: Timestamp?, approvals: [ApprovalID],
        token: IssuedToken?, revocation: TokenRevocation?, approvalReference: ApprovalID?, ticketReference: String?,
        subjectReference: PersonID?
    ) {
        self.requestID = requestID
        self.state = state
        self.jobID = jobID
        self.jobClass = jobClass
        self.agentDID = agentDID
        self.body = body
        self.receivedAt = receivedAt
        self.waitUntil = waitUntil
        self.decidedAt = decidedAt
        self.approvals = approvals
        self.token = token
        self.revocation = revocation
        self.approvalReference = approvalReference
        self.ticketReference = ticketReference
        self.subjectReference = subjectReference
    }
}

/// An approval as the ledger holds it.
public struct StoredApproval: Sendable, Hashable {
    /// Identifier.
    public let approvalID: ApprovalID
    /// The encoded ``ApprovalState``.
    public var state: [UInt8]
    /// The person the entitlement is for.
    public var subject: PersonID?
    /// The ticket it names.
    public var ticket: String?
    /// The requests that were granted on it.
    public var usedBy: [RequestID]
    /// Its own outcome, once it has one that no request carries.
    public var outcome: String?
    /// When it is over if nothing uses it.
    public var closeAt: Timestamp?
    /// When the ledger last changed it; `nil` for one that was not loaded.
    public var updatedAt: Timestamp?
    /// The trace that the record came with which approved last; no decision rests on it.
    public var trace: TraceContext?
    /// The subject's principal name, by which signals may name the person.
    public var principalName: PersonID?
    /// The name of what it led to, ``AssignmentID/holder``; the first of several.
    public var assignment: PersonID?
    /// What else an end may name it by: who asked, approvers, and further subjects and assignments. Written and looked up,
    /// not read back; a name that was written stays.
    public var otherNames: Set<PersonID> = []

    /// Makes a stored approval.
    public init(
        approvalID: ApprovalID, state: [UInt8], subject: PersonID?, ticket: String?, usedBy: [RequestID],
        outcome: String?, closeAt: Timestamp?, updatedAt: Timestamp? = nil, trace: TraceContext? = nil,
        principalName: PersonID? = nil, assignment: PersonID? = nil
    ) {
        self.principalName = principalName
        self.assignment = assignment
        self.trace = trace
        self.updatedAt = updatedAt
        self.approvalID = approvalID
        self.state = state
        self.subject = subject
        self.ticket = ticket
        self.usedBy = usedBy
        self.outcome = outcome
        self.closeAt = closeAt
    }

    /// True when one of these ends may be about it.
    package func isHeld(by holders: Set<PersonID>) -> Bool {
        !holders.isEmpty
            && ([subject, principalName, assignment].contains { $0.map(holders.contains) ?? false }
                || !otherNames.isDisjoint(with: holders))
    }
}
