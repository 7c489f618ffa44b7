import ClawWire
import CrashPoints
import GrantLedger
import IssuanceRules
import ReceiptLog

extension SimulatedLedger {
    private struct ControlLoaded: Sendable {
        let holds: Bool
        let snapshot: ControlSnapshot
    }

    func control<Result: Sendable>(
        _ read: ControlRead, needs: @Sendable (ControlSnapshot) throws -> Set<ApprovalID>,
        plan: @Sendable (ControlSnapshot) throws -> (write: ControlWrite, result: Result)
    ) async throws -> Result {
        try await transaction("applying a control event") { session in
            CrashPoint.pass(.controlBegun)
            let start = database.scheduler.now
            watch(session, patience: Int64(read.patience / .nanoseconds(1)))
            try await session.exchange("control.lock") { session in
                try await session.statement("control.stop_lock_exclusive")
                try await session.lock(.stop)
            }
            CrashPoint.pass(.controlLocked)
            let waited = Duration.nanoseconds(database.scheduler.now - start)
            let loaded = try await session.exchange("control.read") { session in
                try await Self.load(read, waited, session)
            }
            guard loaded.holds else {
                throw LedgerError(.fenced, "the offset was applied by another worker, or the role control is its")
            }
            CrashPoint.pass(.controlRead)
            var snapshot = loaded.snapshot
            let approvals = try needs(snapshot)
            if !approvals.isEmpty {
                snapshot.approvals = try await session.exchange("control.evidence") { session in
                    try await session.statement("control.approvals_by_id")
                    return session.database.tables.approvals.filter { approvals.contains($0.key) }
                }
                CrashPoint.pass(.controlEvidenceRead)
            }
            let (write, result) = try plan(snapshot)
            CrashPoint.pass(.controlPlanned)
            let ids = try await takeGroupIDs(EffectCodec.groups(write.effects).count, session)
            let now = snapshot.now
            if database.bugs.contains(.answerEarly), database.scheduler.dice.once(in: 3) { return result }
            CrashPoint.pass(.controlCommitting)
            try await session.exchange("control.write", commits: true) { session in
                try await Self.store(write, ids, at: now, session)
            }
            CrashPoint.pass(.controlCommitted)
            return result
        }
    }

    /// While the stop lock is waited for, whoever keeps it for too long is ended from a second session.
    private func watch(_ session: Session, patience: Int64) {
        let interval = min(50_000_000, patience)
        var seen: [Int: Int64] = [:]
        func look() {
            guard !session.isOver, !client.isDead else { return }
            if !client.isFrozen, !database.isDown {
                let holders = database.locks.holders(of: .stop)
                guard !holders.contains(session.number) else { return }
                let now = database.scheduler.now
                seen = Dictionary(uniqueKeysWithValues: holders.map { ($0, seen[$0] ?? now) })
                for (holder, since) in seen.sorted(by: { $0.key < $1.key }) where now - since >= patience - interval {
                    database.node.note("a transaction that keeps the stop lock is ended")
                    database.session(holder)?.terminate()
                }
            }
            database.scheduler.after(interval, look)
        }
        database.scheduler.after(interval, look)
    }

    private static func load(
        _ read: ControlRead, _ waited: Duration, _ session: Session
    ) async throws -> ControlLoaded {
        let database = session.database
        try await session.statement("control.control_state")
        let (now, position) = (database.clock, database.tables.controlPosition)
        try await session.statement("control.new_control_orders")
        let orders = database.tables.orders(after: read.knownPosition)
        try await session.statement("control.grant_counts")
        let (counts, newest, latest) = database.tables.counts(at: database.clock)
        try await session.statement("control.control_event")
        let known = read.eventID.flatMap { database.tables.controlEvents[$0] }.map {
            ControlSnapshot.KnownEvent(position: $0.event.position, digest: $0.event.digest, result: $0.event.result)
        }
        var holds = true
        if let fence = read.fence {
            holds = try await Self.fence(fence.lease, "control", session)
            try await session.statement("control.advance_control_input")
            let isSkipped = database.bugs.contains(.skipFence)
            try await session.lock(.controlInput(fence.topic))
            if isSkipped || database.tables.controlInput[fence.topic] ?? 0 == fence.from {
                session.write { $0.controlInput[fence.topic] = fence.to }
            } else {
                holds = false
            }
        }
        var snapshot = ControlSnapshot(
            now: now, position: position, orders: orders, counts: counts, newestIssuedAt: newest, latestExpiry: latest,
            known: known, waited: waited, approvals: [:], incarnation: database.incarnation)
        if let scope = read.counted {
            try await session.statement("control.count_scope")
            let end = database.clock
            let live = database.tables.requests.values.count { row in
                row.request.revocation == nil && row.request.token.map { $0.expiresAt > end } ?? false
                    && Tables.isCovered(row.request, kind: scope.kind, value: scope.value)
            }
            snapshot.live = Int64(live) > ControlRead.CountedScope.most ? nil : Int64(live)
        }
        return ControlLoaded(holds: holds, snapshot: snapshot)
    }

    private static func store(
        _ write: ControlWrite, _ ids: [Int64], at now: Timestamp, _ session: Session
    ) async throws {
        let database = session.database
        if let event = write.event {
            try await session.statement("control.insert_control_event")
            try await session.lock(.controlEvent(event.eventID))
            guard database.tables.controlEvents[event.eventID] == nil else { throw ServerFault.conflict }
            session.write { $0.controlEvents[event.eventID] = Tables.ControlEventRow(event: event, appliedAt: now) }
            if let position = event.position {
                try await session.statement("control.set_control_position")
                try await session.lock(.controlState)
                session.write { $0.controlPosition = position }
            }
            session.write { _ in
                database.node.note("\(event.operation) of \(event.handle) is \(event.result)")
                database.watch.applied(event)
            }
        }
        if !write.orders.isEmpty {
            try await session.statement("control.put_control_orders")
            for order in write.orders {
                try await session.lock(.order(order.key))
                session.write { $0.controlOrders[order.key] = order }
            }
        }
        for run in write.runs {
            try await session.statement("control.insert_revocation_run")
            let row = Tables.RunRow(run: run, cursor: (start(of: run, at: now), RequestID("")))
            session.write { tables in
                tables.runs.append(row)
                tables.runs.sort { ($0.run.position, $0.run.ordinal) < ($1.run.position, $1.run.ordinal) }
            }
        }
        if !write.cutoffs.isEmpty { try await put(write.cutoffs, session) }
        try await put(groups(write.effects, ids, at: now), "control", session)
        try await session.commit("control")
    }

    private static func put(_ cutoffs: [StoredCutoff], _ session: Session) async throws {
        try await session.statement("control.put_cutoffs")
        let rows = Dictionary(cutoffs.map { ($0.key, $0) }) { $0.endsAt == nil ? $0 : $1 }
        for row in rows.values.sorted(by: { $0.key < $1.key }) {
            try await session.lock(.cutoff(row.key))
            session.write { tables in
                var end = row.endsAt
                if let old = tables.cutoffs[row.key] {
                    end = old.endsAt.flatMap { old in row.endsAt.map { max($0, old) } }
                }
                tables.cutoffs[row.key] = Tables.Cutoff(position: row.position, endsAt: end, endedAt: nil)
            }
        }
    }

    /// How long after its expiry a token is still revoked where no cut-off voids it, or where there are few.
    private static func slack(_ run: RevocationRun) -> Int64 {
        let isNamed = ["token_hash", "jti", "job", "request", "approval"].contains(run.scopeKind)
        return switch run.part {
        case .elevated, .pinned, .notPinned, .unproxied: 3_900
        case .all, .issuedSince: isNamed ? 3_900 : 0
        }
    }

    private static func start(of run: RevocationRun, at now: Timestamp) -> Timestamp {
        run.startedAt.adding(seconds: -slack(run))
    }

    // MARK: Single revocations

    func revokeNext(
        under lease: RoleLease, limit: Int, plan: @Sendable (RevocationChunk) throws -> [Effect]
    ) async throws -> RevocationRun? {
        try await transaction("revoking tokens") { session in
            let found = try await session.exchange("revoke.read") { session in
                try await Self.nextRun(lease, session)
            }
            guard found.holds else { throw Self.fenced(lease) }
            guard let row = found.row else { return nil }
            CrashPoint.pass(.revokeRead)
            let tokens = try await session.exchange("revoke.tokens") { session in
                try await Self.liveTokens(row, limit, session)
            }
            CrashPoint.pass(.revokeTokensRead)
            let isLast = tokens.count < limit
            let effects = try plan(
                RevocationChunk(run: row.run, tokens: tokens, now: found.now, controlPosition: found.position))
            CrashPoint.pass(.revokePlanned)
            let ids = try await takeGroupIDs(EffectCodec.groups(effects).count, session)
            CrashPoint.pass(.revokeCommitting)
            try await session.exchange("revoke.write", commits: true) { session in
                try await Self.revoke(row.run, tokens, effects, ids, at: found.now, isLast: isLast, session)
            }
            CrashPoint.pass(.revokeCommitted)
            return RevocationRun(
                position: row.run.position, ordinal: row.run.ordinal, handle: row.run.handle,
                scopeKind: row.run.scopeKind, scopeValue: row.run.scopeValue, part: row.run.part, cause: row.run.cause,
                detail: row.run.detail, issuedBefore: row.run.issuedBefore,
                revoked: row.revoked + Int64(tokens.count), startedAt: row.run.startedAt,
                finishedAt: isLast ? found.now : nil)
        }
    }

    private struct FoundRun: @unchecked Sendable {
        // Safe to send: values alone.
        let holds: Bool
        let row: Tables.RunRow?
        let now: Timestamp
        let position: Int64
    }

    private static func nextRun(_ lease: RoleLease, _ session: Session) async throws -> FoundRun {
        let database = session.database
        let holds = try await fence(lease, "revoke", session)
        try await session.statement("revoke.next_revocation_run")
        var row = database.tables.runs.first { $0.finishedAt == nil }
        if let found = row {
            try await session.lock(.run(position: found.run.position, ordinal: found.run.ordinal))
            row = database.tables.runs.first {
                $0.run.position == found.run.position && $0.run.ordinal == found.run.ordinal && $0.finishedAt == nil
            }
        }
        return FoundRun(
            holds: holds, row: row, now: database.clock, position: database.tables.controlPosition)
    }

    private static func isNext(_ request: StoredRequest, _ row: Tables.RunRow, at now: Timestamp) -> Bool {
        guard let token = request.token, request.revocation == nil,
            (token.expiresAt, request.requestID) > (row.cursor.expiresAt, row.cursor.requestID),
            token.expiresAt > now.adding(seconds: -slack(row.run)), token.issuedAt < row.run.issuedBefore,
            Tables.isCovered(request, kind: row.run.scopeKind, value: row.run.scopeValue ?? "")
        else { return false }
        return switch row.run.part {
        case .all: true
        case .elevated: token.control?.isElevated ?? false
        case .pinned(let hash): token.control?.policyHash == hash
        case .notPinned(let hash): token.control?.policyHash != hash
        case .unproxied: !(token.control?.scopes.contains(IssuedToken.ControlReach.proxiedRoute) ?? false)
        case .issuedSince(let time): token.issuedAt >= time
        }
    }

    private static func liveTokens(
        _ row: Tables.RunRow, _ limit: Int, _ session: Session
    ) async throws -> [VoidedToken] {
        let database = session.database
        try await session.statement("revoke.live_tokens")
        let now = database.clock
        let next = database.tables.requests.values.map(\.request).filter { isNext($0, row, at: now) }
            .sorted { left, right in
                (left.token?.expiresAt ?? now, left.requestID) < (right.token?.expiresAt ?? now, right.requestID)
            }
        var tokens: [VoidedToken] = []
        for request in next.prefix(limit) {
            try await session.lock(.request(request.requestID))
            guard let latest = database.tables.requests[request.requestID]?.request, isNext(latest, row, at: now),
                let token = VoidedToken(latest)
            else { continue }
            tokens.append(token)
        }
        return tokens
    }

    private static func revoke(
        _ run: RevocationRun, _ tokens: [VoidedToken], _ effects: [Effect], _ ids: [Int64], at now: Timestamp,
        isLast: Bool, _ session: Session
    ) async throws {
        let database = session.database
        if !tokens.isEmpty {
            try await session.statement("revoke.revoke_voided_tokens")
            for token in tokens {
                session.write {
                    $0.requests[token.requestID]?.request.revocation = TokenRevocation(at: now, reason: run.cause)
                }
            }
            try await session.statement("revoke.add_to_tally")
        }
        try await session.statement("revoke.advance_revocation_run")
        let last = tokens.last
        let end = database.clock
        session.write { tables in
            guard
                let index = tables.runs.firstIndex(where: {
                    $0.run.position == run.position && $0.run.ordinal == run.ordinal
                })
            else { return }
            if let last { tables.runs[index].cursor = (last.expiresAt, last.requestID) }
            tables.runs[index].revoked += Int64(tokens.count)
            if isLast { tables.runs[index].finishedAt = end }
        }
        try await put(groups(effects, ids, at: now), "revoke", session)
        try await session.commit("revoke")
    }

    // MARK: Around it

    func controlOffset(of topic: String) async throws(LedgerError) -> Int64 {
        try await read("control_input_offset") { $0.tables.controlInput[topic] ?? 0 }
    }

    func noteControlPoll(
        of topic: String, coveredTo offset: Int64, under lease: RoleLease
    ) async throws(LedgerError) {
        let isNoted = try await run("note_control_poll") { session in
            try await session.statement("note_control_poll.update")
            let database = session.database
            guard database.tables.holds(lease), database.tables.controlInput[topic] ?? 0 == offset else { return false }
            try await session.lock(.controlState)
            let now = database.clock
            session.write { $0.polledAt = now }
            return true
        }
        guard isNoted else { throw Self.fenced(lease) }
    }

    func controlState(after position: Int64) async throws(LedgerError) -> ControlStateRows {
        try await read("control_state") { database in
            ControlStateRows(
                position: database.tables.controlPosition, orders: database.tables.orders(after: position),
                polledAt: database.tables.polledAt, now: database.clock, incarnation: database.incarnation)
        }
    }

    @discardableResult
    func pruneControlOrders(_ orders: [String: Int64], under lease: RoleLease) async throws(LedgerError) -> Int {
        try await run("prune_control_orders") { session in
            try await session.statement("prune_control_orders.delete")
            let database = session.database
            guard database.tables.holds(lease) else { return 0 }
            let gone = orders.filter { database.tables.controlOrders[$0.key]?.position == $0.value }
            for key in gone.keys.sorted() { try await session.lock(.order(key)) }
            session.write { tables in
                for (key, position) in gone where tables.controlOrders[key]?.position == position {
                    tables.controlOrders[key] = nil
                }
            }
            return gone.count
        }
    }

    func revocationHorizon() async throws(LedgerError) -> RevocationHorizon {
        try await read("revocation_horizon") { database in
            let tables = database.tables
            let now = database.clock
            let stream = Int(OutputStream.revocations.rawValue)
            return RevocationHorizon(
                now: now, controlPosition: tables.controlPosition,
                isSealed: !tables.unsealed.values.contains { $0.priority < .ordinary },
                nextBatch: Int64(tables.batches.count), nextSequence: tables.batches.last?.nextSequence[stream] ?? 0,
                sweptPosition: tables.runs.first { $0.finishedAt == nil }?.run.position ?? tables.controlPosition + 1,
                revokedTokens: Int64(
                    tables.requests.values.count {
                        $0.request.revocation != nil && $0.request.token.map { $0.expiresAt > now } ?? false
                    }),
                cutoffs: Int64(tables.cutoffs.values.count { $0.endedAt == nil }))
        }
    }

    func revokedTokens(
        after expiry: Timestamp, _ request: RequestID, limit: Int
    ) async throws(LedgerError) -> [RevokedTokenRow] {
        try await read("revoked_tokens") { database in
            let rows = database.tables.revoked(after: (expiry, request), before: nil)
            return rows.prefix(limit).map {
                RevokedTokenRow(tokenHash: $0.hash, expiresAt: $0.expiresAt, requestID: $0.requestID)
            }
        }
    }
}

extension Tables {
    /// Revoked tokens in the order of their expiry and their requests.
    func revoked(
        after cursor: (expiresAt: Timestamp, requestID: RequestID), before end: Timestamp?
    ) -> [(hash: Digest, expiresAt: Timestamp, requestID: RequestID)] {
        requests.values.compactMap { row in
            guard row.request.revocation != nil, let token = row.request.token,
                (token.expiresAt, row.request.requestID) > (cursor.expiresAt, cursor.requestID),
                end.map({ token.expiresAt < $0 }) ?? true
            else { return nil }
            return (token.tokenHash, token.expiresAt, row.request.requestID)
        }.sorted { ($0.expiresAt, $0.requestID) < ($1.expiresAt, $1.requestID) }
    }
}
