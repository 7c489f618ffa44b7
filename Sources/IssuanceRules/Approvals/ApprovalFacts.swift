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
    public var subject: Actor? { Self.first(ofAll { $0.subjects }) }

    /// Everything by which an end may name it, in order: subjects, those who asked and approvers, each by identifier and by
    /// principal name, and what it led to.
    public var holders: [PersonID] {
        var all: Set<PersonID> = []
        addHolders(to: &all, besides: nil, nil, nil)
        return all.sorted()
    }

    /// Adds ``holders`` but for three that are kept elsewhere.
    public func addHolders(
        to all: inout Set<PersonID>, besides first: PersonID?, _ second: PersonID?, _ third: PersonID?
    ) {
        // Every decision comes by here: most approvals have one name that is not kept elsewhere, and few have two.
        func add(_ name: PersonID) {
            if name != first, name != second, name != third { all.insert(name) }
        }
        func add(_ people: BoundedMap<PersonID, ActorRecord>) {
            for index in people.entries.indices {
                add(people.entries[index].key)
                if let upn = people.entries[index].value.upn { add(PersonID(folding: upn)) }
            }
        }
        for index in assignments.entries.indices { add(assignments.entries[index].key.holder) }
        add(requesters)
        for index in claims.entries.indices {
            add(claims.entries[index].value.subjects)
            add(claims.entries[index].value.approvers)
        }
    }

    /// What it led to, by the vendor's own identifier; the first of several.
    public var assignment: AssignmentID? { assignments.entries.first?.key }

    /// What is granted; the most specific when facts differ only in detail.
    public var entitlement: Entitlement? {
        guard let entry = ofAll({ $0.entitlements.entries.last }) else { return nil }
        return Entitlement(
            kind: entry.key.kind, id: entry.key.id, scope: entry.key.scope,
            name: entry.value.value.isEmpty ? nil : entry.value.value)
    }

    /// Everyone who said yes, humans and systems, by identifier.
    public var approvers: [Approver] {
        ofAll { $0.approvers }.entries.map { entry in
            Approver(
                actor: Self.actor(entry.key, entry.value), decidedAt: entry.value.at,
                attestations: claims.entries.indices.filter { index in
                    claims.entries[index].value.approvers.entries.contains { $0.key == entry.key }
                }.map { claims.entries[$0].key })
        }
    }

    /// How what is said of the approvers is proven.
    public var approverAuthenticities: [Authenticity] {
        guard claims.entries.count == 1 else { return approvers.flatMap(\.attestations).map(\.authenticity) }
        return claims.entries[0].value.approvers.entries.isEmpty ? [] : [claims.entries[0].key.authenticity]
    }

    /// The earliest decision of a human, by the source's clock: what a lifted stop compares with.
    public var decidedAt: Timestamp? {
        ofAll { $0.approvers }.entries.filter { $0.value.kind == .human }.compactMap(\.value.at).min()
    }

    /// The ticket named first.
    public var ticket: Ticket? { ofAll { $0.ticket?.value } }

    /// Every ticket number named, in the form in which tickets are compared.
    public var ticketNumbers: [String] {
        let all = claims.entries.indices.compactMap { claims.entries[$0].value.ticket?.value.comparedNumber }
        return all.count < 2 ? all : Set(all).sorted()
    }

    /// The requester's text.
    public var justification: Justification? { justificationRecord?.text }

    /// The request that the approval carries; `nil` when there is none or when facts contradict each other.
    public var containedRequest: CapabilityRequest? {
        guard let contained = ofAll({ $0.request }), !contained.isContradicted else { return nil }
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
        requesters.hasLost || assignments.hasLost || claims.hasLost
            || claims.entries.indices.contains { claims.entries[$0].value.hasLost }
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
        for index in claims.entries.indices where isPermitted(claims.entries[index].key) {
            sum.join(claims.entries[index].value)
        }
        return sum ?? Claims()
    }

    /// A part of what all attestations state together. Most approvals have one, and then nothing is put together.
    private func ofAll<Part>(_ part: (Claims) -> Part) -> Part {
        claims.entries.count == 1 ? part(claims.entries[0].value) : part(merged { _ in true })
    }

    /// True for the people who asked and the people it is for, whoever says so.
    func isRequesterOrSubject(_ person: PersonID) -> Bool { isRequester(person) || isSubject(person) }

    /// True when somebody says who asked, or whom it is for.
    var knowsRequesterOrSubject: Bool {
        !requesters.entries.isEmpty
            || claims.entries.indices.contains { !claims.entries[$0].value.subjects.entries.isEmpty }
    }

    func isRequester(_ person: PersonID) -> Bool { requesters.entries.contains { $0.key == person } }

    func isSubject(_ person: PersonID) -> Bool {
        claims.entries.indices.contains { index in
            claims.entries[index].value.subjects.entries.contains { $0.key == person }
        }
    }
}
