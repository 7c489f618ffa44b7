public import ClawWire
import CrashPoints
import Postgres

extension PostgresLedger {
    /// See ``Ledger/revokeNext(under:limit:plan:)``.
    public func revokeNext(
        under lease: RoleLease, limit: Int,
        plan: @Sendable (RevocationChunk) throws -> [Effect]
    ) async throws -> RevocationRun? {
        let what = "revoking tokens"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let results = try await transaction.run([
                        .execute(
                            DecideStatements.fenceRole,
                            Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value)),
                        .execute(ControlStatements.nextRun),
                    ])
                    guard results[0].rowCount == 1 else {
                        throw LedgerError(
                            .fenced, "\(what): the role \(lease.role.rawValue) is held by another worker")
                    }
                    let found = results[1]
                    guard found.rowCount == 1 else { return nil }
                    return try await self.advance(found, limit, transaction, worker: lease, plan)
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    private func advance(
        _ found: PostgresResult, _ limit: Int, _ transaction: Transaction, worker lease: RoleLease,
        _ plan: @Sendable (RevocationChunk) throws -> [Effect]
    ) async throws -> RevocationRun {
        CrashPoint.pass(.revokeRead)
        let event: [UInt8]? = try found.optional(0, 16)
        let run = try Self.run(found, row: 0, declaredBy: Self.declarer(event))
        var unknown = try found.bool(0, 17) ? run.scopeValue.flatMap { Digest(hex: $0) } : nil
        let now = try found.timestampValue(0, 14)
        let part = run.part.stored
        let rows = try await transaction.execute(
            ControlStatements.liveTokens(by: ReachIndex(scopeKind: run.scopeKind, value: run.scopeValue)),
            Parameters(
                try found.timestamp(0, 12), try found.string(0, 13), run.issuedBefore.postgres, run.scopeKind,
                run.scopeValue ?? "", part.name, part.value ?? "", Int64(limit)))
        var tokens: [VoidedToken] = []
        tokens.reserveCapacity(rows.rowCount)
        for row in 0..<rows.rowCount { tokens.append(try StoredRows.voidedToken(rows, row)) }
        CrashPoint.pass(.revokeTokensRead)
        let isLast = tokens.count < limit
        if !tokens.isEmpty || run.revoked > 0 { unknown = nil }
        let effects = try plan(
            RevocationChunk(
                run: run, tokens: tokens, now: now, controlPosition: try found.int64(0, 15),
                unknownToken: unknown))
        CrashPoint.pass(.revokePlanned)
        var steps: [PipelineStep] = []
        var (cursorTime, cursorID) = (try found.timestamp(0, 12), try found.string(0, 13))
        if let last = tokens.last {
            (cursorTime, cursorID) = (last.expiresAt.postgres, last.requestID.rawValue)
            var revoked = Parameters(now.postgres, run.cause, Int64(tokens.count))
            revoked.append(column: tokens) { $0.place }
            steps.append(.execute(ControlStatements.revokeVoided, revoked))
        }
        if let tally = GrantTally(revoked: tokens).step { steps.append(tally) }
        steps.append(
            .execute(
                ControlStatements.advanceRun,
                Parameters(
                    run.position, run.ordinal, cursorTime, cursorID, Int64(tokens.count), isLast, unknown != nil)))
        let ranges = EffectCodec.groups(effects)
        let ids = try await takeGroupIDs(ranges.count, in: transaction)
        steps += Self.groupSteps(effects, ranges, ids, worker: lease.owner, now: now)
        CrashPoint.pass(.revokeCommitting)
        _ = try await transaction.commit(with: steps)
        CrashPoint.pass(.revokeCommitted)
        return RevocationRun(
            position: run.position, ordinal: run.ordinal, handle: run.handle, scopeKind: run.scopeKind,
            scopeValue: run.scopeValue, part: run.part, cause: run.cause, detail: run.detail,
            issuedBefore: run.issuedBefore, revoked: run.revoked + Int64(tokens.count), startedAt: run.startedAt,
            finishedAt: isLast ? now : nil, declaredBy: run.declaredBy)
    }

    /// The first who declared a stored control event.
    private static func declarer(_ body: [UInt8]?) -> String? {
        let event = body.flatMap { try? JSONReader.parse($0) }
        return event?["declared_by"]?.array?.first?["id"]?.string
    }

    /// See ``Ledger/revokedTokens(after:_:limit:)``.
    public func revokedTokens(
        after expiry: Timestamp, _ request: RequestID, limit: Int
    ) async throws(LedgerError) -> [RevokedTokenRow] {
        let what = "reading revoked tokens"
        let rows = try await run(
            what,
            [
                .execute(
                    ControlStatements.revokedTokens, Parameters(expiry.postgres, request.rawValue, Int64(limit)))
            ])[0]
        do {
            return try (0..<rows.rowCount).map { row in
                RevokedTokenRow(
                    tokenHash: try rows.digest(row, 0), expiresAt: try rows.timestampValue(row, 1),
                    requestID: RequestID(try rows.string(row, 2)))
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    static func run(_ rows: PostgresResult, row: Int, declaredBy: String? = nil) throws -> RevocationRun {
        guard let part = RevocationRun.Part(name: try rows.string(row, 5), value: try rows.optional(row, 6)) else {
            throw corrupted("the revocation run of control position \(try rows.int64(row, 0))")
        }
        return RevocationRun(
            position: try rows.int64(row, 0), ordinal: try rows.int32(row, 1), handle: try rows.string(row, 2),
            scopeKind: try rows.string(row, 3), scopeValue: try rows.optional(row, 4), part: part,
            cause: try rows.string(row, 7), detail: try rows.string(row, 8),
            issuedBefore: try rows.timestampValue(row, 9), revoked: try rows.int64(row, 10),
            startedAt: try rows.timestampValue(row, 11), declaredBy: declaredBy)
    }
}
