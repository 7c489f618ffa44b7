import ClawWire
import Postgres

/// The statements that end revocations.
enum EndStatements {
    /// True when every group with revocations or control events is among those given: what is ended now is then sealed
    /// behind what it ends.
    static let isLast = PreparedStatement(
        "ends_are_last",
        "SELECT NOT EXISTS (SELECT 1 FROM clawgrant.unsealed WHERE priority < 2 AND group_id <> ALL ($1::int8[]))",
        parameterTypes: [.int8Array])

    /// Tokens are ended in the order of their expiry, from where the last chunk stopped.
    static let tokens = PreparedStatement(
        "ended_tokens",
        """
        SELECT r.token_hash, r.expires_at, r.request_id
        FROM clawgrant.revocation_end e JOIN LATERAL (
            SELECT token_hash, expires_at, request_id FROM clawgrant.request
            WHERE revoked_at IS NOT NULL AND (expires_at, request_id) > (e.expires_at, e.request_id)
                AND expires_at < $1
            ORDER BY expires_at, request_id LIMIT $2) r ON true
        ORDER BY r.expires_at, r.request_id
        """,
        parameterTypes: [.timestamptz, .int8])

    /// One whose scope is just cut off again is left alone.
    static let cutoffs = PreparedStatement(
        "ended_cutoffs",
        """
        SELECT record_key FROM clawgrant.cutoff WHERE ended_at IS NULL AND ends_at < $1
        ORDER BY ends_at, record_key LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        parameterTypes: [.timestamptz, .int8])

    /// Runs whose token the ledger never issued, in the order of their declaration.
    static let unknownTokens = PreparedStatement(
        "ended_unknown_tokens",
        """
        SELECT position, ordinal, scope_value FROM clawgrant.revocation_run
        WHERE told_unknown_at IS NOT NULL AND unknown_ended_at IS NULL AND told_unknown_at < $1
        ORDER BY told_unknown_at, position, ordinal LIMIT $2
        """,
        parameterTypes: [.timestamptz, .int8])

    static let endUnknownTokens = PreparedStatement(
        "end_unknown_tokens",
        """
        UPDATE clawgrant.revocation_run run SET unknown_ended_at = $1
        FROM unnest($2::int8[], $3::int4[]) AS over (position, ordinal)
        WHERE run.position = over.position AND run.ordinal = over.ordinal
        """,
        parameterTypes: [.timestamptz, .int8Array, .int4Array])

    static let advance = PreparedStatement(
        "advance_revocation_end", "UPDATE clawgrant.revocation_end SET expires_at = $1, request_id = $2",
        parameterTypes: [.timestamptz, .text])

    static let endCutoffs = PreparedStatement(
        "end_cutoffs", "UPDATE clawgrant.cutoff SET ended_at = $1 WHERE record_key = ANY ($2::text[])",
        parameterTypes: [.timestamptz, .textArray])

    /// A cut-off without end stays one; of others the later end counts.
    static let putCutoffs = PreparedStatement(
        "put_cutoffs",
        """
        INSERT INTO clawgrant.cutoff AS c (record_key, position, ends_at)
        SELECT * FROM unnest($1::text[], $2::int8[], $3::timestamptz[])
        ON CONFLICT (record_key) DO UPDATE SET position = excluded.position, ended_at = NULL,
            ends_at = CASE WHEN c.ends_at IS NOT NULL AND excluded.ends_at IS NOT NULL
                THEN greatest(c.ends_at, excluded.ends_at) END
        """,
        parameterTypes: [.textArray, .int8Array, .timestamptzArray])
}

extension PostgresLedger {
    /// What ends now, with the statements that note it; `nil` when nothing does, or when it would be sealed before what it
    /// ends.
    func end(
        _ ending: RevocationEnding, behind groups: [EffectGroup], at now: Timestamp, _ transaction: Transaction
    ) async throws -> (effect: Effect, steps: [PipelineStep])? {
        // In whole seconds, as expiries are: what is told then holds to the second.
        let before = Timestamp(seconds: Self.time(now, before: ending.grace).seconds)
        var taken = Parameters()
        taken.append(array: groups.map(\.groupID))
        let results = try await transaction.run([
            .execute(EndStatements.cutoffs, Parameters(before.postgres, Int64(ending.maximumCutoffs))),
            .execute(EndStatements.tokens, Parameters(before.postgres, Int64(ending.maximumTokens))),
            .execute(EndStatements.isLast, taken),
        ])
        let (cutoffs, tokens) = (results[0], results[1])
        let unknown = try await unknownTokens(ending, room: tokens.rowCount, before: before, transaction)
        guard try results[2].bool(0, 0), cutoffs.rowCount + tokens.rowCount + unknown.count > 0 else { return nil }
        let ended = EndedRevocations(
            tokens: try (0..<tokens.rowCount).map { try tokens.digest($0, 0) } + unknown.map(\.hash),
            cutoffs: try (0..<cutoffs.rowCount).map { try cutoffs.string($0, 0) }, expiredBefore: before, now: now)
        var steps: [PipelineStep] = []
        if tokens.rowCount > 0 {
            let last = tokens.rowCount - 1
            steps.append(
                .execute(
                    EndStatements.advance, Parameters(try tokens.timestamp(last, 1), try tokens.string(last, 2))))
        }
        if !unknown.isEmpty {
            var runs = Parameters(now.postgres)
            runs.append(column: unknown) { $0.position }
            runs.append(column: unknown) { $0.ordinal }
            steps.append(.execute(EndStatements.endUnknownTokens, runs))
        }
        if !ended.cutoffs.isEmpty {
            var keys = Parameters(now.postgres)
            keys.append(array: ended.cutoffs)
            steps.append(.execute(EndStatements.endCutoffs, keys))
        }
        return (try ending.effect(ended), steps)
    }

    /// A run that told the revocation of a token which the ledger never issued.
    private struct UnknownToken {
        let position: Int64
        let ordinal: Int32
        let hash: Digest
    }

    /// The tokens that the ledger never issued and of which none can be alive any more; as many as have room.
    private func unknownTokens(
        _ ending: RevocationEnding, room taken: Int, before: Timestamp, _ transaction: Transaction
    ) async throws -> [UnknownToken] {
        guard let life = ending.unknownTokenLife, taken < ending.maximumTokens else { return [] }
        let rows = try await transaction.execute(
            EndStatements.unknownTokens,
            Parameters(Self.time(before, before: life).postgres, Int64(ending.maximumTokens - taken)))
        return try (0..<rows.rowCount).map { row in
            guard let hash = Digest(hex: try rows.string(row, 2)) else {
                throw Self.corrupted("the revocation run of control position \(try rows.int64(row, 0))")
            }
            return UnknownToken(position: try rows.int64(row, 0), ordinal: try rows.int32(row, 1), hash: hash)
        }
    }

    private static func time(_ time: Timestamp, before duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(
            microseconds: time.microseconds - seconds * 1_000_000 - attoseconds / 1_000_000_000_000)
    }

    /// The statement that remembers cut-offs until they are over; `nil` for none.
    static func cutoffStep(_ cutoffs: [StoredCutoff]) -> PipelineStep? {
        // One statement cannot replace a row twice.
        let rows = Array(Dictionary(cutoffs.map { ($0.key, $0) }) { $0.endsAt == nil ? $0 : $1 }.values)
        guard !rows.isEmpty else { return nil }
        var parameters = Parameters()
        parameters.append(column: rows) { $0.key }
        parameters.append(column: rows) { $0.position }
        parameters.append(nullableColumn: rows) { $0.endsAt?.postgres }
        return .execute(EndStatements.putCutoffs, parameters)
    }
}
