import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// The state of one batch while it is planned: what the ledger held, changed step by step.
///
/// It cannot be copied, and its entries are objects: a copy of any of them would count references to dozens of texts and
/// lists, several times for each decision.
struct WorkingSet: ~Copyable {
    final class ApprovalEntry {
        var state: ApprovalState
        var stored: StoredApproval
        let isNew: Bool
        var isChanged = false

        init(state: ApprovalState, stored: StoredApproval, isNew: Bool) {
            self.state = state
            self.stored = stored
            self.isNew = isNew
        }
    }

    final class RequestEntry {
        let request: CapabilityRequest?
        var stored: StoredRequest
        let isNew: Bool
        var isChanged: Bool
        let source: SourceName
        let authenticity: IssuanceRules.Authenticity
        let input: EvidenceInput?
        /// The trace that it came with.
        let trace: TraceContext?

        init(
            request: CapabilityRequest?, stored: StoredRequest, isNew: Bool, isChanged: Bool, source: SourceName,
            authenticity: IssuanceRules.Authenticity, input: EvidenceInput?, trace: TraceContext? = nil
        ) {
            self.request = request
            self.stored = stored
            self.isNew = isNew
            self.isChanged = isChanged
            self.source = source
            self.authenticity = authenticity
            self.input = input
            self.trace = trace
        }
    }

    let planner: DecisionPlanner
    let snapshot: DecideSnapshot
    /// The time of every decision of the batch.
    let now: Timestamp
    /// What is stopped, revoked and restricted.
    let control: ControlState
    /// Requests that the ledger was asked for: one of them that the snapshot lacks does not exist.
    let loadedRequests: Set<RequestID>
    /// The keys of the batch's events.
    let events: [EventKey]
    /// Holders whose earlier ends were asked for, and their ends with those of the batch.
    let loadedHolders: Set<PersonID>
    var holderEnds: [PersonID: [StoredHolderEnd]] = [:]
    var newHolderEnds: [HolderEnd] = []
    var needs = PlanNeeds()
    var approvals: [ApprovalID: ApprovalEntry] = [:]
    var requests: [RequestID: RequestEntry] = [:]
    var touchedApprovals: Set<ApprovalID> = []
    var toDecide: Set<RequestID> = []
    var inputs: [ApprovalID: [EvidenceInput]] = [:]
    /// When what the batch says happened, and which traces it is a part of.
    var approvalCauses: [ApprovalID: Cause] = [:]
    var requestCauses: [RequestID: Cause] = [:]
    /// Which approvals meet which requests; made when all facts have been applied.
    var meetings = ApprovalMeetings()
    var effects: [Effect] = []
    var effectOfRequest: [RequestID: Int] = [:]
    var summary = BatchSummary()
    /// What the vendor is to be asked about, and how earlier questions are left.
    var wantedConfirmations: Set<ConfirmationKey> = []
    var settledConfirmations: [ConfirmationOutcome] = []
    var findings: [UsageFinding] = []
    /// Records that have their dead letter already: one record, one dead letter.
    var quarantined: Set<ReceiptLog.RecordOrigin> = []
    /// How sources are watched, and how they fare; both empty where nobody watches.
    let watched: [SourceName: HealthRule]
    var health: [SourceName: SourceHealth] = [:]
    var changedHealth: Set<SourceName> = []
    var observed: [ApprovalObservation] = []
    /// Why the record of the dead letter that is read again was refused again.
    var refusedAgain: (code: String, detail: String)?
    /// What became of that dead letter.
    var redriven: RedriveWrite?

    init(
        planner: DecisionPlanner, snapshot: DecideSnapshot, control: ControlState, read: DecideRead
    ) throws(LedgerError) {
        let ends = try Self.holderEnds(snapshot)
        self.init(planner, snapshot, control, read, ends)
    }

    private init(
        _ planner: DecisionPlanner, _ snapshot: DecideSnapshot, _ control: ControlState, _ read: DecideRead,
        _ ends: [PersonID: [StoredHolderEnd]]
    ) {
        self.planner = planner
        self.snapshot = snapshot
        now = snapshot.now
        self.control = control
        loadedRequests = read.requestIDs
        events = read.events
        loadedHolders = read.holders
        watched = planner.rules.healthRules
        holderEnds = ends
    }

    private static func holderEnds(_ snapshot: DecideSnapshot) throws(LedgerError) -> [PersonID: [StoredHolderEnd]] {
        var ends: [PersonID: [StoredHolderEnd]] = [:]
        for (holder, bodies) in snapshot.holderEnds {
            for body in bodies {
                guard let end = StoredHolderEnd(decoding: body) else {
                    throw LedgerError(.corrupted, "a stored end of \(holder) does not read")
                }
                ends[holder, default: []].append(end)
            }
        }
        return ends
    }

    /// The approval by id: as changed in this batch, as stored, or new.
    mutating func approval(_ id: ApprovalID) throws -> ApprovalEntry {
        if let entry = approvals[id] { return entry }
        if let stored = snapshot.approvals[id] {
            let entry = ApprovalEntry(state: try Self.decodeState(stored), stored: stored, isNew: false)
            approvals[id] = entry
            return entry
        }
        return ApprovalEntry(
            state: ApprovalState(approvalID: id),
            stored: StoredApproval(
                approvalID: id, state: [], subject: nil, ticket: nil, usedBy: [], outcome: nil, closeAt: nil),
            isNew: true)
    }

    private static func decodeState(_ stored: StoredApproval) throws -> ApprovalState {
        do {
            return try ApprovalState(decoding: stored.state)
        } catch {
            throw LedgerError(.corrupted, "the state of approval \(stored.approvalID) does not read: \(error)")
        }
    }

    /// Every approval that the batch loaded or made.
    mutating func allApprovals() throws -> [ApprovalID: ApprovalEntry] {
        for id in snapshot.approvals.keys where approvals[id] == nil { _ = try approval(id) }
        return approvals
    }

    mutating func request(_ id: RequestID) -> RequestEntry? {
        if let entry = requests[id] { return entry }
        guard let stored = snapshot.requests[id] else { return nil }
        let body = stored.body.flatMap { StoredRequestBody(decoding: $0) }
        let entry = RequestEntry(
            request: body?.request, stored: stored, isNew: false, isChanged: false,
            source: body?.source ?? SourceName(""), authenticity: body?.authenticity ?? .topic, input: body?.input,
            trace: body?.trace)
        requests[id] = entry
        return entry
    }

    /// Folds the facts of a new entry into the approvals they speak of, and takes up requests.
    mutating func apply(_ entry: UnderstoodEntry) throws {
        let facts = entry.facts
        let containing = facts.indices.first { facts[$0].approvalID != nil }.flatMap { facts[$0].approvalID }
        if let contradicted = contradictedRequest(entry) {
            // Nothing of the record is taken: half of an event is no evidence of anything.
            try quarantine(
                RefusedEntry(
                    source: entry.source, found: entry.found, reason: Self.requestConflict,
                    detail: "request \(contradicted) was made before with another content", value: entry.value))
            return
        }
        var unmatched: (end: Fact, input: EvidenceInput)?
        var isMatched = false
        for index in facts.indices {
            let fact = facts[index]
            let input = EvidenceInput(
                digest: fact.recordDigest ?? entry.found.digest, origin: entry.found.origin, source: entry.source)
            if case .capabilityRequested(let request) = fact.content {
                takeUp(request, entry: entry, containedIn: containing, input: input)
            }
            try observe(fact, entry, input)
            try report(fact, entry, input)
            if let id = fact.approvalID {
                try fold(fact, into: id, entry.source, entry.authenticity, input, of: entry)
                try applyEarlierEnds(to: id, after: fact)
            }
            // An end may carry an id of its own, which no activation has: it ends what its subject holds.
            guard let end = fact.byHolder else { continue }
            remember(end, of: entry, index, input)
            for id in try allApprovals().keys.sorted() where id != fact.approvalID {
                guard approvals[id]?.state.isConcerned(by: end) ?? false else { continue }
                try fold(end, into: id, entry.source, entry.authenticity, input, of: entry)
                isMatched = true
            }
            if end.isMeantForApprovals { unmatched = unmatched ?? (end, input) }
        }
        // Of a person with several names, one that matches is enough.
        if !isMatched, let (end, input) = unmatched { try report(unmatched: end, entry, input) }
    }

    /// Keeps an end for approvals of its holder whose records come later.
    private mutating func remember(_ end: Fact, of entry: UnderstoodEntry, _ index: Int, _ input: EvidenceInput) {
        guard let at = end.occurredAt, events.indices.contains(entry.event) else { return }
        let stored = StoredHolderEnd(
            fact: end, source: entry.source, authenticity: entry.authenticity, input: input)
        for holder in end.endedHolders {
            holderEnds[holder, default: []].append(stored)
            newHolderEnds.append(
                HolderEnd(
                    subject: holder, occurredAt: at, event: events[entry.event], factIndex: Int32(clamping: index),
                    body: stored.encode()))
        }
    }

    /// Applies what ended the approval's holder before this record of the approval came.
    private mutating func applyEarlierEnds(to id: ApprovalID, after fact: Fact) throws {
        // The holders that a record names are asked for; those of an approval which is known may be others.
        if let known = snapshot.approvals[id] {
            for case let holder? in [known.subject, known.principalName, known.assignment]
            where !loadedHolders.contains(holder) {
                needs.holders.insert(holder)
            }
            // An end from before the approval is none of it: a record that is older than all that were known may make it one.
            if let at = fact.occurredAt, let entry = approvals[id], at == entry.state.firstOccurredAt {
                for holder in entry.state.holders where !loadedHolders.contains(holder) {
                    needs.holders.insert(holder)
                }
            }
        }
        guard !holderEnds.isEmpty, let state = approvals[id]?.state else { return }
        for holder in state.holders {
            for end in holderEnds[holder] ?? [] where state.isConcerned(by: end.fact) {
                var ended = state
                ended.apply(end.fact, from: end.source, authenticity: end.authenticity)
                guard ended != state else { continue }
                try fold(end.fact, into: id, end.source, end.authenticity, end.input)
            }
        }
    }

    /// The request of an entry that is known with another content. The same content in another event is a repeat.
    private mutating func contradictedRequest(_ entry: UnderstoodEntry) -> RequestID? {
        for index in entry.facts.indices {
            guard case .capabilityRequested(let asked) = entry.facts[index].content else { continue }
            if let known = request(asked.requestID)?.request, known != asked { return asked.requestID }
        }
        return nil
    }

    private mutating func fold(
        _ fact: Fact, into id: ApprovalID, _ source: SourceName, _ authenticity: IssuanceRules.Authenticity,
        _ input: EvidenceInput, of entry: UnderstoodEntry? = nil
    ) throws {
        let approval = try approval(id)
        approval.state.apply(fact, from: source, authenticity: authenticity)
        approval.isChanged = true
        // A request that names an approval has a trace of its own.
        let isAnswer = if case .capabilityRequested = fact.content { false } else { true }
        if isAnswer, let trace = entry?.trace { approval.stored.trace = trace }
        approvals[id] = approval
        touchedApprovals.insert(id)
        inputs[id, default: []].append(input)
        if isAnswer, let entry { note(entry, of: id) }
        if authenticity == .unconfirmed, fact.grants {
            wantedConfirmations.insert(ConfirmationKey(approvalID: id, source: source))
        }
    }

    private mutating func takeUp(
        _ asked: CapabilityRequest, entry: UnderstoodEntry, containedIn approvalID: ApprovalID?, input: EvidenceInput
    ) {
        if let known = request(asked.requestID) {
            summary.repeats += 1
            if known.stored.state == .waiting { toDecide.insert(asked.requestID) }
            return
        }
        let stored = StoredRequest(
            requestID: asked.requestID, state: .waiting, jobID: asked.jobID, jobClass: asked.jobClass,
            agentDID: asked.agentDID, body: nil, receivedAt: now, waitUntil: nil, decidedAt: nil,
            approvals: [], token: nil, revocation: nil, approvalReference: approvalID ?? asked.approvalID,
            ticketReference: asked.comparedTicketNumber, subjectReference: asked.subject)
        requests[asked.requestID] = RequestEntry(
            request: asked, stored: stored, isNew: true, isChanged: true, source: entry.source,
            authenticity: entry.authenticity, input: input, trace: entry.trace)
        note(entry, of: asked.requestID)
        toDecide.insert(asked.requestID)
    }

    /// Decides everything the batch touched, until nothing changes any more.
    mutating func settle() throws {
        let waiting = WaitingRequests(snapshot.requests.values)
        for id in touchedApprovals.sorted() {
            guard let entry = approvals[id] else {
                _ = try approval(id)
                continue
            }
            wakeRequests(waitingFor: entry.state, among: waiting)
        }
        meetings = ApprovalMeetings(try allApprovals().values.lazy.map(\.state))
        try judgeObserved()
        for id in toDecide.sorted() { try decide(id) }
        for id in touchedApprovals.sorted() { try close(id) }
    }

    /// Requests of the batch itself are decided in any case.
    private mutating func wakeRequests(waitingFor state: ApprovalState, among waiting: WaitingRequests) {
        if let contained = state.containedRequest?.requestID, request(contained)?.stored.state == .waiting {
            toDecide.insert(contained)
        }
        toDecide.formUnion(waiting.requests(for: state))
    }

    /// What the ledger is to write.
    func write() -> DecideWrite {
        var write = DecideWrite()
        for id in approvals.keys.sorted() {
            guard let entry = approvals[id], entry.isChanged else { continue }
            let state = entry.state
            entry.stored.state = state.encode()
            entry.stored.subject = state.subject?.id
            // Sources that name different tickets contradict each other: it is found by the first, see docs/rules.md.
            entry.stored.ticket = state.ticketNumbers.first
            entry.stored.principalName = state.subject?.principalName
            entry.stored.assignment = state.assignment?.holder
            state.addHolders(
                to: &entry.stored.otherNames, besides: entry.stored.subject, entry.stored.principalName,
                entry.stored.assignment)
            if entry.isNew {
                write.newApprovals.append(entry.stored)
            } else {
                write.changedApprovals.append(entry.stored)
            }
        }
        for id in requests.keys.sorted() {
            guard let entry = requests[id], entry.isChanged else { continue }
            // Only a request that waits is read back; most have their outcome in the transaction that first sees them.
            if entry.isNew, entry.stored.state == .waiting, let request = entry.request, let input = entry.input {
                entry.stored.body = StoredRequestBody(
                    request: request, source: entry.source, authenticity: entry.authenticity, input: input,
                    trace: entry.trace
                ).encode()
            }
            if entry.isNew {
                write.newRequests.append(entry.stored)
            } else {
                write.changedRequests.append(entry.stored)
            }
        }
        write.effects = effects
        write.effectOfRequest = effectOfRequest
        write.holderEnds = newHolderEnds
        write.redriven = redriven
        for name in changedHealth { write.health[name] = health[name]?.encode() }
        write.wantedConfirmations = wantedConfirmations
        write.settledConfirmations = settledConfirmations
        write.findings = findings
        return write
    }
}
