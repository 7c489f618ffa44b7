public import ClawWire

/// What one source said of an approval and what is to be read back from the vendor before it counts.
public struct UnconfirmedClaim: Sendable, Hashable {
    /// The approval.
    public let approvalID: ApprovalID
    /// The source.
    public let source: SourceName
    /// Whom the source says it is for.
    public let subjects: Set<PersonID>
    /// What the source says is granted.
    public let entitlements: [Entitlement]
    /// The humans whom the source calls approvers.
    public let approvers: Set<PersonID>
    /// The source says that somebody, or something, approved it.
    public let isApproved: Bool
    /// The source says that the window has begun.
    public let hasStarted: Bool
    /// The vendor confirmed it before.
    public let isConfirmed: Bool

    /// Makes a claim.
    public init(
        approvalID: ApprovalID, source: SourceName, subjects: Set<PersonID>, entitlements: [Entitlement],
        approvers: Set<PersonID>, isApproved: Bool, hasStarted: Bool, isConfirmed: Bool
    ) {
        self.approvalID = approvalID
        self.source = source
        self.subjects = subjects
        self.entitlements = entitlements
        self.approvers = approvers
        self.isApproved = isApproved
        self.hasStarted = hasStarted
        self.isConfirmed = isConfirmed
    }
}

extension ApprovalState {
    /// What a source said without a confirmation.
    public func unconfirmedClaim(of source: SourceName) -> UnconfirmedClaim {
        let stated = merged { $0 == Attestation(source: source, authenticity: .unconfirmed) }
        let confirmed = merged { $0 == Attestation(source: source, authenticity: .confirmed) }
        return UnconfirmedClaim(
            approvalID: approvalID, source: source, subjects: Set(stated.subjects.entries.map(\.key)),
            entitlements: stated.entitlements.entries.map {
                Entitlement(kind: $0.key.kind, id: $0.key.id, scope: $0.key.scope)
            },
            approvers: Set(stated.approvers.entries.filter { $0.value.kind == .human }.map(\.key)),
            isApproved: !stated.approvers.entries.isEmpty || stated.unknownApprover != nil,
            hasStarted: stated.window?.started != nil, isConfirmed: confirmed.window?.started != nil)
    }
}
