public import ClawWire

extension ApprovalState {
    /// One approver with the time of the decision.
    public struct Approver: Sendable, Hashable {
        /// Who.
        public let actor: Actor
        /// When, by the source's clock; the earliest when it was stated more than once.
        public let decidedAt: Timestamp?
        /// Who says so.
        public let attestations: [Attestation]
    }

    /// The person who asked, by the earliest fact that names one.
    public var requester: Actor? { Self.first(requesters) }

    /// The person the entitlement is for, by the earliest fact that names one.
    public var subject: Actor? { Self.first(merged { _ in true }.subjects) }

    /// Everybody of whom somebody says that it is for them, in order.
    public var subjectIDs: [PersonID] {
        Set(claims.entries.flatMap { claim in claim.value.subjects.entries.map(\.key) }).sorted()
    }

    /// What is granted; the most specific when facts differ only in detail.
    public var entitlement: Entitlement? {
        guard let entry = merged({ _ in true }).entitlements.entries.last else { return nil }
        return Entitlement(
            kind: entry.key.kind, id: entry.key.id, scope: entry.key.scope,
            name: entry.value.value.isEmpty ? nil : entry.value.value)
    }

    /// Everyone who said yes, humans and systems, by identifier.
    public var approvers: [Approver] {
        merged { _ in true }.approvers.entries.map { entry in
            Approver(
                actor: Self.actor(entry.key, entry.value), decidedAt: entry.value.at,
                attestations: claims.entries.filter { claim in
                    claim.value.approvers.entries.contains { $0.key == entry.key }
                }.map(\.key))
        }
    }

    /// The earliest decision of a human, by the source's clock: what a lifted stop compares with.
    public var decidedAt: Timestamp? {
        merged { _ in true }.approvers.entries.filter { $0.value.kind == .human }.compactMap(\.value.at).min()
    }

    /// The ticket named first.
    public var ticket: Ticket? { merged { _ in true }.ticket?.value }

    /// Every ticket number named.
    public var ticketNumbers: [String] {
        Set(claims.entries.compactMap(\.value.ticket?.value.number)).sorted()
    }

    /// The requester's text.
    public var justification: Justification? { justificationRecord?.text }

    /// The request that the approval carries; `nil` when there is none or when facts contradict each other.
    public var containedRequest: CapabilityRequest? {
        guard let contained = merged({ _ in true }).request, !contained.isContradicted else { return nil }
        return contained.request
    }

    /// Digests of the records that were folded, ascending; at most ``Limits/evidence``.
    public var evidence: [Digest] { evidenceDigests.entries.map(\.key) }

    /// True when there were more records than ``evidence`` holds.
    public var isEvidencePartial: Bool { evidenceDigests.hasLost }

    /// The sources that said something.
    public var sources: [SourceName] { sourceNames.entries.map(\.key) }

    /// True when the grant is over by an end or by the subject's invalidation. Terminal.
    public var isEnded: Bool { ended != nil || invalidated != nil }

    /// True when more was stated than a state keeps of something that decides; such an approval is held.
    public var hasOverflowed: Bool {
        requesters.hasLost || claims.hasLost || claims.entries.contains { $0.value.hasLost }
    }

    private static func first(_ people: BoundedMap<PersonID, ActorRecord>) -> Actor? {
        var first: BoundedMap<PersonID, ActorRecord>.Entry?
        for entry in people.entries {
            guard let known = first else {
                first = entry
                continue
            }
            if Moment.isEarlier(entry.value.at, known.value.at) { first = entry }
        }
        return first.map { actor($0.key, $0.value) }
    }

    static func actor(_ id: PersonID, _ record: ActorRecord) -> Actor {
        Actor(id: id, name: record.name, upn: record.upn, kind: record.kind)
    }
}

extension ApprovalState {
    /// What the attestations that `isPermitted` lets through state together.
    func merged(_ isPermitted: (Attestation) -> Bool) -> Claims {
        var sum: Claims?
        for entry in claims.entries where isPermitted(entry.key) { sum.join(entry.value) }
        return sum ?? Claims()
    }

    /// True for the people who asked and the people it is for, whoever says so.
    func isRequesterOrSubject(_ person: PersonID) -> Bool { isRequester(person) || isSubject(person) }

    func isRequester(_ person: PersonID) -> Bool { requesters.entries.contains { $0.key == person } }

    func isSubject(_ person: PersonID) -> Bool {
        claims.entries.contains { claim in claim.value.subjects.entries.contains { $0.key == person } }
    }
}
