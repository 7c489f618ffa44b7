public import ClawWire
import Postgres

extension PostgresLedger: LiveTokenLedger {
    /// See ``LiveTokenLedger/revocationMarks()``.
    public func revocationMarks() async throws(LedgerError) -> RevocationMarks {
        let what = "looking at what voids tokens"
        let rows = try await run(what, [.execute(LiveTokenStatements.marks)])[0]
        do {
            guard rows.rowCount == 1 else { throw Self.corrupted("clawgrant.control_state") }
            return RevocationMarks(
                controlPosition: try rows.int64(0, 0), lastBatch: try rows.int64(0, 1),
                nextSequence: try rows.int64(0, 2), unsealed: try Self.groupKeys(rows, 0, days: 3, ids: 4),
                incarnation: try LedgerIncarnation(rows, 0, firstColumn: 5))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/revocationRuns(after:startedSince:)``.
    public func revocationRuns(
        after position: Int64, startedSince since: Timestamp
    ) async throws(LedgerError) -> [RevocationRun] {
        let what = "reading what control events void"
        let rows = try await run(
            what, [.execute(LiveTokenStatements.runs, Parameters(position, since.postgres))])[0]
        do {
            return try (0..<rows.rowCount).map { try Self.run(rows, row: $0) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/revokedTokenMarks(after:_:limit:)``.
    public func revokedTokenMarks(
        after expiry: Timestamp, _ request: RequestID, limit: Int
    ) async throws(LedgerError) -> (marks: [RevokedTokenMark], last: (expiry: Timestamp, request: RequestID)?) {
        let what = "reading revoked tokens"
        let rows = try await run(
            what,
            [
                .execute(
                    LiveTokenStatements.revokedTokens,
                    Parameters(expiry.postgres, request.rawValue, Int64(limit)))
            ])[0]
        do {
            let marks = try (0..<rows.rowCount).map {
                RevokedTokenMark(tokenHash: try rows.digest($0, 0), revokedAt: try rows.timestampValue($0, 1))
            }
            let end = rows.rowCount - 1
            guard end >= 0 else { return (marks, nil) }
            return (marks, (try rows.timestampValue(end, 2), RequestID(try rows.string(end, 3))))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/revokedTokens(in:)``.
    public func revokedTokens(in groups: [EffectGroupKey]) async throws(LedgerError) -> [RevokedTokenMark] {
        let what = "reading the revocations of groups"
        let rows = try await run(what, [.execute(LiveTokenStatements.groups, Self.parameters(groups))])[0]
        do {
            var marks: [RevokedTokenMark] = []
            for row in 0..<rows.rowCount {
                let at = try rows.timestampValue(row, 2)
                for effect in try Self.effects(rows, row) {
                    for output in effect.outputs where output.stream == .revocations && !output.value.isEmpty {
                        // Other keys are those of cut-offs, which the runs say too.
                        guard let hash = Digest(hex: String(decoding: output.key, as: UTF8.self)) else { continue }
                        marks.append(RevokedTokenMark(tokenHash: hash, revokedAt: at))
                    }
                }
            }
            return marks
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/revocationBatches(after:through:limit:)``.
    public func revocationBatches(
        after number: Int64, through last: Int64, limit: Int
    ) async throws(LedgerError) -> [RevocationBatch] {
        let what = "reading batches with revocations"
        let rows = try await run(
            what, [.execute(LiveTokenStatements.batchesAfter, Parameters(number, last, Int64(limit)))])[0]
        do {
            return try (0..<rows.rowCount).map { try Self.revocationBatch(rows, $0) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/revocationBatch(holding:)``.
    public func revocationBatch(holding sequence: Int64) async throws(LedgerError) -> RevocationBatch? {
        let what = "finding revocation \(sequence)"
        let rows = try await run(what, [.execute(LiveTokenStatements.batchHolding, Parameters(sequence))])[0]
        do {
            return rows.rowCount == 0 ? nil : try Self.revocationBatch(rows, 0)
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/revocations(in:)``.
    public func revocations(in batch: RevocationBatch) async throws(LedgerError) -> [StreamedRevocation] {
        let what = "reading the revocations of batch \(batch.number)"
        let rows = try await run(what, [.execute(LiveTokenStatements.groups, Self.parameters(batch.groups))])[0]
        guard rows.rowCount == batch.groups.count else {
            throw LedgerError(.refused, "\(what): its effects are in the archive; read the revocations topic")
        }
        do {
            var records: [StreamedRevocation] = []
            for row in 0..<rows.rowCount {
                for output in try Self.effects(rows, row).flatMap(\.outputs) where output.stream == .revocations {
                    records.append(
                        StreamedRevocation(
                            sequence: batch.firstSequence + Int64(records.count), key: output.key,
                            value: output.value.isEmpty ? nil : output.value))
                }
            }
            guard batch.firstSequence + Int64(records.count) == batch.nextSequence else {
                throw Self.corrupted("the revocations of batch \(batch.number)")
            }
            return records
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``LiveTokenLedger/liveTokens(_:)``.
    public func liveTokens(
        _ asked: [(tokenHash: Digest, scopeHash: Digest)]
    ) async throws(LedgerError) -> [LiveToken] {
        let what = "looking tokens up"
        var parameters = Parameters()
        parameters.append(column: asked) { $0.scopeHash.bytes }
        parameters.append(column: asked) { $0.tokenHash.bytes }
        let rows = try await run(what, [.execute(LiveTokenStatements.tokens, parameters)])[0]
        do {
            return try (0..<rows.rowCount).map { try Self.liveToken(rows, $0) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    // MARK: Rows

    private static func liveToken(_ rows: PostgresResult, _ row: Int) throws -> LiveToken {
        var revocation: TokenRevocation?
        if let at = try rows.optionalTimestamp(row, 12) {
            revocation = TokenRevocation(at: at, reason: try rows.optional(row, 13) ?? "")
        }
        return LiveToken(
            tokenHash: try rows.digest(row, 0), requestID: RequestID(try rows.string(row, 1)),
            jobID: JobID(try rows.string(row, 2)), jobClass: JobClass(try rows.string(row, 3)),
            agentDID: AgentDID(try rows.string(row, 4)),
            approvals: try rows.array(row, 5, of: String.self).map { ApprovalID($0) },
            tokenID: TokenID(try rows.string(row, 6)), kid: KeyID(try rows.string(row, 7)),
            issuedAt: try rows.timestampValue(row, 8), expiresAt: try rows.timestampValue(row, 9),
            controlScopes: try rows.isNull(row, 10) ? [] : try rows.array(row, 10, of: String.self),
            isElevated: try rows.optional(row, 11) ?? false, revocation: revocation)
    }

    private static func revocationBatch(_ rows: PostgresResult, _ row: Int) throws -> RevocationBatch {
        RevocationBatch(
            number: try rows.int64(row, 0), firstSequence: try rows.int64(row, 1),
            nextSequence: try rows.int64(row, 2), groups: try groupKeys(rows, row, days: 3, ids: 4))
    }

    private static func groupKeys(
        _ rows: PostgresResult, _ row: Int, days: Int, ids: Int
    ) throws -> [EffectGroupKey] {
        zip(try rows.array(row, days, of: Int32.self), try rows.array(row, ids, of: Int64.self)).map {
            EffectGroupKey(day: $0, groupID: $1)
        }
    }

    private static func parameters(_ groups: [EffectGroupKey]) -> Parameters {
        var parameters = Parameters()
        parameters.append(column: groups) { $0.day }
        parameters.append(column: groups) { $0.groupID }
        return parameters
    }

    private static func effects(_ rows: PostgresResult, _ row: Int) throws -> [Effect] {
        do {
            return try EffectCodec.decode(try rows.bytes(row, 1))
        } catch is EffectCodec.Malformed {
            throw corrupted("effect group \(try rows.int64(row, 0))")
        }
    }
}
