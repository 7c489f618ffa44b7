import Postgres

/// The statements of control transactions.
enum ControlStatements {
    /// Exclusive: granted once no decide transaction is in flight, in the order of asking, so that it cannot starve.
    static let stopLock = PreparedStatement("stop_lock_exclusive", "SELECT pg_advisory_xact_lock(8603000)")

    private static let holders = """
        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = 8603000 AND l.objsubid = 1 AND l.granted
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
        """

    /// The transactions that hold the stop lock, shared or exclusively: process and start.
    static let stopLockHolders = PreparedStatement("stop_lock_holders", "SELECT l.pid, a.xact_start \(holders)")

    /// Ends the sessions of some of them. Each is found by the lock and by the start of its transaction, so that neither a
    /// reused process id nor a session's next transaction can be hit.
    static let endHolders = PreparedStatement(
        "end_stop_lock_holders",
        """
        SELECT pg_terminate_backend(l.pid) \(holders)
            AND EXISTS (
                SELECT 1 FROM unnest($1::int4[], $2::timestamptz[]) AS seen (pid, started)
                WHERE seen.pid = l.pid AND seen.started = a.xact_start)
        """,
        parameterTypes: [.int4Array, .timestamptzArray])

    static let event = PreparedStatement(
        "control_event", "SELECT position, event_digest, result FROM clawgrant.control_event WHERE event_id = $1",
        parameterTypes: [.text])

    static let counts = PreparedStatement(
        "grant_counts",
        """
        SELECT job_class, kid, policy_hash, sum(grants)::int8,
            coalesce(sum(live) FILTER (
                WHERE expires_second > floor(extract(epoch FROM clock_timestamp()))::int8), 0)::int8,
            max(newest_issued_at), max(expires_second)
        FROM clawgrant.grant_tally GROUP BY job_class, kid, policy_hash
        """)

    /// Live tokens of a scope, up to one more than are counted. The time is a constant of the statement, so that the index
    /// leaves out what has expired.
    static func countLive(by index: ReachIndex) -> PreparedStatement {
        PreparedStatement(
            "count_scope_by_\(index.rawValue)",
            """
            SELECT count(*) FROM (
                SELECT 1 FROM clawgrant.request
                WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND expires_at > statement_timestamp()
                    AND \(inScope(kind: "$1", value: "$2")) AND \(index.condition(value: "$2"))
                LIMIT $3) live
            """,
            parameterTypes: [.text, .text, .int8])
    }

    static let advanceInput = PreparedStatement(
        "advance_control_input",
        """
        INSERT INTO clawgrant.control_input AS i (topic, next_offset)
        SELECT $1, $3 WHERE $2 = 0 OR EXISTS (SELECT 1 FROM clawgrant.control_input WHERE topic = $1)
        ON CONFLICT (topic) DO UPDATE SET next_offset = excluded.next_offset WHERE i.next_offset = $2
        """,
        parameterTypes: [.text, .int8, .int8])

    static let inputOffset = PreparedStatement(
        "control_input_offset", "SELECT next_offset FROM clawgrant.control_input WHERE topic = $1",
        parameterTypes: [.text])

    static let insertEvent = PreparedStatement(
        "insert_control_event",
        """
        INSERT INTO clawgrant.control_event (event_id, position, operation, handle, result, event_digest, body, applied_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        parameterTypes: [.text, .int8, .text, .text, .text, .bytea, .bytea, .timestamptz])

    static let putOrders = PreparedStatement(
        "put_control_orders",
        """
        INSERT INTO clawgrant.control_order (order_key, position, body)
        SELECT * FROM unnest($1::text[], $2::int8[], $3::bytea[])
        ON CONFLICT (order_key) DO UPDATE SET position = excluded.position, body = excluded.body
        """,
        parameterTypes: [.textArray, .int8Array, .byteaArray])

    static let pruneOrders = PreparedStatement(
        "prune_control_orders",
        """
        DELETE FROM clawgrant.control_order o USING unnest($1::text[], $2::int8[]) AS p (order_key, position)
        WHERE o.order_key = p.order_key AND o.position = p.position AND EXISTS (
            SELECT 1 FROM clawgrant.role_lease WHERE role = $3 AND lease_owner = $4 AND lease_epoch = $5)
        """,
        parameterTypes: [.textArray, .int8Array, .text, .text, .int8])

    static let setPosition = PreparedStatement(
        "set_control_position", "UPDATE clawgrant.control_state SET control_position = $1",
        parameterTypes: [.int8])

    static let notePoll = PreparedStatement(
        "note_control_poll",
        """
        UPDATE clawgrant.control_state SET polled_at = clock_timestamp()
        WHERE EXISTS (SELECT 1 FROM clawgrant.role_lease WHERE role = $1 AND lease_owner = $2 AND lease_epoch = $3)
            AND coalesce((SELECT next_offset FROM clawgrant.control_input WHERE topic = $4), 0) = $5
        """,
        parameterTypes: [.text, .text, .int8, .text, .int8])

    /// How long after its expiry a token is still revoked where no cut-off voids it, or where there are few, given the
    /// kind of the scope and the part: were the ledger's clock an hour ahead, every token that lives would seem to have
    /// expired.
    private static func slack(kind: String, part: String) -> String {
        """
        CASE WHEN \(kind) IN ('token_hash', 'jti', 'job', 'request', 'approval') OR \(part) IN ('elevated', 'pinned', 'not_pinned', 'unproxied')
            THEN interval '3900 seconds' ELSE interval '0' END
        """
    }

    static let insertRun = PreparedStatement(
        "insert_revocation_run",
        """
        INSERT INTO clawgrant.revocation_run (position, ordinal, handle, scope_kind, scope_value, part, part_value,
            cause, detail, issued_before, cursor_expires_at, started_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 - \(slack(kind: "$4", part: "$6")), $11)
        """,
        parameterTypes: [
            .int8, .int4, .text, .text, .text, .text, .text, .text, .text, .timestamptz, .timestamptz,
        ])

    static let nextRun = PreparedStatement(
        "next_revocation_run",
        """
        SELECT position, ordinal, handle, scope_kind, scope_value, part, part_value, cause, detail, issued_before,
            revoked, started_at, cursor_expires_at, cursor_request_id, clock_timestamp(),
            (SELECT control_position FROM clawgrant.control_state),
            (SELECT body FROM clawgrant.control_event e WHERE e.position = run.position),
            CASE WHEN scope_kind = 'token_hash' AND scope_value ~ '^[0-9a-f]{64}$' THEN
                NOT EXISTS (
                    SELECT 1 FROM clawgrant.request WHERE expires_at IS NOT NULL AND revoked_at IS NULL
                        AND token_hash = decode(scope_value, 'hex'))
                AND NOT EXISTS (
                    SELECT 1 FROM clawgrant.request
                    WHERE revoked_at IS NOT NULL AND token_hash = decode(scope_value, 'hex'))
                AND NOT EXISTS (
                    SELECT 1 FROM clawgrant.revocation_run earlier
                    WHERE earlier.scope_kind = 'token_hash' AND earlier.scope_value = run.scope_value
                        AND (earlier.position, earlier.ordinal) < (run.position, run.ordinal))
            ELSE false END
        FROM clawgrant.revocation_run run WHERE finished_at IS NULL ORDER BY position, ordinal LIMIT 1 FOR UPDATE
        """)

    /// The condition that a request's token is in a scope, given the parameters of its kind and value.
    static func inScope(kind: String, value: String) -> String {
        """
        CASE \(kind)
            WHEN 'all' THEN true
            WHEN 'job_class' THEN job_class = \(value)
            WHEN 'agent' THEN agent_did = \(value)
            WHEN 'request' THEN request_id = \(value)
            WHEN 'job' THEN job_id = \(value)
            WHEN 'approval' THEN \(value) = ANY (approvals)
            WHEN 'token_hash' THEN encode(token_hash, 'hex') = \(value)
            WHEN 'jti' THEN token_id = \(value)
            WHEN 'issuer_key' THEN kid = \(value)
            ELSE control_scopes @> ARRAY[\(kind) || ':' || \(value)] END
        """
    }

    /// The condition that a request's token is of a part of what a run revokes, given the part and its value.
    static func inPart(_ part: String, value: String) -> String {
        """
        CASE \(part)
            WHEN 'all' THEN true
            WHEN 'elevated' THEN coalesce(is_elevated, false)
            WHEN 'pinned' THEN coalesce(control_scopes @> ARRAY['policy_hash:' || \(value)], false)
            WHEN 'not_pinned' THEN NOT coalesce(control_scopes @> ARRAY['policy_hash:' || \(value)], false)
            WHEN 'unproxied' THEN NOT coalesce(control_scopes @> ARRAY['\(IssuedToken.ControlReach.proxiedRoute)'], false)
            ELSE issued_at >= to_timestamp(\(value)::float8) END
        """
    }

    /// Live tokens of a scope in the order of their end. Rows that a decide transaction holds are waited for: it either
    /// revokes the token itself or leaves it as it was.
    static func liveTokens(by index: ReachIndex) -> PreparedStatement {
        PreparedStatement(
            "live_tokens_by_\(index.rawValue)",
            """
            SELECT request_id, job_id, job_class, agent_did, approvals, token_hash, token_id, kid, expires_at, control_scopes,
                ctid::text
            FROM clawgrant.request
            WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND (expires_at, request_id) > ($1, $2)
                AND expires_at > clock_timestamp() - \(slack(kind: "$4", part: "$6")) AND issued_at < $3
                AND \(inScope(kind: "$4", value: "$5"))
                AND \(inPart("$6", value: "$7"))
                AND \(index.condition(value: "$5"))
            ORDER BY expires_at, request_id LIMIT $8 FOR UPDATE
            """,
            parameterTypes: [.timestamptz, .text, .timestamptz, .text, .text, .text, .text, .int8])
    }

    static let revokeTokens = PreparedStatement(
        "revoke_tokens",
        """
        UPDATE clawgrant.request SET revoked_at = $1, revoked_reason = $2
        WHERE request_id = ANY ($3::text[]) AND revoked_at IS NULL
        """,
        parameterTypes: [.timestamptz, .text, .textArray])

    /// By the places that the locked rows were found at in this transaction: no index is asked for them again. Fails when
    /// it is not all of them.
    static let revokeVoided = PreparedStatement(
        "revoke_voided_tokens",
        """
        WITH revoked AS (
            UPDATE clawgrant.request SET revoked_at = $1, revoked_reason = $2
            WHERE ctid = ANY ($4::text[]::tid[]) AND revoked_at IS NULL RETURNING 1)
        SELECT 1 / (count(*) = $3)::int FROM revoked
        """,
        parameterTypes: [.timestamptz, .text, .int8, .textArray])

    static let advanceRun = PreparedStatement(
        "advance_revocation_run",
        """
        UPDATE clawgrant.revocation_run SET cursor_expires_at = $3, cursor_request_id = $4, revoked = revoked + $5,
            finished_at = CASE WHEN $6 THEN clock_timestamp() END,
            told_unknown_at = CASE WHEN $7 THEN started_at END
        WHERE position = $1 AND ordinal = $2
        """,
        parameterTypes: [.int8, .int4, .timestamptz, .text, .int8, .bool, .bool])

    /// The time is that of the statement's arrival, which is before the snapshot it reads: whatever is committed up to it
    /// is seen.
    static let horizon = PreparedStatement(
        "revocation_horizon",
        """
        SELECT statement_timestamp(), (SELECT control_position FROM clawgrant.control_state),
            NOT EXISTS (SELECT 1 FROM clawgrant.unsealed WHERE priority < 2),
            coalesce((SELECT max(number) + 1 FROM clawgrant.receipt_batch), 0),
            coalesce((SELECT next_sequence[3] FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1), 0),
            coalesce(
                (SELECT min(position) FROM clawgrant.revocation_run WHERE finished_at IS NULL),
                (SELECT control_position + 1 FROM clawgrant.control_state)),
            (SELECT count(*) FROM (
                SELECT 1 FROM clawgrant.request
                WHERE revoked_at IS NOT NULL AND expires_at > statement_timestamp() LIMIT 20000) live),
            (SELECT count(*) FROM clawgrant.cutoff WHERE ended_at IS NULL)
        """)

    static let revokedTokens = PreparedStatement(
        "revoked_tokens",
        """
        SELECT token_hash, expires_at, request_id FROM clawgrant.request
        WHERE revoked_at IS NOT NULL AND (expires_at, request_id) > ($1, $2)
        ORDER BY expires_at, request_id LIMIT $3
        """,
        parameterTypes: [.timestamptz, .text, .int8])

    static let foldTallies = PreparedStatement(
        "fold_tallies",
        """
        WITH taken AS (DELETE FROM clawgrant.grant_tally RETURNING *), folded AS (
            SELECT *, CASE WHEN expires_second > extract(epoch FROM clock_timestamp()) THEN expires_second ELSE 0 END AS ends
            FROM taken)
        INSERT INTO clawgrant.grant_tally (job_class, kid, policy_hash, expires_second, grants, live, newest_issued_at)
        SELECT job_class, kid, policy_hash, ends, sum(grants), CASE WHEN ends = 0 THEN 0 ELSE sum(live) END,
            max(newest_issued_at)
        FROM folded GROUP BY job_class, kid, policy_hash, ends
        """)
}
