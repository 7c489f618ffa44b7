import ClawWire
import CrashPoints
import GrantLedger
import ReceiptLog

extension SimulatedLedger {
    func openLog(_ logID: LogID) async throws(LedgerError) {
        let name = try await run("open_log") { session in
            try await session.statement("open_log.insert")
            if session.database.tables.logID == nil { session.write { $0.logID = $0.logID ?? logID } }
            return session.database.tables.logID ?? logID
        }
        guard name == logID else { throw LedgerError(.refused, "this ledger holds the log \"\(name)\"") }
    }

    /// Days need no partitions here.
    func ensureDays(past: Int32, future: Int32) async throws(LedgerError) {
        try await run("ensure_days") { session in
            try await session.statement("ensure_days.make")
            try await session.statement("ensure_days.forget_holder_ends")
            let tables = session.database.tables
            let oldest = session.database.clock.adding(seconds: -86_400 * Int64(past + 1))
            for row in tables.holderEnds.keys where row.occurredAt < oldest {
                session.write { $0.holderEnds[row] = nil }
            }
        }
    }

    func due(limit: Int) async throws(LedgerError) -> DueWork {
        try await read("due_requests") { database in
            let now = database.clock
            let requests = database.tables.requests.values.map(\.request).filter {
                $0.state == .waiting && $0.waitUntil.map { $0 <= now } ?? false
            }.sorted { ($0.waitUntil ?? now, $0.requestID) < ($1.waitUntil ?? now, $1.requestID) }
            let approvals = database.tables.approvals.values.filter {
                $0.outcome == nil && $0.closeAt.map { $0 <= now } ?? false
            }.sorted { ($0.closeAt ?? now, $0.approvalID) < ($1.closeAt ?? now, $1.approvalID) }
            return DueWork(
                requests: requests.prefix(limit).map {
                    DueWork.Request(
                        requestID: $0.requestID, approvalReference: $0.approvalReference,
                        ticketReference: $0.ticketReference, subjectReference: $0.subjectReference)
                }, approvals: approvals.prefix(limit).map(\.approvalID))
        }
    }

    func registerKey(
        kid: KeyID, purpose: String, publicKey: Ed25519PublicKey, worker: WorkerID,
        effect: @Sendable (Timestamp) throws -> Effect
    ) async throws -> Bool {
        try await transaction("recording the signing key \(kid)") { session in
            let found = try await session.exchange("register_key.insert") { session -> (Timestamp, [Int64])? in
                let database = session.database
                try await session.statement("register_key.insert_key")
                if !database.tables.keys.contains(kid) { try await session.lock(.signingKey(kid)) }
                guard !database.tables.keys.contains(kid) else { return nil }
                session.write { $0.keys.insert(kid) }
                return (database.clock, Self.drawGroupIDs(1, database))
            }
            guard let (now, ids) = found else { return false }
            let effect = try effect(now)
            CrashPoint.pass(.keyInserted)
            try await session.exchange("register_key.write", commits: true) { session in
                try await Self.put(Self.groups([effect], ids, at: now), "register_key", session)
                try await session.commit("register_key")
            }
            CrashPoint.pass(.keyRecorded)
            return true
        }
    }

    func standing() async throws(LedgerError) -> LedgerStanding {
        try await read("standing") { database in
            LedgerStanding(
                incarnation: database.incarnation, nextBatch: Int64(database.tables.batches.count),
                controlPosition: database.tables.controlPosition)
        }
    }

    func headerHash(ofBatch number: Int64) async throws(LedgerError) -> Digest? {
        let worker = worker
        return try await read("header_hash") { database in
            guard let batch = database.tables.batches.first(where: { $0.number == number }) else { return nil }
            database.lastHeld[worker] = max(database.lastHeld[worker] ?? -1, number)
            return batch.headerHash
        }
    }

    func foldTallies() async throws(LedgerError) {
        // Counts are taken from the requests themselves, so there is nothing to fold; the transaction is there.
        try await run("fold_tallies") { try await $0.statement("fold_tallies.fold") }
    }

    func history(of request: RequestID) async throws(LedgerError) -> RequestHistory? {
        try await read("request_history") { database in
            guard let row = database.tables.requests[request] else { return nil }
            let group = row.place.flatMap { database.tables.groups[$0.group] }?.group
            let effect = row.place.flatMap { place in group.map { $0.effects[Int(place.index)] } }
            let ids = row.request.approvals + [row.request.approvalReference].compactMap(\.self)
            return RequestHistory(
                request: row.request, effect: effect,
                batchNumber: group.flatMap { group in
                    database.tables.batches.first { $0.groups.contains { $0.groupID == group.groupID } }?.number
                }, approvals: Set(ids).sorted().compactMap { database.tables.approvals[$0] })
        }
    }

    func approval(_ id: ApprovalID) async throws(LedgerError) -> StoredApproval? {
        try await read("approval_by_id") { $0.tables.approvals[id] }
    }

    func controlOverview() async throws(LedgerError) -> ControlOverview {
        try await read("control_overview") { database in
            let (tables, now) = (database.tables, database.clock)
            let reader = tables.roles[.control]?.owner
            return ControlOverview(
                now: now, position: tables.controlPosition, polledAt: tables.polledAt, orders: tables.orders(after: 0),
                counts: tables.counts(at: now).counts,
                openRuns: tables.runs.filter { $0.finishedAt == nil }.map(\.run),
                liveWorkers: Int64(tables.workers.values.count { $0 >= now }),
                reader: tables.isAlive(reader, at: now) ? reader : nil,
                unsealedEvents: Int64(tables.unsealed.values.count { $0.priority == .control }),
                lastBatch: Int64(tables.batches.count) - 1,
                nextBatchToPublish: tables.publishPositions[.control]?.nextBatch ?? 0)
        }
    }

    func controlProgress(of position: Int64) async throws(LedgerError) -> ControlProgress? {
        try await read("control_progress") { database in
            let tables = database.tables
            guard let event = tables.controlEvents.values.first(where: { $0.event.position == position }) else {
                return nil
            }
            let runs = tables.runs.filter { $0.run.position == position }
            let waiting = tables.unsealed.values.compactMap { row in
                tables.groups[row.groupID].map { (row.priority, $0.createdAt) }
            }
            let end = max(event.appliedAt, runs.compactMap(\.finishedAt).max() ?? event.appliedAt)
            let open = runs.count { $0.finishedAt == nil }
            return ControlProgress(
                isSealed: !waiting.contains { $0.0 == .control && $0.1 <= event.appliedAt },
                isSwept: open == 0 && !waiting.contains { $0.0 < .ordinary && $0.1 <= end }, openRuns: Int64(open),
                revokedTokens: runs.reduce(0) { $0 + $1.revoked }, lastBatch: Int64(tables.batches.count) - 1,
                nextBatchToPublish: tables.publishPositions[.control]?.nextBatch ?? 0)
        }
    }

    func liveTokens(
        scopeKind: String, value: String?, atMost limit: Int64, within time: Duration
    ) async throws(LedgerError) -> Int64? {
        try await read("count_live_tokens") { database in
            let now = database.clock
            let live = database.tables.requests.values.count { row in
                row.request.revocation == nil && row.request.token.map { $0.expiresAt > now } ?? false
                    && Tables.isCovered(row.request, kind: scopeKind, value: value ?? "")
            }
            return min(limit, Int64(live))
        }
    }

    func status() async throws(LedgerError) -> LedgerStatus {
        try await read("status") { database in
            let (tables, now) = (database.tables, database.clock)
            var requests: [RequestState: Int64] = [:]
            for row in tables.requests.values { requests[row.request.state, default: 0] += 1 }
            return LedgerStatus(
                requests: requests, approvals: Int64(tables.approvals.count), batches: Int64(tables.batches.count),
                receipts: tables.batches.last.map { $0.lastPosition + 1 } ?? 0,
                unsealedGroups: Int64(tables.unsealed.count),
                nextBatchToPublish: PublishLane.allCases.map { tables.publishPositions[$0]?.nextBatch ?? 0 }.min() ?? 0,
                liveWorkers: Int64(tables.workers.values.count { $0 >= now }))
        }
    }
}
