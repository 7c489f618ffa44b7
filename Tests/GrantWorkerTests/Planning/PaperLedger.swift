import ApprovalSources
import ClawWire
import IssuanceRules
import ReceiptLog

@testable import GrantLedger
@testable import GrantWorker

/// A ledger on paper: what the real one loads and writes in a decide transaction, as values.
///
/// It loads what the SQL loads and not a row more, so that a plan which needs what was not loaded shows it.
struct PaperLedger {
    var fixture: PlanFixture
    var now = PlanFixture.now
    /// What jobs have used.
    var usage: [JobID: JobUsage] = [:]
    /// How often a batch was planned again because it had not read what its jobs have used.
    private(set) var plansForUsage = 0
    private(set) var events: [EventRow: Digest] = [:]
    private(set) var approvals: [ApprovalID: StoredApproval] = [:]
    private(set) var requests: [RequestID: StoredRequest] = [:]
    private(set) var effects: [Effect] = []
    private(set) var batches: [BatchSummary] = []
    private(set) var groups: [[Effect]] = []
    /// What became of dead letters whose records were read again.
    private(set) var redriven: [RedriveWrite] = []
    private var wanted: StoredDeadLetter?
    private(set) var holderEnds: [HolderEnd] = []
    /// When sources were heard, and what is counted of them.
    private(set) var heard: [SourceName: Timestamp] = [:]
    private(set) var counted: [SourceName: [UInt8]] = [:]
    private var nextOffset: Int64 = 0

    struct EventRow: Hashable {
        let day: Int32
        let key: [UInt8]
    }

    /// A write that the real ledger would refuse.
    struct Refused: Error { let what: String }

    init(_ fixture: PlanFixture) { self.fixture = fixture }

    /// Decides records as one batch, at offsets that follow on.
    @discardableResult
    mutating func deliver(_ records: [SourceRecord]) throws -> BatchSummary {
        let placed = records.map { record in
            defer { nextOffset += 1 }
            return SourceRecord(
                topic: record.topic, partition: record.partition, offset: nextOffset, key: record.key,
                headers: record.headers, value: record.value, timestamp: record.timestamp)
        }
        var signatures = BatchSignatureCache(capacity: 64)
        let batch = fixture.reader.read(placed, fence: .offsets([]), at: now, signatures: &signatures)
        return try decide(batch, due: DueWork(requests: [], approvals: []))
    }

    /// Decides facts as one batch, each of an event of its own.
    @discardableResult
    mutating func deliver(facts: [Fact]) throws -> BatchSummary {
        var batch = UnderstoodBatch(read: DecideRead(worker: WorkerID("planner"), fence: .offsets([])))
        for fact in facts {
            let source = SourceName(fact.source)
            let digest = Digest(hashing: JSONWriter.bytes(fact.json))
            let event = fact.sourceEventID ?? SourceEventID(digest.hex)
            batch.read.events.append(
                EventKey(source: source, eventID: event, occurredAt: fact.occurredAt ?? now, recordDigest: digest))
            batch.entries.append(
                UnderstoodEntry(
                    source: source,
                    found: FoundRecord(
                        origin: RecordOrigin(topic: PlanFixture.approvalsTopic, partition: 0, offset: nextOffset),
                        digest: digest),
                    facts: [fact], authenticity: .signed(by: [PlanFixture.eventKey.publicKey.kid]),
                    event: batch.read.events.count - 1))
            nextOffset += 1
            fixture.reader.need(fact, isContained: false, &batch)
        }
        return try decide(batch, due: DueWork(requests: [], approvals: []))
    }

    /// Decides the record of a dead letter again, at its own offset.
    @discardableResult
    mutating func redrive(
        _ letter: StoredDeadLetter, _ record: SourceRecord, isWanted: Bool = true
    ) throws -> BatchSummary {
        let placed = SourceRecord(
            topic: letter.origin.topic, partition: letter.origin.partition, offset: letter.origin.offset,
            key: record.key, headers: record.headers, value: record.value, timestamp: record.timestamp)
        var signatures = BatchSignatureCache(capacity: 64)
        var batch = fixture.reader.read([placed], fence: .offsets([]), at: now, signatures: &signatures)
        batch.read.redrive = letter.origin
        wanted = isWanted ? letter : nil
        defer { wanted = nil }
        return try decide(batch, due: DueWork(requests: [], approvals: []))
    }

    /// Looks at silent sources, as every worker does.
    @discardableResult
    mutating func lookAtSources() throws -> BatchSummary {
        var batch = UnderstoodBatch(read: DecideRead(worker: WorkerID("planner"), fence: .offsets([])))
        batch.isHealthCheck = true
        return try decide(batch, due: DueWork(requests: [], approvals: []))
    }

    /// Decides what is due, as the sweeper does.
    @discardableResult
    mutating func sweep() throws -> BatchSummary {
        let due = DueWork(
            requests: requests.values.filter { $0.state == .waiting && ($0.waitUntil.map { $0 <= now } ?? false) }
                .sorted { $0.requestID < $1.requestID }
                .map {
                    DueWork.Request(
                        requestID: $0.requestID, approvalReference: $0.approvalReference,
                        ticketReference: $0.ticketReference, subjectReference: $0.subjectReference)
                },
            approvals: approvals.values.filter { $0.outcome == nil && ($0.closeAt.map { $0 <= now } ?? false) }
                .map(\.approvalID).sorted())
        return try decide(
            SweepService.batch(due, DecideRead(worker: WorkerID("planner"), fence: .offsets([]))), due: due)
    }

    private mutating func decide(_ batch: UnderstoodBatch, due: DueWork) throws -> BatchSummary {
        var batch = batch
        while true {
            do {
                let (write, summary) = try fixture.planner().plan(
                    batch, due: due, snapshot: snapshot(batch.read), control: .none)
                try apply(write, batch.read)
                heard.merge(batch.seen) { max($0, $1) }
                batches.append(summary)
                return summary
            } catch let needs as PlanNeeds {
                guard needs.policies.isEmpty else { throw needs }
                batch.read.requestIDs.formUnion(needs.requests)
                batch.read.holders.formUnion(needs.holders)
                if needs.usage {
                    batch.read.readsUsage = true
                    plansForUsage += 1
                }
            }
        }
    }

    private func snapshot(_ read: DecideRead) -> DecideSnapshot {
        var new: Set<Int> = []
        var conflicting: Set<Int> = []
        var seen = events
        for (index, event) in read.events.enumerated() {
            let row = EventRow(day: event.day, key: event.key)
            if let digest = seen[row] {
                if digest != event.recordDigest { conflicting.insert(index) }
            } else {
                seen[row] = event.recordDigest
                new.insert(index)
            }
        }
        let approvalIDs = read.approvalIDs.union(read.endingApprovalIDs)
        let subjects = read.subjects.union(read.endingSubjects)
        let assignments = read.endingSubjects.filter { $0.rawValue.hasPrefix("assignment:") }
        let loaded = approvals.filter { id, approval in
            approvalIDs.contains(id) || approval.isHeld(by: assignments)
                || approval.outcome == nil
                    && (approval.subject.map(subjects.contains) ?? false || approval.isHeld(by: read.endingSubjects)
                        || approval.ticket.map(read.tickets.contains) ?? false)
        }
        var ending: Set<RequestID> = []
        for approval in approvals.values
        where read.endingApprovalIDs.contains(approval.approvalID)
            || approval.isHeld(by: read.endingSubjects)
        {
            ending.formUnion(approval.usedBy)
        }
        let found = requests.filter { id, request in
            if read.requestIDs.contains(id) || ending.contains(id) { return true }
            guard request.state == .waiting else { return false }
            return request.approvalReference.map(approvalIDs.contains) ?? false
                || request.approvalReference.flatMap { approvals[$0] }.map {
                    $0.outcome == nil && $0.isHeld(by: read.endingSubjects)
                } ?? false
                || request.ticketReference.map(read.tickets.contains) ?? false
                || request.subjectReference.map(subjects.contains) ?? false
        }
        var snapshot = DecideSnapshot(
            now: now, controlPosition: 0, newControlOrders: [], controlPolledAt: now, newEvents: new,
            conflictingEvents: conflicting,
            approvals: loaded, requests: found, usage: read.readsUsage ? usage : nil,
            hasApprovalBudgets: usage.values.contains { !$0.approvalBudgets.isEmpty })
        snapshot.redrive = wanted
        for end in holderEnds where read.holders.contains(end.subject) {
            snapshot.holderEnds[end.subject, default: []].append(end.body)
        }
        for name in fixture.rules.healthRules.keys {
            snapshot.health[name] = StoredSourceHealth(seenAt: heard[name], body: counted[name] ?? [])
        }
        return snapshot
    }

    private mutating func apply(_ write: DecideWrite, _ read: DecideRead) throws {
        for event in read.events {
            let row = EventRow(day: event.day, key: event.key)
            if events[row] == nil { events[row] = event.recordDigest }
        }
        for approval in write.newApprovals {
            guard approvals.updateValue(approval, forKey: approval.approvalID) == nil else {
                throw Refused(what: "approval \(approval.approvalID) twice")
            }
        }
        for var approval in write.changedApprovals {
            approval.otherNames.formUnion(approvals[approval.approvalID]?.otherNames ?? [])
            guard approvals.updateValue(approval, forKey: approval.approvalID) != nil else {
                throw Refused(what: "approval \(approval.approvalID) is not there")
            }
        }
        for request in write.newRequests {
            guard requests.updateValue(request, forKey: request.requestID) == nil else {
                throw Refused(what: "request \(request.requestID) twice")
            }
        }
        for request in write.changedRequests {
            guard let old = requests.updateValue(request, forKey: request.requestID) else {
                throw Refused(what: "request \(request.requestID) is not there")
            }
            guard old.state == .waiting || old.state == request.state else {
                throw Refused(what: "request \(request.requestID) has its outcome")
            }
            guard old.token == nil || old.token == request.token else {
                throw Refused(what: "the token of request \(request.requestID) changed")
            }
        }
        if let write = write.redriven { redriven.append(write) }
        counted.merge(write.health) { $1 }
        holderEnds += write.holderEnds
        effects += write.effects
        if !write.effects.isEmpty { groups.append(write.effects) }
    }

    // MARK: Looking

    func request(_ name: String) -> StoredRequest? { requests[RequestID("req-\(name)")] }
    func approval(_ name: String) -> StoredApproval? { approvals[ApprovalID("apr-\(name)")] }

    func state(_ name: String) throws -> ApprovalState {
        guard let approval = approval(name) else { throw Refused(what: "approval \(name) is not there") }
        return try ApprovalState(decoding: approval.state)
    }

    /// How many receipts there are of each kind.
    var kinds: [String: Int] { effects.reduce(into: [:]) { $0[$1.receiptKind, default: 0] += 1 } }

    /// Values of one stream, in order.
    func outputs(_ stream: OutputStream) -> [[UInt8]] {
        effects.flatMap(\.outputs).filter { $0.stream == stream }.map(\.value)
    }

    func deadLetters() throws -> [DeadLetterRecord] {
        try outputs(.deadLetters).map { try DeadLetterRecord(parsing: $0) }
    }
    func decisions() throws -> [DecisionRecord] { try outputs(.decisions).map { try DecisionRecord(parsing: $0) } }

    /// The reason codes of the decisions for a request.
    func reasons(_ name: String) throws -> [String] {
        try decisions().filter { $0.subject.requestID == RequestID("req-\(name)") }.flatMap(\.reasons).map(\.code)
    }
}
