/// The claims of a Claw Scoped Token (WIRE section 2), in the order in which they are minted.
///
/// Absent claims are left out of the JSON, never written as `null`. The values are kept as they were given: trimming
/// and sorting happen only inside ``ScopeHash``.
public struct CSTClaims: Sendable, Hashable {
    /// The claim `token_version` of every token.
    public static let version = "1"

    /// The claim `aud`: one name, or a list.
    public enum Audience: Sendable, Hashable {
        /// A single name, printed as a JSON string.
        case one(String)
        /// A list, printed as a JSON array.
        case many([String])

        /// The names.
        public var names: [String] {
            switch self {
            case .one(let name): [name]
            case .many(let names): names
            }
        }
    }

    /// The claim `token_lane`.
    public enum Lane: String, Sendable, Hashable {
        /// Without a control chain.
        case legacy
        /// With the three DIDs of a control chain.
        case canonical
    }

    /// `sub`: the agent's DID by intent.
    public var subject: String
    /// `aud`.
    public var audience: Audience
    /// `scope`, order and repeats kept.
    public var scope: [String]
    /// `iat`, seconds since the epoch.
    public var issuedAt: Int64
    /// `exp`, seconds since the epoch; the token is valid while now < `exp`.
    public var expiresAt: Int64
    /// `owner_ref`: ours is the base64url digest of the approval.
    public var ownerRef: String?
    /// `owner_did`.
    public var ownerDID: String?
    /// `controller_did`.
    public var controllerDID: String?
    /// `agent_did`, equal to `sub` in the canonical lane.
    public var agentDID: String?
    /// `policy_hash_b64u`: the pinned WPC.
    public var policyHash: HashText?
    /// `control_plane_policy_hash_b64u`.
    public var controlPlanePolicyHash: HashText?
    /// `token_scope_hash_b64u`, see ``ScopeHash``.
    public var tokenScopeHash: HashText?
    /// `payment_account_did`.
    public var paymentAccountDID: String?
    /// `spend_cap`.
    public var spendCap: Double?
    /// `mission_id`: the job.
    public var missionID: String?
    /// `delegation_id`.
    public var delegationID: String?
    /// `delegator_did`.
    public var delegatorDID: String?
    /// `delegate_did`.
    public var delegateDID: String?
    /// `delegation_policy_hash_b64u`.
    public var delegationPolicyHash: HashText?
    /// `delegation_spend_cap_minor`: decimal digits.
    public var delegationSpendCapMinor: String?
    /// `delegation_expires_at`, seconds since the epoch.
    public var delegationExpiresAt: Int64?
    /// `token_lane`.
    public var lane: Lane?
    /// `jti`.
    public var tokenID: TokenID?
    /// `nonce`.
    public var nonce: String?
    /// The claims past v1, when the token is of the extended profile.
    public var extended: ExtendedClaims?
    /// Names of claims that the parser met and does not know. Never printed; the strict rules refuse them.
    public internal(set) var unknownNames: [String] = []

    /// Makes claims with the members every token has; set the others afterwards.
    public init(subject: String, audience: Audience, scope: [String], issuedAt: Int64, expiresAt: Int64) {
        self.subject = subject
        self.audience = audience
        self.scope = scope
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// The claims of a job's token in our compatible profile (ARCHITECTURE section 3): exactly v1, legacy lane, with
    /// the scope hash computed.
    ///
    /// - Parameters:
    ///   - sub: the agent.
    ///   - aud: one name is written as a string, several as a list.
    ///   - scope: scope strings.
    ///   - iat: whole seconds are used.
    ///   - exp: whole seconds are used.
    ///   - ownerRef: digest of the approvals the token rests on; it is inside the scope hash, so that every gateway
    ///     receipt commits to the approval.
    ///   - policyHash: the pinned WPC.
    ///   - missionID: the job.
    ///   - jti: see ``Identifier/derive(secret:requestID:)``.
    ///   - nonce: see ``TokenNonce``.
    ///   - extended: claims of the extended profile; `nil` for the compatible one.
    public static func jobToken(
        sub: AgentDID, aud: [String], scope: [String], iat: Timestamp, exp: Timestamp, ownerRef: Digest?,
        policyHash: Digest?, missionID: JobID, jti: TokenID, nonce: String, extended: ExtendedClaims? = nil
    ) -> CSTClaims {
        var claims = CSTClaims(
            subject: sub.rawValue, audience: aud.count == 1 ? .one(aud[0]) : .many(aud), scope: scope,
            issuedAt: iat.seconds, expiresAt: exp.seconds)
        claims.ownerRef = ownerRef?.b64u
        claims.policyHash = policyHash.map { HashText($0) }
        claims.missionID = missionID.rawValue
        claims.lane = .legacy
        claims.tokenID = jti
        claims.nonce = nonce
        claims.extended = extended
        claims.tokenScopeHash = HashText(ScopeHash.compute(claims))
        return claims
    }

    /// `iat` as an instant.
    public var issued: Timestamp { Timestamp(seconds: issuedAt) }
    /// `exp` as an instant.
    public var expires: Timestamp { Timestamp(seconds: expiresAt) }
    /// The profile the claims are of.
    public var profile: CSTProfile { extended == nil ? .compatible : .extended }
}
