public import ClawWire
public import ReceiptLog

/// What is known of a token beside the token, from a lookup of its grant.
///
/// A token says nothing of job class, request, approval, people, entitlement, WPC identifier or source, and cut-offs may
/// name any of them. Whoever has the grant at hand says so here; each member is `nil` when it is not known, and an empty
/// list when it is known that there is none. A wrong context is worse than none: take it from the grants topic, the
/// receipts or the ledger, never from the caller that presents the token.
public struct TokenContext: Sendable, Hashable {
    /// What an approval entitles to.
    public struct Entitlement: Sendable, Hashable {
        /// Kind, as in the issuance rules.
        public let kind: String
        /// Identifier in the vendor's system.
        public let id: String
        /// Scope in the vendor's system.
        public let scope: String?

        /// Names an entitlement.
        public init(kind: String, id: String, scope: String? = nil) {
            self.kind = kind
            self.id = id
            self.scope = scope
        }

        /// A cut-off may name the entitlement with its scope, or in every scope.
        var names: [String] { ["\(kind):\(id)"] + (scope.map { ["\(kind):\(id):\($0)"] } ?? []) }
    }

    /// Job class.
    public var jobClass: JobClass?
    /// Request.
    public var requestID: RequestID?
    /// Approvals that the token rests on.
    public var approvalIDs: [ApprovalID]?
    /// People whose entitlements the token rests on.
    public var subjects: [PersonID]?
    /// Entitlements that the token rests on.
    public var entitlements: [Entitlement]?
    /// Identifiers of the pinned WPC.
    public var policyIDs: [String]?
    /// Sources of the approvals.
    public var sources: [SourceName]?

    /// Nothing is known.
    public static let unknown = TokenContext()

    /// Makes a context.
    public init(
        jobClass: JobClass? = nil, requestID: RequestID? = nil, approvalIDs: [ApprovalID]? = nil,
        subjects: [PersonID]? = nil, entitlements: [Entitlement]? = nil, policyIDs: [String]? = nil,
        sources: [SourceName]? = nil
    ) {
        self.jobClass = jobClass
        self.requestID = requestID
        self.approvalIDs = approvalIDs
        self.subjects = subjects
        self.entitlements = entitlements
        self.policyIDs = policyIDs
        self.sources = sources
    }

    /// Takes what a grant of the grants topic says.
    public init(_ grant: GrantRecord) {
        self.init(jobClass: grant.jobClass, requestID: grant.requestID, approvalIDs: grant.approvalIDs)
    }

    /// The token's values in a dimension that it does not show itself; `nil` when they are not known.
    func values(_ kind: CutoffScope.Kind) -> [String]? {
        switch kind {
        case .jobClass: jobClass.map { [$0.rawValue] }
        case .request: requestID.map { [$0.rawValue] }
        case .approval: approvalIDs.map { $0.map(\.rawValue) }
        case .subject: subjects.map { $0.map(\.rawValue) }
        case .entitlement: entitlements.map { $0.flatMap(\.names) }
        case .policyID: policyIDs
        case .source: sources.map { $0.map(\.rawValue) }
        case .all, .issuerKey, .policyHash, .agent, .job, .token, .jti: []
        }
    }
}
