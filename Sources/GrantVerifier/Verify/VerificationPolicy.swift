public import ClawWire

/// What a gateway asks of a token.
///
/// Everything is required unless it is given up by name. Make one for the gateway, and set what belongs to a call, such
/// as the job, in a copy.
public struct VerificationPolicy: Sendable, Hashable {
    /// Which of the token's scope strings are needed. They are compared exactly: a wildcard in a token satisfies
    /// nothing but a requirement of that very text.
    public enum ScopeRequirement: Sendable, Hashable {
        /// All of them.
        case all([String])
        /// At least one of them.
        case any([String])
        /// None: for a service that only asks whether a token lives, such as introspection.
        case none
    }

    /// Which job the token must be bound to.
    public enum JobRequirement: Sendable, Hashable {
        /// This one: a token of another job is a replay.
        case exactly(JobID)
        /// Any, but one: for a gateway that passes the job on to whoever compares it.
        case bound
        /// None: for a service that only asks whether a token lives, such as introspection.
        case none
    }

    /// How the revocations are relied on.
    public enum ViewRequirement: Sendable, Hashable {
        /// They are complete and no older than so many seconds, or the token is refused.
        case strict(maximumAgeSeconds: Int64)
        /// What is known is used, however old and incomplete. A token revoked since is accepted.
        case lastKnown
    }

    /// Whom `aud` may name; at least one of them is needed, and an empty list accepts no token. `nil` accepts any
    /// audience: for introspection, never for a service that acts on tokens.
    public var audiences: [String]?
    /// Scope strings that are needed.
    public var scope: ScopeRequirement
    /// The job.
    public var job: JobRequirement
    /// The agent that presents the token, where the gateway knows it, such as from `X-Client-DID`.
    public var agent: AgentDID?
    /// Whose token it must be, by the claim `owner_did`: for a gateway that serves several tenants and several issuers'
    /// tokens of one audience. A token without the claim is then refused. `nil` accepts any and none.
    public var owner: String?
    /// The WPC that must be pinned; `nil` accepts any and none.
    public var policyHash: Digest?
    /// Longest `exp` − `iat`, in seconds.
    public var maximumLifetimeSeconds: Int64
    /// How far the issuer's clock may be ahead, in seconds. An expired token stays expired: that clock is the gateway's.
    public var clockSkewSeconds: Int64
    /// How the revocations are relied on.
    public var view: ViewRequirement
    /// Refuse a token that a cut-off may cover, while nobody can tell, see ``RevocationFinding/undetermined(_:)``.
    public var refusesUndetermined: Bool
    /// Refuse claims that no profile knows.
    public var refusesUnknownClaims: Bool

    /// Makes a policy.
    ///
    /// - Parameters:
    ///   - audiences: names under which the gateway is addressed.
    ///   - scope: scope strings that are needed.
    ///   - job: the job of the call.
    ///   - agent: the agent of the call.
    ///   - owner: the owner of the call's tenant.
    ///   - policyHash: the pinned WPC.
    ///   - maximumLifetimeSeconds: longest lifetime; an hour is the reference's longest.
    ///   - clockSkewSeconds: how far clocks may differ.
    ///   - view: how the revocations are relied on.
    ///   - refusesUndetermined: whether to refuse where nobody can tell.
    ///   - refusesUnknownClaims: whether to refuse claims that no profile knows.
    public init(
        audiences: [String]?, scope: ScopeRequirement, job: JobRequirement = .bound, agent: AgentDID? = nil,
        owner: String? = nil, policyHash: Digest? = nil, maximumLifetimeSeconds: Int64 = 3_600,
        clockSkewSeconds: Int64 = 60,
        view: ViewRequirement = .strict(maximumAgeSeconds: 15), refusesUndetermined: Bool = true,
        refusesUnknownClaims: Bool = true
    ) {
        self.audiences = audiences
        self.scope = scope
        self.job = job
        self.agent = agent
        self.owner = owner
        self.policyHash = policyHash
        self.maximumLifetimeSeconds = maximumLifetimeSeconds
        self.clockSkewSeconds = clockSkewSeconds
        self.view = view
        self.refusesUndetermined = refusesUndetermined
        self.refusesUnknownClaims = refusesUnknownClaims
    }
}
