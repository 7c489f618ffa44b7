public import ClawWire
import CrashPoints
import Postgres

extension PostgresLedger {
    /// See ``Ledger/control(_:needs:plan:)``.
    public func control<Result: Sendable>(
        _ read: ControlRead, needs: @Sendable (ControlSnapshot) throws -> Set<ApprovalID>,
        plan: @Sendable (ControlSnapshot) throws -> (write: ControlWrite, result: Result)
    ) async throws -> Result {
        let what = "applying a control event"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    CrashPoint.pass(.controlBegun)
                    let start = ContinuousClock.now
                    try await self.takeStopLock(transaction, patience: read.patience)
                    CrashPoint.pass(.controlLocked)
                    var snapshot = try await Self.snapshot(read, transaction, waited: .now - start)
                    CrashPoint.pass(.controlRead)
                    let approvals = try needs(snapshot)
                    if !approvals.isEmpty {
                        var parameters = Parameters()
                        parameters.append(array: approvals.map(\.rawValue).sorted())
                        let rows = try await transaction.execute(QueryStatements.approvals, parameters)
                        for row in 0..<rows.rowCount {
                            let approval = try StoredRows.approval(rows, row)
                            snapshot.approvals[approval.approvalID] = approval
                        }
                        CrashPoint.pass(.controlEvidenceRead)
                    }
                    let (write, result) = try plan(snapshot)
                    CrashPoint.pass(.controlPlanned)
                    let steps = try await self.controlSteps(write, read, snapshot, transaction)
                    CrashPoint.pass(.controlCommitting)
                    _ = try await transaction.commit(with: steps)
                    CrashPoint.pass(.controlCommitted)
                    return result
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    /// Waits for the exclusive lock in its place in the queue, while a second session ends whoever keeps it too long.
    private func takeStopLock(_ transaction: Transaction, patience: Duration) async throws {
        let warden = Task { [configuration] in
            await StopLockWarden(configuration: configuration, patience: patience).watch()
        }
        defer { warden.cancel() }
        _ = try await transaction.execute(ControlStatements.stopLock)
    }

    private static func snapshot(
        _ read: ControlRead, _ transaction: Transaction, waited: Duration
    ) async throws -> ControlSnapshot {
        var steps: [PipelineStep] = [
            .execute(DecideStatements.controlState),
            .execute(DecideStatements.newControlOrders, Parameters(read.knownPosition)),
            .execute(ControlStatements.counts), .execute(ControlStatements.event, Parameters(read.eventID ?? "")),
        ]
        if let fence = read.fence {
            steps += [
                .execute(
                    DecideStatements.fenceRole,
                    Parameters(fence.lease.role.rawValue, fence.lease.owner.rawValue, fence.lease.epoch.value)),
                .execute(ControlStatements.advanceInput, Parameters(fence.topic, fence.from, fence.to)),
            ]
        }
        let countStep = steps.count
        if let scope = read.counted {
            steps.append(
                .execute(
                    ControlStatements.countLive(by: ReachIndex(scopeKind: scope.kind, value: scope.value)),
                    Parameters(scope.kind, scope.value, ControlRead.CountedScope.most + 1)))
        }
        let redriveStep = steps.count
        if let redrive = read.redrive { steps += redriveSteps(redrive, .lockFreeWanted) }
        let results = try await transaction.run(steps)
        if let redrive = read.redrive { try checkFence(results[redriveStep], redrive.lease) }
        if let fence = read.fence, results[4].rowCount != 1 || results[5].affectedRows != 1 {
            throw LedgerError(
                .fenced,
                "offset \(fence.from) of \(fence.topic) was applied by another worker, or the role control is its; "
                    + "nothing committed")
        }
        let state = results[0]
        guard state.rowCount == 1 else { throw corrupted("clawgrant.control_state") }
        let (counts, newest, latest) = try Self.counts(results[2])
        var known: ControlSnapshot.KnownEvent?
        if read.eventID != nil, results[3].rowCount == 1 {
            known = ControlSnapshot.KnownEvent(
                position: try results[3].optional(0, 0), digest: try results[3].digest(0, 1),
                result: try results[3].string(0, 2))
        }
        var snapshot = ControlSnapshot(
            now: try state.timestampValue(0, 2), position: try state.int64(0, 0),
            orders: try StoredRows.controlOrders(results[1]), counts: counts, newestIssuedAt: newest,
            latestExpiry: latest, known: known, waited: waited, approvals: [:],
            incarnation: try LedgerIncarnation(state, 0, firstColumn: 4))
        if read.counted != nil {
            let live = try results[countStep].int64(0, 0)
            snapshot.live = live > ControlRead.CountedScope.most ? nil : live
        }
        if read.redrive != nil, results[redriveStep + 1].rowCount == 1 {
            snapshot.redrive = try StoredRows.deadLetter(results[redriveStep + 1], 0)
        }
        return snapshot
    }

    /// Grants and live tokens, the newest `iat` of any grant, and the latest `exp` of any that has not come.
    static func counts(
        _ tally: PostgresResult
    ) throws -> (counts: [ControlSnapshot.Count], newest: Timestamp?, latestExpiry: Timestamp?) {
        var counts: [ControlSnapshot.Count] = []
        var newest: Timestamp?
        var latest: Int64 = 0
        for row in 0..<tally.rowCount {
            let hash: [UInt8]? = try tally.optional(row, 2)
            counts.append(
                ControlSnapshot.Count(
                    jobClass: JobClass(try tally.string(row, 0)), kid: KeyID(try tally.string(row, 1)),
                    policyHash: hash.flatMap { Digest(bytes: $0) }, grants: try tally.int64(row, 3),
                    live: try tally.int64(row, 4)))
            if let time = try tally.optionalTimestamp(row, 5) { newest = max(newest ?? time, time) }
            latest = max(latest, try tally.int64(row, 6))
        }
        return (counts, newest, latest > 0 ? Timestamp(seconds: latest) : nil)
    }

    private func controlSteps(
        _ write: ControlWrite, _ read: ControlRead, _ snapshot: ControlSnapshot, _ transaction: Transaction
    ) async throws -> [PipelineStep] {
        var steps: [PipelineStep] = []
        if let event = write.event {
            var row = Parameters(event.eventID)
            row.append(event.position)
            for text in [event.operation, event.handle, event.result] { row.append(text) }
            row.append(event.digest.bytes)
            row.append(event.body)
            row.append(snapshot.now.postgres)
            steps.append(.execute(ControlStatements.insertEvent, row))
            if let position = event.position {
                steps.append(.execute(ControlStatements.setPosition, Parameters(position)))
            }
        }
        if !write.orders.isEmpty {
            var orders = Parameters()
            orders.append(column: write.orders) { $0.key }
            orders.append(column: write.orders) { $0.position }
            orders.append(column: write.orders) { $0.body }
            steps.append(.execute(ControlStatements.putOrders, orders))
        }
        for run in write.runs {
            let part = run.part.stored
            var row = Parameters(run.position, run.ordinal, run.handle, run.scopeKind)
            row.append(run.scopeValue)
            row.append(part.name)
            row.append(part.value)
            for text in [run.cause, run.detail] { row.append(text) }
            row.append(run.issuedBefore.postgres)
            row.append(run.startedAt.postgres)
            steps.append(.execute(ControlStatements.insertRun, row))
        }
        if let step = Self.cutoffStep(write.cutoffs) { steps.append(step) }
        if let redriven = write.redriven { steps.append(Self.settleStep(redriven, now: snapshot.now)) }
        let ranges = EffectCodec.groups(write.effects)
        let ids = try await takeGroupIDs(ranges.count, in: transaction)
        return steps + Self.groupSteps(write.effects, ranges, ids, worker: read.worker, now: snapshot.now)
    }

    /// See ``Ledger/controlOffset(of:)``.
    public func controlOffset(of topic: String) async throws(LedgerError) -> Int64 {
        let what = "reading the offset of \(topic)"
        let rows = try await run(what, [.execute(ControlStatements.inputOffset, Parameters(topic))])[0]
        do {
            return rows.rowCount == 1 ? try rows.int64(0, 0) : 0
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/noteControlPoll(of:coveredTo:under:)``.
    public func noteControlPoll(
        of topic: String, coveredTo offset: Int64, under lease: RoleLease
    ) async throws(LedgerError) {
        let result = try await run(
            "noting a poll of the control topic",
            [
                .execute(
                    ControlStatements.notePoll,
                    Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value, topic, offset))
            ])
        guard result[0].affectedRows == 1 else {
            throw LedgerError(
                .fenced,
                "the role \(lease.role.rawValue) is held by another worker, or the ledger does not cover \(topic) up to "
                    + "offset \(offset)")
        }
    }

    /// See ``Ledger/controlState(after:)``.
    public func controlState(after position: Int64) async throws(LedgerError) -> ControlStateRows {
        let what = "reading the control state"
        // Two statements of one snapshot each: rows newer than the position read before them are read again later.
        let results = try await run(
            what,
            [
                .execute(DecideStatements.controlState),
                .execute(DecideStatements.newControlOrders, Parameters(position)),
            ])
        do {
            return ControlStateRows(
                position: try results[0].int64(0, 0), orders: try StoredRows.controlOrders(results[1]),
                polledAt: try results[0].timestampValue(0, 1), now: try results[0].timestampValue(0, 2),
                incarnation: try LedgerIncarnation(results[0], 0, firstColumn: 4))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/pruneControlOrders(_:under:)``.
    @discardableResult
    public func pruneControlOrders(
        _ orders: [String: Int64], under lease: RoleLease
    ) async throws(LedgerError) -> Int {
        let rows = orders.sorted { $0.key < $1.key }
        var parameters = Parameters()
        parameters.append(column: rows) { $0.key }
        parameters.append(column: rows) { $0.value }
        for text in [lease.role.rawValue, lease.owner.rawValue] { parameters.append(text) }
        parameters.append(lease.epoch.value)
        let results = try await run(
            "taking control orders away", [.execute(ControlStatements.pruneOrders, parameters)])
        return Int(results[0].affectedRows)
    }

    /// See ``Ledger/revocationHorizon()``.
    public func revocationHorizon() async throws(LedgerError) -> RevocationHorizon {
        let what = "reading how far revocations are sealed"
        let rows = try await run(what, [.execute(ControlStatements.horizon)])[0]
        do {
            return RevocationHorizon(
                now: try rows.timestampValue(0, 0), controlPosition: try rows.int64(0, 1),
                isSealed: try rows.bool(0, 2), nextBatch: try rows.int64(0, 3), nextSequence: try rows.int64(0, 4),
                sweptPosition: try rows.int64(0, 5), revokedTokens: try rows.int64(0, 6),
                cutoffs: try rows.int64(0, 7))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/foldTallies()``.
    public func foldTallies() async throws(LedgerError) {
        _ = try await run("folding the counts of grants", [.execute(ControlStatements.foldTallies)])
    }
}
