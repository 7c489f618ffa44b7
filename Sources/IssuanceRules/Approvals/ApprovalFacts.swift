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
    public var subject: Actor? { Self.first(subjects) }

    /// What is granted; the most specific when facts differ only in detail.
    public var entitlement: Entitlement? {
        guard let entry = entitlements.entries.last else { return nil }
        return Entitlement(
            kind: entry.key.kind, id: entry.key.id, scope: entry.key.scope,
            name: entry.value.value.isEmpty ? nil : entry.value.value)
    }

    /// Everyone who said yes, humans and systems, by identifier.
    public var approvers: [Approver] {
        approverRecords.entries.map { entry in
            var moment: Moment?
            for statement in entry.value.statements.entries { moment.join(statement.value) }
            return Approver(
                actor: Self.actor(entry.key, entry.value.actor), decidedAt: moment?.at,
                attestations: entry.value.statements.entries.map(\.key))
        }
    }

    /// The earliest decision of a human, by the source's clock: what a lifted stop compares with.
    public var decidedAt: Timestamp? {
        approvers.filter { $0.actor.kind == .human }.compactMap(\.decidedAt).min()
    }

    /// The ticket named first.
    public var ticket: Ticket? {
        var first: Earliest<Ticket>?
        for entry in tickets.entries { first.join(entry.value) }
        return first?.value
    }

    /// Every ticket number named.
    public var ticketNumbers: [String] { Set(tickets.entries.compactMap(\.value.value.number)).sorted() }

    /// The requester's text.
    public var justification: Justification? { justificationRecord?.text }

    /// The request that the approval carries; `nil` when there is none or when sources contradict each other.
    public var containedRequest: CapabilityRequest? {
        guard let first = requests.entries.first?.value.request,
            requests.entries.allSatisfy({ !$0.value.isContradicted && $0.value.request == first })
        else { return nil }
        return first
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
        requesters.hasLost || subjects.hasLost || entitlements.hasLost || statedClasses.hasLost
            || approverRecords.hasLost || approverRecords.entries.contains { $0.value.statements.hasLost }
            || windows.hasLost || requests.hasLost
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

/// An approved window as permitted attestations state it.
struct ApprovedWindow: Sendable, Hashable {
    var hasStarted = false
    var isOnlyChanged = false
    var notBefore: Timestamp?
    var notAfter: Timestamp?
}

extension ApprovalState {
    /// The window, of the attestations that `isPermitted` lets through.
    func window(_ isPermitted: (Attestation) -> Bool) -> ApprovedWindow {
        var sum: WindowRecord?
        for entry in windows.entries where isPermitted(entry.key) { sum.join(entry.value) }
        guard let sum else {
            return ApprovedWindow(
                notBefore: direct?.window.notBefore?.value, notAfter: direct?.window.notAfter?.value)
        }
        return ApprovedWindow(
            hasStarted: sum.started != nil, isOnlyChanged: sum.started == nil,
            notBefore: sum.notBefore?.value, notAfter: sum.notAfter?.value)
    }

    /// True for the people who asked and the people it is for.
    func isRequesterOrSubject(_ person: PersonID) -> Bool {
        requesters.entries.contains { $0.key == person } || subjects.entries.contains { $0.key == person }
    }
}
