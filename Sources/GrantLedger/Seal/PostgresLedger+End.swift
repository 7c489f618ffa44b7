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
        let (seconds, attoseconds) = ending.grace.components
        // In whole seconds, as expiries are: what is told then holds to the second.
        let before = Timestamp(
            seconds: Timestamp(
                microseconds: now.microseconds - seconds * 1_000_000 - attoseconds / 1_000_000_000_000
            ).seconds)
        var taken = Parameters()
        taken.append(array: groups.map(\.groupID))
        let results = try await transaction.run([
            .execute(EndStatements.cutoffs, Parameters(before.postgres, Int64(ending.maximumCutoffs))),
            .execute(EndStatements.tokens, Parameters(before.postgres, Int64(ending.maximumTokens))),
            .execute(EndStatements.isLast, taken),
        ])
        let (cutoffs, tokens) = (results[0], results[1])
        guard try results[2].bool(0, 0), cutoffs.rowCount + tokens.rowCount > 0 else { return nil }
        let ended = EndedRevocations(
            tokens: try (0..<tokens.rowCount).map { try tokens.digest($0, 0) },
            cutoffs: try (0..<cutoffs.rowCount).map { try cutoffs.string($0, 0) }, expiredBefore: before, now: now)
        var steps: [PipelineStep] = []
        if tokens.rowCount > 0 {
            let last = tokens.rowCount - 1
            steps.append(
                .execute(
                    EndStatements.advance, Parameters(try tokens.timestamp(last, 1), try tokens.string(last, 2))))
        }
        if !ended.cutoffs.isEmpty {
            var keys = Parameters(now.postgres)
            keys.append(array: ended.cutoffs)
            steps.append(.execute(EndStatements.endCutoffs, keys))
        }
        return (try ending.effect(ended), steps)
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
