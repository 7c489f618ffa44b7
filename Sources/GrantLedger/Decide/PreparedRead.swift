import ClawWire
import IssuanceRules
import Postgres
import ReceiptLog

/// The reading half of a decide transaction: its steps in order, and how their results become a snapshot.
struct PreparedRead {
    private let read: DecideRead
    /// The batch's events in index order of the unique index, so that two workers never wait for each other in a ring.
    private let order: [Int]
    private let controlStep: Int
    private let fenceStep: Int
    private let groupStep: Int?
    private let eventStep: Int
    private let approvalStep: Int
    private let requestStep: Int
    private let usageStep: Int?
    private let redriveStep: Int?
    private let healthStep: Int?
    private let holderStep: Int?
    let steps: [PipelineStep]

    init(_ read: DecideRead, wantsGroupIDs: Bool) {
        self.read = read
        order = read.events.indices.sorted { left, right in
            let (a, b) = (read.events[left], read.events[right])
            return a.day != b.day ? a.day < b.day : a.key.lexicographicallyPrecedes(b.key)
        }
        var steps: [PipelineStep] = []
        if read.stopLock == .first {
            steps += [
                .execute(DecideStatements.stopLock),
                .execute(DecideStatements.rowPatience, Parameters(String(Int64(read.rowPatience / .milliseconds(1))))),
            ]
        }
        controlStep = steps.count
        steps += [
            .execute(DecideStatements.controlState),
            .execute(DecideStatements.newControlOrders, Parameters(read.knownControlPosition)),
        ]
        fenceStep = steps.count
        steps.append(Self.fence(read))
        healthStep = read.health == nil ? nil : steps.count
        if let health = read.health { steps.append(PostgresLedger.healthStep(health)) }
        if wantsGroupIDs {
            groupStep = steps.count
            steps.append(.execute(DecideStatements.groupIDs, Parameters(Int32(32))))
        } else {
            groupStep = nil
        }
        eventStep = steps.count
        steps.append(.execute(DecideStatements.insertEvents, Self.events(read, order, withDigest: true)))
        let locks = Self.meetingLocks(read)
        if !locks.isEmpty {
            var parameters = Parameters()
            parameters.append(column: locks) { $0.key }
            parameters.append(column: locks) { $0.isExclusive }
            steps.append(.execute(DecideStatements.meetingLocks, parameters))
        }
        let holders = PostgresLedger.holderEndsStep(read.holders)
        holderStep = holders == nil ? nil : steps.count
        if let holders { steps.append(holders) }
        let approvalIDs = read.approvalIDs.union(read.endingApprovalIDs).map(\.rawValue).sorted()
        let subjects = read.subjects.union(read.endingSubjects).map(\.rawValue).sorted()
        let tickets = read.tickets.sorted()
        approvalStep = steps.count
        var approvals = Parameters()
        approvals.append(array: approvalIDs)
        approvals.append(array: subjects)
        approvals.append(array: tickets)
        approvals.append(array: read.endingSubjects.map(\.rawValue).sorted())
        steps.append(.execute(DecideStatements.loadApprovals, approvals))
        requestStep = steps.count
        var requests = Parameters()
        requests.append(array: read.requestIDs.map(\.rawValue).sorted())
        requests.append(array: approvalIDs)
        requests.append(array: tickets)
        requests.append(array: subjects)
        requests.append(array: read.endingApprovalIDs.map(\.rawValue).sorted())
        requests.append(array: read.endingSubjects.map(\.rawValue).sorted())
        steps.append(.execute(DecideStatements.loadRequests, requests))
        if read.readsUsage {
            usageStep = steps.count
            var usage = Parameters()
            usage.append(array: read.requestIDs.map(\.rawValue).sorted())
            usage.append(array: approvalIDs)
            usage.append(array: tickets)
            usage.append(array: subjects)
            usage.append(array: read.jobIDs.map(\.rawValue).sorted())
            steps.append(.execute(DecideStatements.loadUsage, usage))
        } else {
            usageStep = nil
        }
        redriveStep = read.redrive == nil ? nil : steps.count
        if let origin = read.redrive {
            steps.append(
                .execute(
                    DeadLetterStatements.lockWanted, Parameters(origin.topic, origin.partition, origin.offset)))
        }
        self.steps = steps
    }

    private static func fence(_ read: DecideRead) -> PipelineStep {
        switch read.fence {
        case .offsets(let advances):
            let sorted = advances.sorted { $0.partition < $1.partition }
            var parameters = Parameters()
            parameters.append(column: sorted) { $0.partition.topic }
            parameters.append(column: sorted) { $0.partition.partition }
            parameters.append(column: sorted) { $0.epoch.value }
            parameters.append(column: sorted) { $0.from }
            parameters.append(column: sorted) { $0.to }
            parameters.append(read.worker.rawValue)
            return .execute(DecideStatements.fenceOffsets, parameters)
        case .role(let lease):
            return .execute(
                DecideStatements.fenceRole,
                Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value))
        }
    }

    /// A row's key in the event table: an identifier is unique within its day.
    private struct EventRow: Hashable {
        let day: Int32
        let key: PostgresUUID

        init(_ event: EventKey) {
            day = event.day
            key = PreparedRead.uuid(event.key)
        }

        init(_ result: PostgresResult, _ row: Int) throws(PostgresError) {
            day = try result.int32(row, 0)
            key = try result.uuid(row, 1)
        }
    }

    private static func events(_ read: DecideRead, _ order: [Int], withDigest: Bool) -> Parameters {
        var parameters = Parameters()
        parameters.append(column: order) { read.events[$0].day }
        parameters.append(column: order) { uuid(read.events[$0].key) }
        if withDigest { parameters.append(column: order) { read.events[$0].recordDigest.bytes } }
        return parameters
    }

    static func uuid(_ key: [UInt8]) -> PostgresUUID {
        // An event key has 16 bytes by construction; another would lose what is in front of the last sixteen.
        var (high, low) = (UInt64(0), UInt64(0))
        for byte in key {
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(byte)
        }
        return PostgresUUID(high: high, low: low)
    }

    /// Lock keys for everything by which facts and requests of different partitions may find each other. Without them
    /// each of two concurrent batches could miss what the other is about to commit: an approval and a request would both
    /// wait, and an end would not reach the approval that comes with it.
    ///
    /// Approvals do not exclude each other by their holder, only the ends of holders exclude them. A batch has hundreds
    /// of holders, so that these share a few locks.
    private static func meetingLocks(_ read: DecideRead) -> [(key: Int64, isExclusive: Bool)] {
        var locks: [Int64: Bool] = [:]
        func add(_ kind: String, _ value: String, isExclusive: Bool = true) {
            let bytes = Digest(hashing: "clawgrant meeting\u{0}\(kind)\u{0}\(value)").bytes
            let key = bytes.prefix(8).reduce(0) { $0 << 8 | Int64($1) }
            locks[key] = isExclusive || locks[key] ?? false
        }
        func addHolder(_ holder: PersonID, isExclusive: Bool) {
            let sum = holder.rawValue.utf8.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }
            add("holders", String(sum % 64), isExclusive: isExclusive)
        }
        for approval in read.meetingApprovalIDs { add("approval", approval.rawValue) }
        for ticket in read.tickets { add("ticket", ticket) }
        for subject in read.subjects.union(read.endingSubjects) { add("subject", subject.rawValue) }
        for holder in read.holders { addHolder(holder, isExclusive: false) }
        for holder in read.endingSubjects { addHolder(holder, isExclusive: true) }
        return locks.map { (key: $0.key, isExclusive: $0.value) }.sorted { $0.key < $1.key }
    }

    var knownEventsStep: PipelineStep {
        .execute(DecideStatements.knownEvents, Self.events(read, order, withDigest: false))
    }

    func newGroupIDs(_ results: [PostgresResult]) -> [Int64] {
        guard let groupStep else { return [] }
        return (0..<results[groupStep].rowCount).compactMap { try? results[groupStep].int64($0, 0) }
    }

    func snapshot(_ results: [PostgresResult]) throws -> DecideSnapshot {
        try checkFence(results[fenceStep])
        let control = results[controlStep]
        guard control.rowCount == 1 else { throw PostgresLedger.corrupted("clawgrant.control_state") }
        let inserted = results[eventStep]
        var insertedKeys: Set<EventRow> = []
        for row in 0..<inserted.rowCount { insertedKeys.insert(try EventRow(inserted, row)) }
        var newEvents: Set<Int> = []
        var seen: Set<EventRow> = []
        for index in read.events.indices {
            let key = EventRow(read.events[index])
            // Of an event that the batch holds twice, the first is new and the second a repeat.
            if insertedKeys.contains(key), seen.insert(key).inserted { newEvents.insert(index) }
        }
        var approvals: [ApprovalID: StoredApproval] = [:]
        for row in 0..<results[approvalStep].rowCount {
            let approval = try StoredRows.approval(results[approvalStep], row)
            approvals[approval.approvalID] = approval
        }
        var requests: [RequestID: StoredRequest] = [:]
        for row in 0..<results[requestStep].rowCount {
            let request = try StoredRows.request(results[requestStep], row)
            requests[request.requestID] = request
        }
        var usage: [JobID: JobUsage]?
        if let usageStep {
            usage = [:]
            for row in 0..<results[usageStep].rowCount {
                let job = JobID(try results[usageStep].string(row, 0))
                usage?[job] = try StoredRows.usage(of: job, try results[usageStep].bytes(row, 1))
            }
        }
        var snapshot = DecideSnapshot(
            now: try control.timestampValue(0, 2), controlPosition: try control.int64(0, 0),
            newControlOrders: try StoredRows.controlOrders(results[controlStep + 1]),
            controlPolledAt: try control.timestampValue(0, 1), newEvents: newEvents, conflictingEvents: [],
            approvals: approvals, requests: requests, usage: usage, hasApprovalBudgets: try control.bool(0, 3))
        if let redriveStep, results[redriveStep].rowCount == 1 {
            snapshot.redrive = try StoredRows.deadLetter(results[redriveStep], 0)
        }
        if let healthStep { snapshot.health = try StoredRows.sourceHealth(results[healthStep]) }
        if let holderStep {
            for row in 0..<results[holderStep].rowCount {
                let holder = PersonID(try results[holderStep].string(row, 0))
                snapshot.holderEnds[holder, default: []].append(try results[holderStep].bytes(row, 1))
            }
        }
        snapshot.incarnation = try LedgerIncarnation(control, 0, firstColumn: 4)
        return snapshot
    }

    private func checkFence(_ result: PostgresResult) throws(LedgerError) {
        switch read.fence {
        case .offsets(let advances):
            guard result.affectedRows == advances.count else {
                let names = advances.map(\.partition.description).sorted().joined(separator: ", ")
                throw LedgerError(
                    .fenced,
                    "the lease or the offset of one of \(names) is not this worker's any more; nothing committed")
            }
        case .role(let lease):
            guard result.rowCount == 1 else {
                throw LedgerError(
                    .fenced, "the role \(lease.role.rawValue) is held by another worker; nothing committed")
            }
        }
    }

    func addingConflicts(to snapshot: DecideSnapshot, known: [PostgresResult]) throws -> DecideSnapshot {
        guard let result = known.first else { return snapshot }
        var digests: [EventRow: Digest] = [:]
        for row in 0..<result.rowCount { digests[try EventRow(result, row)] = try result.digest(row, 2) }
        let conflicting = read.events.indices.filter { index in
            !snapshot.newEvents.contains(index)
                && digests[EventRow(read.events[index])].map { $0 != read.events[index].recordDigest } ?? false
        }
        var completed = DecideSnapshot(
            now: snapshot.now, controlPosition: snapshot.controlPosition,
            newControlOrders: snapshot.newControlOrders, controlPolledAt: snapshot.controlPolledAt,
            newEvents: snapshot.newEvents, conflictingEvents: Set(conflicting), approvals: snapshot.approvals,
            requests: snapshot.requests, usage: snapshot.usage, hasApprovalBudgets: snapshot.hasApprovalBudgets)
        completed.redrive = snapshot.redrive
        completed.health = snapshot.health
        completed.holderEnds = snapshot.holderEnds
        completed.incarnation = snapshot.incarnation
        return completed
    }
}
