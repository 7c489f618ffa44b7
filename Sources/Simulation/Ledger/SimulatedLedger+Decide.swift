import ClawWire
import CrashPoints
import GrantLedger
import IssuanceRules
import ReceiptLog

extension SimulatedLedger {
    /// What the first exchange of a decide transaction brings.
    private struct Loaded: Sendable {
        var holds = true
        var snapshot: DecideSnapshot
        var drawn: [Int64] = []
    }

    func decide<Result: Sendable>(
        _ read: DecideRead, plan: @Sendable (DecideSnapshot) throws -> (write: DecideWrite, result: Result)
    ) async throws -> Result {
        let point: String
        switch read.fence {
        case .offsets: point = "decide"
        case .role: point = "sweep"
        }
        let points = read.fence.crashPoints
        return try await transaction("deciding a batch of \(read.events.count) events") { session in
            CrashPoint.pass(points.begun)
            forgetGroupIDsOfBefore()
            let outages = database.outages
            let wantsIDs = groupIDs.value.ids.count < 16
            let loaded = try await session.exchange("\(point).read") { session in
                try await Self.load(read, wantsIDs, point, session)
            }
            CrashPoint.pass(points.read)
            if groupIDs.value.outages == outages { groupIDs.value.ids += loaded.drawn }
            guard loaded.holds else {
                throw LedgerError(.fenced, "the lease or the offset is not this worker's any more; nothing committed")
            }
            var snapshot = loaded.snapshot
            if snapshot.newEvents.count < read.events.count {
                let conflicting = try await session.exchange("\(point).known") { session in
                    try await session.statement("\(point).known_events")
                    let known = session.database.tables.events
                    return Set(
                        read.events.indices.filter { index in
                            let event = read.events[index]
                            return known[Tables.EventRow(event)].map { $0 != event.recordDigest } ?? false
                        })
                }
                CrashPoint.pass(.decideRepeatsKnown)
                snapshot = Self.adding(conflicting.subtracting(snapshot.newEvents), to: snapshot)
            }
            let (write, result) = try plan(snapshot)
            CrashPoint.pass(points.planned)
            let ids = try await takeGroupIDs(EffectCodec.groups(write.effects).count, session)
            let decided = snapshot
            CrashPoint.pass(points.committing)
            try await session.exchange("\(point).write", commits: true) { session in
                try await Self.store(write, ids, read, decided, point, session)
            }
            CrashPoint.pass(points.committed)
            return result
        }
    }

    private static func adding(_ conflicting: Set<Int>, to snapshot: DecideSnapshot) -> DecideSnapshot {
        var completed = DecideSnapshot(
            now: snapshot.now, controlPosition: snapshot.controlPosition, newControlOrders: snapshot.newControlOrders,
            controlPolledAt: snapshot.controlPolledAt, newEvents: snapshot.newEvents, conflictingEvents: conflicting,
            approvals: snapshot.approvals, requests: snapshot.requests, usage: snapshot.usage,
            hasApprovalBudgets: snapshot.hasApprovalBudgets)
        completed.health = snapshot.health
        completed.holderEnds = snapshot.holderEnds
        completed.incarnation = snapshot.incarnation
        return completed
    }

    // MARK: The reading half

    private static func load(
        _ read: DecideRead, _ wantsIDs: Bool, _ point: String, _ session: Session
    ) async throws -> Loaded {
        let database = session.database
        if read.stopLock == .first {
            try await session.statement("\(point).stop_lock_first")
            try await session.lock(.stop, .shared)
            session.lockPatience = Int64(read.rowPatience / .nanoseconds(1))
        }
        try await session.statement("\(point).control_state")
        let state = (
            now: database.clock, position: database.tables.controlPosition, polledAt: database.tables.polledAt,
            incarnation: database.incarnation
        )
        try await session.statement("\(point).new_control_orders")
        let orders = database.tables.orders(after: read.knownControlPosition)
        let holds = try await fence(read, point, session)
        var drawn: [Int64] = []
        if wantsIDs {
            try await session.statement("\(point).effect_group_ids")
            drawn = drawGroupIDs(32, database)
        }
        let newEvents = try await insertEvents(read, point, session)
        let rows = newEvents.sorted().map { Tables.EventRow(read.events[$0]) }
        session.write { _ in session.database.watch.took(rows) }
        try await lockMeetings(read, point, session)
        let holderEnds = try await loadHolderEnds(read, point, session)
        let approvals = try await loadApprovals(read, point, session)
        let requests = try await loadRequests(read, point, session)
        if read.readsUsage { try await session.statement("\(point).load_usage") }
        var snapshot = DecideSnapshot(
            now: state.now, controlPosition: state.position, newControlOrders: orders, controlPolledAt: state.polledAt,
            newEvents: newEvents, conflictingEvents: [], approvals: approvals, requests: requests,
            usage: read.readsUsage ? [:] : nil)
        snapshot.holderEnds = holderEnds
        snapshot.incarnation = state.incarnation
        return Loaded(holds: holds, snapshot: snapshot, drawn: drawn)
    }

    private static func fence(_ read: DecideRead, _ point: String, _ session: Session) async throws -> Bool {
        switch read.fence {
        case .role(let lease): return try await fence(lease, point, session)
        case .offsets(let advances):
            try await session.statement("\(point).fence_offsets")
            let database = session.database
            let isSkipped = database.bugs.contains(.skipFence)
            func matches(_ advance: OffsetAdvance) -> Bool {
                guard let row = database.tables.partitions[advance.partition] else { return false }
                return row.owner == read.worker && row.epoch == advance.epoch.value && row.nextOffset == advance.from
            }
            var count = 0
            for advance in advances.sorted(by: { $0.partition < $1.partition }) {
                guard isSkipped || matches(advance) else { continue }
                try await session.lock(.partition(advance.partition))
                guard isSkipped || matches(advance) else { continue }
                count += 1
                session.write { database.watch.advanced([advance], by: read.worker, $0) }
                session.write { $0.partitions[advance.partition]?.nextOffset = advance.to }
            }
            return count == advances.count
        }
    }

    private static func insertEvents(
        _ read: DecideRead, _ point: String, _ session: Session
    ) async throws -> Set<Int> {
        try await session.statement("\(point).insert_events")
        let order = read.events.indices.sorted { left, right in
            let (a, b) = (read.events[left], read.events[right])
            return a.day != b.day ? a.day < b.day : a.key.lexicographicallyPrecedes(b.key)
        }
        let database = session.database
        if database.bugs.contains(.forgetEvents) { return Set(order) }
        var inserted: Set<Tables.EventRow> = []
        for index in order {
            let event = read.events[index]
            let row = Tables.EventRow(event)
            guard !inserted.contains(row) else { continue }
            // Whoever has inserted the same key and has not committed yet is waited for.
            if database.tables.events[row] == nil { try await session.lock(.event(row)) }
            guard database.tables.events[row] == nil else { continue }
            inserted.insert(row)
            // Of an event that the batch holds twice, the first that is inserted counts.
            session.write { $0.events[row] = event.recordDigest }
        }
        var new: Set<Int> = []
        var seen: Set<Tables.EventRow> = []
        for index in read.events.indices {
            let row = Tables.EventRow(read.events[index])
            if inserted.contains(row), seen.insert(row).inserted { new.insert(index) }
        }
        return new
    }

    private static func lockMeetings(_ read: DecideRead, _ point: String, _ session: Session) async throws {
        var locks: [String: LockMode] = [:]
        for approval in read.meetingApprovalIDs { locks["approval\u{0}\(approval)"] = .exclusive }
        for ticket in read.tickets { locks["ticket\u{0}\(ticket)"] = .exclusive }
        for subject in read.subjects.union(read.endingSubjects) { locks["subject\u{0}\(subject)"] = .exclusive }
        // Holders share a few locks, which only their ends take for themselves.
        func holders(_ holder: PersonID) -> String {
            let sum = holder.rawValue.utf8.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }
            return "holders\u{0}\(sum % 64)"
        }
        for holder in read.holders { locks[holders(holder)] = .shared }
        for holder in read.endingSubjects { locks[holders(holder)] = .exclusive }
        guard !locks.isEmpty else { return }
        try await session.statement("\(point).meeting_locks")
        guard !session.database.bugs.contains(.skipRowLocks) else { return }
        for (key, mode) in locks.sorted(by: { $0.key < $1.key }) { try await session.lock(.meeting(key), mode) }
    }

    private static func loadHolderEnds(
        _ read: DecideRead, _ point: String, _ session: Session
    ) async throws -> [PersonID: [[UInt8]]] {
        guard !read.holders.isEmpty else { return [:] }
        try await session.statement("\(point).load_holder_ends")
        let tables = session.database.tables
        var found: [PersonID: [[UInt8]]] = [:]
        for holder in read.holders {
            let ends = tables.ends(of: holder)
            if !ends.isEmpty { found[holder] = ends }
        }
        return found
    }

    private static func loadApprovals(
        _ read: DecideRead, _ point: String, _ session: Session
    ) async throws -> [ApprovalID: StoredApproval] {
        try await session.statement("\(point).load_approvals")
        let database = session.database
        let ids = read.approvalIDs.union(read.endingApprovalIDs)
        let subjects = read.subjects.union(read.endingSubjects)
        var wanted = ids.filter { database.tables.approvals[$0] != nil }
        if !subjects.isEmpty || !read.tickets.isEmpty {
            let assignments = read.endingSubjects.filter { $0.rawValue.hasPrefix("assignment:") }
            for (id, approval) in database.tables.approvals {
                if approval.isHeld(by: assignments) { wanted.insert(id) }
                guard approval.outcome == nil else { continue }
                if approval.subject.map(subjects.contains) ?? false || approval.isHeld(by: read.endingSubjects)
                    || approval.ticket.map(read.tickets.contains) ?? false
                {
                    wanted.insert(id)
                }
            }
        }
        var loaded: [ApprovalID: StoredApproval] = [:]
        for id in wanted.sorted() {
            if !database.bugs.contains(.skipRowLocks) { try await session.lock(.approval(id)) }
            loaded[id] = database.tables.approvals[id]
        }
        return loaded
    }

    private static func loadRequests(
        _ read: DecideRead, _ point: String, _ session: Session
    ) async throws -> [RequestID: StoredRequest] {
        try await session.statement("\(point).load_requests")
        let database = session.database
        let tables = database.tables
        let approvals = read.approvalIDs.union(read.endingApprovalIDs)
        let subjects = read.subjects.union(read.endingSubjects)
        var wanted = read.requestIDs.filter { tables.requests[$0] != nil }
        if !approvals.isEmpty || !subjects.isEmpty || !read.tickets.isEmpty {
            for (id, row) in tables.requests where row.request.state == .waiting {
                if row.request.approvalReference.map(approvals.contains) ?? false
                    || row.request.ticketReference.map(read.tickets.contains) ?? false
                    || row.request.subjectReference.map(subjects.contains) ?? false
                {
                    wanted.insert(id)
                }
            }
        }
        for id in read.endingApprovalIDs { wanted.formUnion(tables.approvals[id]?.usedBy ?? []) }
        if !read.endingSubjects.isEmpty {
            for approval in tables.approvals.values {
                if approval.isHeld(by: read.endingSubjects) { wanted.formUnion(approval.usedBy) }
            }
            for (id, row) in tables.requests where row.request.state == .waiting {
                guard let approval = row.request.approvalReference.flatMap({ tables.approvals[$0] }) else { continue }
                let isOpen = approval.outcome == nil
                if isOpen, approval.isHeld(by: read.endingSubjects) { wanted.insert(id) }
            }
        }
        var loaded: [RequestID: StoredRequest] = [:]
        for id in wanted.sorted() where tables.requests[id] != nil {
            if !database.bugs.contains(.skipRowLocks) { try await session.lock(.request(id)) }
            loaded[id] = database.tables.requests[id]?.request
        }
        return loaded
    }

    // MARK: The writing half

    private static func store(
        _ write: DecideWrite, _ ids: [Int64], _ read: DecideRead, _ snapshot: DecideSnapshot, _ point: String,
        _ session: Session
    ) async throws {
        let database = session.database
        let now = snapshot.now
        if !write.newApprovals.isEmpty {
            try await session.statement("\(point).insert_approvals")
            for approval in write.newApprovals {
                try await session.lock(.approval(approval.approvalID))
                guard database.tables.approvals[approval.approvalID] == nil else { throw ServerFault.conflict }
            }
        }
        if !write.changedApprovals.isEmpty { try await session.statement("\(point).update_approvals") }
        for var approval in write.newApprovals + write.changedApprovals {
            try await session.lock(.approval(approval.approvalID))
            approval.updatedAt = now
            // A name that was written stays.
            approval.otherNames.formUnion(database.tables.approvals[approval.approvalID]?.otherNames ?? [])
            let stored = approval
            session.write { $0.approvals[stored.approvalID] = stored }
        }
        let groups = groups(write.effects, ids, at: now)
        try await storeRequests(write, groups, point, session)
        if !write.holderEnds.isEmpty {
            try await session.statement("\(point).insert_holder_ends")
            for end in write.holderEnds {
                let row = Tables.HolderEndRow(end)
                try await session.lock(.holderEnd(row))
                // One that is known stays as it is.
                session.write { $0.holderEnds[row] = $0.holderEnds[row] ?? end.body }
            }
        }
        if write.newRequests.contains(where: { $0.token != nil })
            || write.changedRequests.contains(where: { $0.token != nil })
        {
            try await session.statement("\(point).add_to_tally")
        }
        try await put(groups, point, session)
        switch read.stopLock {
        case .first:
            try await session.statement("\(point).row_patience")
            session.lockPatience = nil
        case .last:
            try await session.statement("\(point).stop_lock")
            if !database.bugs.contains(.skipStopLock) { try await session.lock(.stop, .shared) }
            try await session.statement("\(point).require_control_position")
            guard
                database.tables.controlPosition == snapshot.controlPosition
                    || database.bugs.contains(.skipPositionCheck)
            else { throw ServerFault.positionMoved }
        }
        let decided = write.newRequests + write.changedRequests.filter { write.effectOfRequest[$0.requestID] != nil }
        session.write { _ in database.watch.decided(decided, at: snapshot.controlPosition) }
        try await session.commit(point)
    }

    private static func storeRequests(
        _ write: DecideWrite, _ groups: [Tables.GroupRow], _ point: String, _ session: Session
    ) async throws {
        let database = session.database
        var places: [(group: Int64, day: Int32, index: Int32)] = []
        for row in groups {
            for index in row.group.effects.indices { places.append((row.group.groupID, row.group.day, Int32(index))) }
        }
        func put(_ request: StoredRequest) {
            let place = write.effectOfRequest[request.requestID].map { places[$0] }
            session.write { tables in
                tables.requests[request.requestID] = Tables.RequestRow(
                    request: request, place: place ?? tables.requests[request.requestID]?.place)
            }
        }
        if !write.newRequests.isEmpty {
            try await session.statement("\(point).insert_requests")
            for request in write.newRequests {
                try await session.lock(.request(request.requestID))
                guard
                    database.tables.requests[request.requestID] == nil || database.bugs.contains(.skipRowLocks)
                else { throw ServerFault.conflict }
                put(request)
            }
        }
        guard !write.changedRequests.isEmpty else { return }
        try await session.statement("\(point).update_requests")
        for request in write.changedRequests {
            try await session.lock(.request(request.requestID))
            guard let old = database.tables.requests[request.requestID]?.request else { continue }
            try checkOutcome(old, request, database)
            put(request)
        }
    }

    /// The trigger: what has an outcome keeps it, what is revoked stays so.
    private static func checkOutcome(
        _ old: StoredRequest, _ new: StoredRequest, _ database: SimulatedDatabase
    ) throws(ServerFault) {
        guard !database.bugs.contains(.skipRowLocks) else { return }
        if old.state != .waiting, new.state != old.state || new.token?.tokenHash != old.token?.tokenHash {
            throw .refused("request \(old.requestID) has its outcome already")
        }
        if let revocation = old.revocation, new.revocation?.at != revocation.at {
            throw .refused("the token of request \(old.requestID) is revoked already")
        }
    }
}
