import ClawWire
import CrashPoints
import Postgres
import Primitives
import ReceiptLog

extension PostgresLedger {
    /// See ``Ledger/decide(_:plan:)``.
    ///
    /// Two round trips: everything that locks and reads, then everything that writes, with COMMIT behind it.
    public func decide<Result: Sendable>(
        _ read: DecideRead,
        plan: @Sendable (DecideSnapshot) throws -> (write: DecideWrite, result: Result)
    ) async throws -> Result {
        let what = "deciding a batch of \(read.events.count) events"
        let points = read.fence.crashPoints
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let session = transaction.sessionID
                    let prepared = PreparedRead(
                        read, wantsGroupIDs: self.groupIDs.withLock { $0.count(of: session) } < 16)
                    CrashPoint.pass(points.begun)
                    let results = try await transaction.run(prepared.steps)
                    CrashPoint.pass(points.read)
                    var snapshot = try prepared.snapshot(results)
                    self.groupIDs.withLock { $0.add(prepared.newGroupIDs(results), of: session) }
                    if snapshot.newEvents.count < read.events.count {
                        let known = try await transaction.run([prepared.knownEventsStep])
                        CrashPoint.pass(.decideRepeatsKnown)
                        snapshot = try prepared.addingConflicts(to: snapshot, known: known)
                    }
                    let (write, result) = try plan(snapshot)
                    CrashPoint.pass(points.planned)
                    let ranges = EffectCodec.groups(write.effects)
                    let ids = try await self.takeGroupIDs(ranges.count, in: transaction)
                    var steps = Self.writeSteps(write, ranges, ids, worker: read.worker, now: snapshot.now)
                    switch read.stopLock {
                    case .first: steps.append(.execute(DecideStatements.rowPatience, Parameters("0")))
                    case .last:
                        steps += [
                            .execute(DecideStatements.stopLock),
                            .execute(DecideStatements.requirePosition, Parameters(snapshot.controlPosition)),
                        ]
                    }
                    CrashPoint.pass(points.committing)
                    _ = try await transaction.commit(with: steps)
                    CrashPoint.pass(points.committed)
                    return result
                }
            }
        } catch let error as PostgresError {
            if error.statementName == DecideStatements.requirePosition.name, !error.isOutcomeUnknown, !error.isRetriable
            {
                throw LedgerError(
                    .conflict, "\(what): a control event was applied meanwhile; nothing committed", underlying: error)
            }
            throw Self.translate(error, what)
        }
    }

    /// Takes identifiers that were drawn ahead; a batch that needs more than there are draws the rest itself.
    func takeGroupIDs(_ count: Int, in transaction: Transaction) async throws -> [Int64] {
        var taken = groupIDs.withLock { $0.take(count, of: transaction.sessionID) }
        if taken.count < count {
            let drawn = try await transaction.execute(
                DecideStatements.groupIDs, Parameters(Int32(count - taken.count)))
            for row in 0..<drawn.rowCount { taken.append(try drawn.int64(row, 0)) }
        }
        return taken.sorted()
    }

    static func writeSteps(
        _ write: DecideWrite, _ ranges: [Range<Int>], _ ids: [Int64], worker: WorkerID, now: Timestamp
    ) -> [PipelineStep] {
        var steps: [PipelineStep] = []
        let day = now.day
        var place: [(group: Int64, index: Int32)] = []
        place.reserveCapacity(write.effects.count)
        for (id, range) in zip(ids, ranges) {
            for index in range { place.append((id, Int32(index - range.lowerBound))) }
        }
        // New rows are inserted without ON CONFLICT: a unique violation means that another transaction recorded the same
        // approval or request since this one looked, and takes the whole batch back.
        if !write.newApprovals.isEmpty {
            steps.append(.execute(DecideStatements.insertApprovals, rows(write.newApprovals, now: now)))
        }
        if !write.changedApprovals.isEmpty {
            steps.append(.execute(DecideStatements.updateApprovals, rows(write.changedApprovals, now: now)))
        }
        if let names = namesStep(write) { steps.append(names) }
        for (statement, requests) in [
            (DecideStatements.insertRequests, write.newRequests),
            (DecideStatements.updateRequests, write.changedRequests),
        ] where !requests.isEmpty {
            let parameters = rows(requests) { request in
                write.effectOfRequest[request].map { (place[$0].group, day, place[$0].index) }
            }
            steps.append(.execute(statement, parameters))
        }
        steps += confirmationSteps(write, now: now)
        if let ends = holderEndsStep(write.holderEnds) { steps.append(ends) }
        if let tally = GrantTally(write, at: now).step { steps.append(tally) }
        if let health = healthStep(write.health) { steps.append(health) }
        if let redriven = write.redriven { steps.append(settleStep(redriven, now: now)) }
        steps += groupSteps(write.effects, ranges, ids, worker: worker, now: now)
        return steps
    }

    /// Writes groups of effects, to be sealed in the order of their priority, and announces them.
    static func groupSteps(
        _ effects: [Effect], _ ranges: [Range<Int>], _ ids: [Int64], worker: WorkerID, now: Timestamp
    ) -> [PipelineStep] {
        guard !ranges.isEmpty else { return [] }
        let day = now.day
        var steps: [PipelineStep] = []
        let bodies = ranges.map { EffectCodec.encode(effects[$0]) }
        var groups = Parameters(day, worker.rawValue, now.postgres)
        groups.append(array: ids)
        groups.append(column: ranges) { Int32($0.count) }
        groups.append(array: bodies)
        groups.append(nullableColumn: ranges) { OriginCodec.encode(effects[$0]) }
        steps.append(.execute(DecideStatements.insertGroups, groups))
        var unsealed = Parameters(day)
        unsealed.append(array: ids)
        unsealed.append(column: bodies) { Int32($0.count) }
        let priorities = ranges.map { SealPriority(effects[$0]) }
        unsealed.append(column: priorities) { $0.rawValue }
        steps.append(.execute(DecideStatements.insertUnsealed, unsealed))
        if let letters = deadLetterStep(effects, ranges, ids, now: now) { steps.append(letters) }
        let mostUrgent = priorities.min() ?? .ordinary
        steps.append(.execute(DecideStatements.announce, Parameters(mostUrgent.announcement)))
        return steps
    }

    private static func joined(_ parts: [some CustomStringConvertible]) -> String {
        parts.count == 1 ? parts[0].description : parts.map(\.description).joined(separator: "\u{1F}")
    }

    /// In any order: whoever writes a name has its approval's row, so that nobody waits for it here.
    private static func namesStep(_ write: DecideWrite) -> PipelineStep? {
        var names: [String] = []
        var named: [String] = []
        for approvals in [write.newApprovals, write.changedApprovals] {
            for index in approvals.indices {
                for name in approvals[index].otherNames {
                    names.append(name.rawValue)
                    named.append(approvals[index].approvalID.rawValue)
                }
            }
        }
        guard !names.isEmpty else { return nil }
        var parameters = Parameters()
        parameters.append(array: names)
        parameters.append(array: named)
        return .execute(DecideStatements.insertApprovalNames, parameters)
    }

    private static func rows(_ approvals: [StoredApproval], now: Timestamp) -> Parameters {
        // By index: an element of the list would be copied for each column.
        let all = approvals.indices
        var parameters = Parameters()
        parameters.append(column: all) { approvals[$0].approvalID.rawValue }
        parameters.append(column: all) { approvals[$0].state }
        parameters.append(nullableColumn: all) { approvals[$0].subject?.rawValue }
        parameters.append(nullableColumn: all) { approvals[$0].ticket }
        parameters.append(column: all) { joined(approvals[$0].usedBy) }
        parameters.append(nullableColumn: all) { approvals[$0].outcome }
        parameters.append(nullableColumn: all) { approvals[$0].closeAt?.postgres }
        parameters.append(now.postgres)
        parameters.append(nullableColumn: all) { approvals[$0].trace.map(OriginCodec.encode) }
        parameters.append(nullableColumn: all) { approvals[$0].principalName?.rawValue }
        parameters.append(nullableColumn: all) { approvals[$0].assignment?.rawValue }
        return parameters
    }

    private static func rows(
        _ requests: [StoredRequest], place: (RequestID) -> (group: Int64, day: Int32, index: Int32)?
    ) -> Parameters {
        let all = requests.indices
        var parameters = Parameters()
        parameters.append(column: all) { requests[$0].requestID.rawValue }
        parameters.append(column: all) { requests[$0].state.rawValue }
        parameters.append(column: all) { requests[$0].jobID.rawValue }
        parameters.append(column: all) { requests[$0].jobClass.rawValue }
        parameters.append(column: all) { requests[$0].agentDID.rawValue }
        parameters.append(nullableColumn: all) { requests[$0].body }
        parameters.append(column: all) { requests[$0].receivedAt.postgres }
        parameters.append(nullableColumn: all) { requests[$0].waitUntil?.postgres }
        parameters.append(nullableColumn: all) { requests[$0].decidedAt?.postgres }
        parameters.append(column: all) { joined(requests[$0].approvals) }
        parameters.append(nullableColumn: all) { requests[$0].token?.tokenHash.bytes }
        parameters.append(nullableColumn: all) { requests[$0].token?.tokenID.rawValue }
        parameters.append(nullableColumn: all) { requests[$0].token?.scopeHash.bytes }
        parameters.append(nullableColumn: all) { requests[$0].token?.kid.rawValue }
        parameters.append(nullableColumn: all) { requests[$0].token?.issuedAt.postgres }
        parameters.append(nullableColumn: all) { requests[$0].token?.expiresAt.postgres }
        parameters.append(nullableColumn: all) { requests[$0].token.map { joined($0.scope) } }
        parameters.append(nullableColumn: all) { requests[$0].revocation?.at.postgres }
        parameters.append(nullableColumn: all) { requests[$0].revocation?.reason }
        parameters.append(nullableColumn: all) { requests[$0].approvalReference?.rawValue }
        parameters.append(nullableColumn: all) { requests[$0].ticketReference }
        parameters.append(nullableColumn: all) { requests[$0].subjectReference?.rawValue }
        let places = all.map { place(requests[$0].requestID) }
        parameters.append(nullableColumn: places) { $0?.group }
        parameters.append(nullableColumn: places) { $0?.day }
        parameters.append(nullableColumn: places) { $0?.index }
        parameters.append(nullableColumn: all) { requests[$0].token?.control.map { joined($0.scopes) } }
        parameters.append(nullableColumn: all) { requests[$0].token?.control?.isElevated }
        return parameters
    }
}
