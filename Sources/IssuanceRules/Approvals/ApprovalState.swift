public import ClawWire

/// Everything that is known of one approval: the fold of the facts that name it.
///
/// The fold is commutative and idempotent: facts may come in any order, from several sources and any number of times.
/// It is bounded: past ``Limits`` the state says so (``hasOverflowed``) and is held. What a source says of approvers,
/// windows, tickets and requests is kept per ``Attestation``, so that issuance rules can leave out the sources that may
/// not speak for a job class. Denials and ends count whoever states them: they can only take away.
public struct ApprovalState: Sendable, Hashable {
    /// How much of each kind a state keeps.
    public enum Limits {
        /// Approvers.
        public static let approvers = 32
        /// Requesters, and subjects.
        public static let people = 8
        /// Entitlements, assignments, and stated job classes.
        public static let targets = 4
        /// Attestations.
        public static let attestations = 16
        /// Sources.
        public static let sources = 16
        /// Evidence digests.
        public static let evidence = 64
        /// Characters (Unicode scalars) of a display name.
        public static let nameCharacters = 256
    }

    /// The approval.
    public let approvalID: ApprovalID
    var requesters = BoundedMap<PersonID, ActorRecord>()
    /// What it led to, by the vendor's own identifiers, whoever says so: they can only take away.
    var assignments = BoundedMap<AssignmentID, Present>()
    /// What each attestation states.
    var claims = BoundedMap<Attestation, Claims>()
    var opened: Moment?
    var denied: Earliest<String>?
    var timedOut: Moment?
    var canceled: Moment?
    var ended: Earliest<String>?
    var invalidated: Earliest<String>?
    var direct: DirectRecord?
    var justificationRecord: JustificationRecord?
    /// How much the calls of the jobs that rest on it may use, whoever says so: a budget can only take away.
    public internal(set) var budget: Budget?
    var evidenceDigests = BoundedMap<Digest, Present>()
    var sourceNames = BoundedMap<SourceName, Present>()
    /// Time of the first fact, by its source's clock.
    public internal(set) var firstOccurredAt: Timestamp?
    /// Time of the last fact, by its source's clock.
    public internal(set) var lastOccurredAt: Timestamp?

    /// When it was asked for, by its source's clock, as far as a record or the request it carries says.
    public var askedAt: Timestamp? { opened?.at ?? containedRequest?.requestedAt }

    /// A state of which nothing is known yet.
    public init(approvalID: ApprovalID) { self.approvalID = approvalID }

    /// Adds what a fact says. Facts of other approvals, stops, and ignored or rejected records change nothing.
    ///
    /// A fact without an approval's name (an end or an invalidation known only by subject) is applied when the caller
    /// hands it over; ``isConcerned(by:)`` says whether it should.
    public mutating func apply(_ fact: Fact, from source: SourceName, authenticity: Authenticity) {
        let attestation = Attestation(source: source, authenticity: authenticity)
        switch fact.content {
        case .stopDeclared, .stopLifted, .ignored, .rejected: return
        case .grantEnded, .subjectInvalidated: guard fact.approvalID ?? approvalID == approvalID else { return }
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .grantDirect, .capabilityRequested:
            guard fact.approvalID == approvalID else { return }
        }
        applyCommonParts(of: fact, source)
        applyContent(of: fact)
        let stated = Self.claims(of: fact)
        if stated != Claims() { claims.join(stated, at: attestation, limit: Limits.attestations) }
    }

    private mutating func applyCommonParts(of fact: Fact, _ source: SourceName) {
        let at = fact.occurredAt
        if let at {
            firstOccurredAt = firstOccurredAt.map { min($0, at) } ?? at
            lastOccurredAt = lastOccurredAt.map { max($0, at) } ?? at
        }
        sourceNames.join(Present(), at: source, limit: Limits.sources)
        if let digest = fact.recordDigest { evidenceDigests.join(Present(), at: digest, limit: Limits.evidence) }
        // An end that is applied because of whom it names says nothing of what this approval led to.
        if let assignment = fact.assignment, fact.approvalID == approvalID {
            assignments.join(Present(), at: assignment, limit: Limits.targets)
        }
        if let requester = fact.requester {
            requesters.join(Self.record(of: requester, at), at: requester.id, limit: Limits.people)
        }
        if let limits = fact.budget { budget.join(limits) }
        if let text = fact.justification { justificationRecord.join(JustificationRecord(at: at, text: text)) }
    }

    private mutating func applyContent(of fact: Fact) {
        let at = fact.occurredAt
        switch fact.content {
        case .requestOpened, .requestRouted: opened.join(Moment(at: at))
        case .decisionDenied(let approver): denied.join(Earliest(at: at, value: approver?.id.rawValue ?? ""))
        case .decisionTimedOut: timedOut.join(Moment(at: at))
        case .decisionCanceled: canceled.join(Moment(at: at))
        case .grantEnded(let reason): ended.join(Earliest(at: at, value: reason.rawValue))
        case .grantDirect(_, let outsidePIM, let notBefore, let notAfter):
            direct.join(
                DirectRecord(
                    first: Moment(at: at), outsidePIM: outsidePIM, window: Self.window(notBefore, notAfter, at)))
        case .subjectInvalidated(let reason): invalidated.join(Earliest(at: at, value: Self.short(reason)))
        case .decisionApproved, .grantStarted, .grantChanged, .capabilityRequested, .stopDeclared, .stopLifted,
            .ignored, .rejected:
            return
        }
    }

    /// What a fact states that only counts when its source may speak for the job class.
    private static func claims(of fact: Fact) -> Claims {
        let at = fact.occurredAt
        var claims = Claims()
        if let subject = fact.subject {
            claims.subjects.join(record(of: subject, at), at: subject.id, limit: Limits.people)
        }
        if let entitlement = fact.entitlement {
            claims.entitlements.join(
                Earliest(at: at, value: short(entitlement.name ?? "")), at: EntitlementKey(entitlement),
                limit: Limits.targets)
        }
        if let jobClass = fact.jobClass { claims.jobClasses.join(Present(), at: jobClass, limit: Limits.targets) }
        if let ticket = normalized(fact.ticket) { claims.ticket = Earliest(at: at, value: ticket) }
        switch fact.content {
        case .decisionApproved(let approver):
            let people = [approver].compactMap(\.self) + fact.approvers
            for person in people {
                claims.approvers.join(record(of: person, at), at: person.id, limit: Limits.approvers)
            }
            if people.isEmpty { claims.unknownApprover = Moment(at: at) }
        case .grantStarted(let notBefore, let notAfter):
            claims.window = window(notBefore, notAfter, at)
            claims.window?.started = Moment(at: at)
        case .grantChanged(let notBefore, let notAfter):
            claims.window = window(notBefore, notAfter, at)
            claims.window?.changed = Moment(at: at)
        case .capabilityRequested(let request): claims.request = ContainedRequest(request: request)
        case .requestOpened, .requestRouted, .decisionDenied, .decisionTimedOut, .decisionCanceled, .grantEnded,
            .grantDirect, .subjectInvalidated, .stopDeclared, .stopLifted, .ignored, .rejected:
            break
        }
        return claims
    }

    private static func record(of actor: Actor, _ at: Timestamp?) -> ActorRecord {
        ActorRecord(at: at, name: actor.name.map(short), upn: actor.upn.map(short), kind: actor.kind)
    }

    private static func window(_ notBefore: Timestamp?, _ notAfter: Timestamp?, _ at: Timestamp?) -> WindowRecord {
        WindowRecord(
            notBefore: notBefore.map { WindowEdge(at: at, value: $0) },
            notAfter: notAfter.map { WindowEdge(at: at, value: $0) })
    }

    private static func short(_ text: String) -> String {
        text.utf8.count <= Limits.nameCharacters
            ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(Limits.nameCharacters)))
    }

    private static func normalized(_ ticket: Ticket?) -> Ticket? {
        guard let number = ticket?.number, !number.isEmpty else { return nil }
        return Ticket(system: ticket?.system.flatMap { $0.isEmpty ? nil : short($0) }, number: short(number))
    }

    /// True when one of the people is the one that an end names. An invalidation may name a person by the principal name:
    /// transmitters of signals know no other.
    private static func isNamed(
        _ subject: Actor, among people: BoundedMap<PersonID, ActorRecord>, by fact: Fact
    ) -> Bool {
        people.entries.contains { entry in
            if entry.key == subject.id { return true }
            guard case .subjectInvalidated = fact.content, let upn = entry.value.upn else { return false }
            return upn.lowercased() == subject.id.rawValue.lowercased()
        }
    }

    /// True when a fact that names no approval is about this one: it names what this approval led to, whenever; or same
    /// subject, same entitlement where the fact names one, and not from before this approval's first fact. An account that is invalid concerns every approval that rests on
    /// it: of its subject, of who asked, and of each approver (INTEGRATIONS section 1.3).
    public func isConcerned(by fact: Fact) -> Bool {
        if let named = fact.approvalID { return named == approvalID }
        if let assignment = fact.assignment, assignments.entries.contains(where: { $0.key == assignment }) {
            return true
        }
        let all = merged { _ in true }
        guard let subject = fact.subject else { return false }
        var isOurs = Self.isNamed(subject, among: all.subjects, by: fact)
        if case .subjectInvalidated = fact.content, !isOurs {
            isOurs =
                Self.isNamed(subject, among: requesters, by: fact)
                || Self.isNamed(subject, among: all.approvers, by: fact)
        }
        guard isOurs else { return false }
        if let first = firstOccurredAt, let at = fact.occurredAt, at < first { return false }
        guard let entitlement = fact.entitlement else { return true }
        let key = EntitlementKey(entitlement)
        return all.entitlements.entries.contains { $0.key.matches(key) }
    }
}

/// What makes two entitlements the same: kind, identifier and scope, without case.
struct EntitlementKey: Sendable, Hashable, Comparable {
    let kind: Entitlement.Kind
    let id: String
    let scope: String?

    init(_ entitlement: Entitlement) {
        kind = entitlement.kind
        id = entitlement.id.lowercased()
        scope = entitlement.scope?.lowercased()
    }

    init(kind: Entitlement.Kind, id: String, scope: String?) {
        self.kind = kind
        self.id = id
        self.scope = scope
    }

    /// The same entitlement, or one of the two without a scope.
    func matches(_ other: EntitlementKey) -> Bool {
        kind == other.kind && id == other.id && (scope == nil || other.scope == nil || scope == other.scope)
    }

    static func < (left: EntitlementKey, right: EntitlementKey) -> Bool {
        if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
        if left.id != right.id { return left.id < right.id }
        guard let leftScope = left.scope, let rightScope = right.scope else {
            return left.scope == nil && right.scope != nil
        }
        return leftScope < rightScope
    }
}
