import ClawWire
import IssuanceRules

/// What the records of Privileged Identity Management tell in every log that carries them.
protocol PIMRecord {
    /// Who did it.
    var initiator: Actor? { get }
    /// The text that goes with it.
    var justification: Justification? { get }
    /// The ticket that goes with it.
    var ticket: Ticket? { get }
    /// The role that the directory itself took away.
    var directoryRole: Entitlement? { get }
    /// The group that the directory itself took somebody out of.
    func directoryGroup(scope: String) -> Entitlement?
    /// The first detail with one of these names.
    func detail(_ names: String...) -> String?
}

extension EntraAuditRecord: PIMRecord {}

/// How an activity and its record become a fact.
enum PIMFacts {
    static func complete(
        _ initial: Fact, _ activity: EntraActivity, _ record: some PIMRecord, _ configuration: SourceConfiguration
    ) -> Fact {
        guard !contradicts(activity, record) else { return initial.with(WhyCode.contradictoryRecord.rejected) }
        var fact = initial
        switch activity {
        case .ignored(let why): return fact.with(why.ignored)
        case .opened:
            fact.requester = person(record.initiator)
            fact.justification = record.justification
            fact.ticket = record.ticket
            return demandRequest(fact.with(.requestOpened))
        case .routed: return demandRequest(fact.with(.requestRouted))
        case .approved:
            fact.approverJustification = record.justification
            return demandRequest(fact.with(.decisionApproved(approver: record.initiator)))
        case .autoApproved:
            // The initiator is whoever asked, or the platform; either way no human said yes.
            let platform = record.initiator.map { Actor(id: $0.id, name: $0.name, upn: $0.upn, kind: .system) }
            return demandRequest(fact.with(.decisionApproved(approver: platform)))
        case .denied:
            fact.approverJustification = record.justification
            return demandRequest(fact.with(.decisionDenied(approver: record.initiator)))
        case .timedOut: return demandRequest(fact.with(.decisionTimedOut))
        case .canceled: return demandRequest(fact.with(.decisionCanceled))
        case .started:
            fact.requester = person(record.initiator)
            return window(fact, record) { fact, notBefore, notAfter in
                demandRequest(fact.with(.grantStarted(notBefore: notBefore, notAfter: notAfter)))
            }
        case .changed:
            return window(fact, record) { fact, notBefore, notAfter in
                demandRequest(fact.with(.grantChanged(notBefore: notBefore, notAfter: notAfter)))
            }
        case .direct(let outsidePIM):
            return window(fact, record) { fact, notBefore, notAfter in
                fact.with(
                    .grantDirect(
                        assignedBy: record.initiator, outsidePIM: outsidePIM, notBefore: notBefore,
                        notAfter: notAfter))
            }
        case .ended(let reason): return demandHolder(fact.with(.grantEnded(reason)))
        case .eligibilityEnded:
            // The request of the removal is not the request of the activations that rest on the eligibility.
            if fact.subject != nil, fact.entitlement != nil { fact.approvalID = nil }
            return demandHolder(fact.with(.grantEnded(.eligibilityRemoved)))
        case .removedFromRoleInDirectory:
            fact.approvalID = nil
            fact.entitlement = record.directoryRole
            return demandHolder(fact.with(.grantEnded(.removedInDirectory)))
        case .removedFromGroupInDirectory(let scope):
            fact.approvalID = nil
            fact.entitlement = record.directoryGroup(scope: scope)
            if let entitlement = fact.entitlement, let mapping = configuration.mapping,
                mapping.entitlements.entry(for: entitlement) == nil
            {
                fact.entitlement = nil
                fact.subject = nil
                return fact.with(WhyCode.groupNotMapped.ignored)
            }
            return demandHolder(fact.with(.grantEnded(.removedInDirectory)))
        case .subjectInvalidated(let reason):
            fact.approvalID = nil
            fact.entitlement = nil
            return fact.subject == nil
                ? fact.with(WhyCode.noSubject.rejected) : fact.with(.subjectInvalidated(reason: reason))
        case .settingsChanged:
            fact.approvalID = nil
            fact.subject = nil
            fact.assignment = nil
            fact.requester = record.initiator
            return settings(fact, configuration.mapping?.entitlements)
        }
    }

    /// A change of settings: to be told where a job class rests on what it is about, and where the record does not say what
    /// it is about. Settings hold for every scope that the record does not name, so that the scope decides nothing.
    static func settings(_ initial: Fact, _ map: EntitlementMap?) -> Fact {
        var fact = initial
        fact.changesSettings =
            map.map { map in
                fact.entitlement.map { map.covers($0.kind, id: $0.id) } ?? true
            } ?? true
        return fact.with(WhyCode.pimAdministration.ignored)
    }

    /// Adds window, text and ticket. A time that is there and does not parse rejects the entry; one that is missing
    /// leaves the window open, which holds the approval.
    private static func window(
        _ initial: Fact, _ record: some PIMRecord, _ content: (Fact, Timestamp?, Timestamp?) -> Fact
    ) -> Fact {
        var times: [Timestamp?] = []
        for text in [record.detail("StartTime", "StartDateTime"), record.detail("ExpirationTime", "EndDateTime")] {
            let time = text.flatMap(VendorTime.parse)
            guard text == nil || time != nil else { return initial.with(WhyCode.unparseableTime.rejected) }
            times.append(time)
        }
        var fact = initial
        fact.justification = record.justification
        fact.ticket = record.ticket
        return content(fact, times[0], times[1])
    }

    /// The step that newer members of a record name.
    private enum Step { case asked, given, taken }

    /// True when newer members of a record say that it is another step than its activity gives. What takes away stands.
    private static func contradicts(_ activity: EntraActivity, _ record: some PIMRecord) -> Bool {
        let expected: Set<Step>
        switch activity {
        case .approved, .autoApproved: expected = []
        case .started, .changed, .direct: expected = [.given]
        case .opened, .routed: expected = [.asked]
        case .denied, .timedOut, .canceled, .ended, .eligibilityEnded, .removedFromRoleInDirectory,
            .removedFromGroupInDirectory, .subjectInvalidated, .settingsChanged, .ignored:
            return false
        }
        // Names that are not known say nothing: nobody lists them all.
        for name in ["EventName", "AuditType"] {
            let step: Step
            switch record.detail(name).map({ TextRules.folded($0) }) {
            case "createrequestroleactivation": step = .asked
            case "activaterole": step = .given
            case "removeactivatedrole": step = .taken
            case .some, nil: continue
            }
            if !expected.contains(step) { return true }
        }
        return record.detail("ActionType").map { TextRules.isSame($0, "revoke") } ?? false
    }

    private static func person(_ actor: Actor?) -> Actor? { actor?.kind == .human ? actor : nil }

    static func demandRequest(_ fact: Fact) -> Fact {
        fact.approvalID == nil ? fact.with(WhyCode.noRequestID.rejected) : fact
    }

    /// An end must name a request, an assignment, or a subject and an entitlement.
    static func demandHolder(_ fact: Fact) -> Fact {
        guard fact.approvalID == nil, fact.assignment == nil else { return fact }
        if fact.subject == nil { return fact.with(WhyCode.noSubject.rejected) }
        return fact.entitlement == nil ? fact.with(WhyCode.noEntitlement.rejected) : fact
    }
}
