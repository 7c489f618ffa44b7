import Postgres

/// The statements by which the state of tokens is followed.
enum LiveTokenStatements {
    /// One statement, one snapshot: what is committed by then is among the unsealed or in the batches up to the last.
    static let marks = PreparedStatement(
        "revocation_marks",
        """
        SELECT (SELECT control_position FROM clawgrant.control_state), coalesce(b.number, -1),
            coalesce(b.next_sequence[3], 0), u.days, u.ids, \(LineageStatements.incarnationColumns)
        FROM (SELECT coalesce(array_agg(day ORDER BY group_id), '{}') AS days,
                coalesce(array_agg(group_id ORDER BY group_id), '{}') AS ids
            FROM clawgrant.unsealed WHERE priority < 2) u
        LEFT JOIN LATERAL (
            SELECT number, next_sequence FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1) b ON true
        """)

    static let runs = PreparedStatement(
        "revocation_runs_after",
        """
        SELECT position, ordinal, handle, scope_kind, scope_value, part, part_value, cause, detail, issued_before,
            revoked, started_at
        FROM clawgrant.revocation_run WHERE position > $1 AND started_at >= $2 ORDER BY position, ordinal
        """,
        parameterTypes: [.int8, .timestamptz])

    static let revokedTokens = PreparedStatement(
        "revoked_token_marks",
        """
        SELECT token_hash, revoked_at, expires_at, request_id FROM clawgrant.request
        WHERE revoked_at IS NOT NULL AND (expires_at, request_id) > ($1, $2)
        ORDER BY expires_at, request_id LIMIT $3
        """,
        parameterTypes: [.timestamptz, .text, .int8])

    static let groups = PreparedStatement(
        "revocation_groups",
        """
        SELECT g.group_id, g.body, g.created_at
        FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (day, group_id, place)
        JOIN clawgrant.effect_group g ON g.day = k.day AND g.group_id = k.group_id ORDER BY k.place
        """,
        parameterTypes: [.int4Array, .int8Array])

    private static let batchColumns = """
        b.number, coalesce((SELECT p.next_sequence[3] FROM clawgrant.receipt_batch p WHERE p.number = b.number - 1), 0),
            b.next_sequence[3], b.group_days, b.group_ids
        """

    static let batchesAfter = PreparedStatement(
        "revocation_batches_after",
        """
        SELECT * FROM (
            SELECT \(batchColumns) FROM clawgrant.receipt_batch b WHERE b.number > $1 AND b.number <= $2) AS found (
                number, first_sequence, next_sequence, days, ids)
        WHERE next_sequence > first_sequence ORDER BY number LIMIT $3
        """,
        parameterTypes: [.int8, .int8, .int8])

    /// Batches are numbered without a gap and their sequences never fall: halving finds the first one behind a place.
    static let batchHolding = PreparedStatement(
        "revocation_batch_holding",
        """
        WITH RECURSIVE bounds (low, high) AS (
            SELECT 0::int8, (SELECT max(number) FROM clawgrant.receipt_batch)
            UNION ALL
            SELECT CASE WHEN m.next_sequence[3] > $1 THEN h.low ELSE (h.low + h.high) / 2 + 1 END,
                CASE WHEN m.next_sequence[3] > $1 THEN (h.low + h.high) / 2 ELSE h.high END
            FROM bounds h JOIN clawgrant.receipt_batch m ON m.number = (h.low + h.high) / 2
            WHERE h.low < h.high)
        SELECT \(batchColumns) FROM bounds h JOIN clawgrant.receipt_batch b ON b.number = h.low
        WHERE h.low = h.high AND b.next_sequence[3] > $1
        """,
        parameterTypes: [.int8])

    private static let tokenColumns = """
        r.token_hash, r.request_id, r.job_id, r.job_class, r.agent_did, r.approvals, r.token_id, r.kid, r.issued_at,
            r.expires_at, r.control_scopes, r.is_elevated, r.revoked_at, r.revoked_reason
        """

    /// By the hash of their scope, which has an index and which hardly any two tokens share.
    static let tokens = PreparedStatement(
        "live_tokens_by_hash",
        """
        SELECT \(tokenColumns) FROM clawgrant.request r
        WHERE r.scope_hash IS NOT NULL AND r.scope_hash = ANY ($1) AND r.token_hash = ANY ($2)
        """,
        parameterTypes: [.byteaArray, .byteaArray])
}
