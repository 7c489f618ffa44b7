import Postgres

/// The statements of the console: by index, and each with a limit.
enum ConsoleStatements {
    static let mostCounted = ConsoleStanding.mostCounted

    static let log = PreparedStatement(
        "console_log",
        """
        SELECT number, last_position, sealed_at, checkpoint FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1
        """)

    static let lanes = PreparedStatement(
        "console_lanes", "SELECT lane, next_batch, updated_at FROM clawgrant.publish_position ORDER BY lane")

    static let backlog = PreparedStatement(
        "console_backlog",
        """
        SELECT (SELECT count(*) FROM (SELECT 1 FROM clawgrant.unsealed LIMIT \(mostCounted)) u),
            (SELECT g.created_at FROM clawgrant.effect_group g, (
                SELECT day, group_id FROM clawgrant.unsealed ORDER BY group_id LIMIT 1) u
                WHERE g.day = u.day AND g.group_id = u.group_id),
            (SELECT count(*) FROM (
                SELECT 1 FROM clawgrant.request WHERE state = 0 AND wait_until IS NOT NULL LIMIT \(mostCounted)) w),
            (SELECT log_id FROM clawgrant.ledger)
        """)

    static let workers = PreparedStatement(
        "console_workers",
        """
        SELECT worker_id, started_at, expires_at FROM clawgrant.worker ORDER BY expires_at DESC, worker_id LIMIT 200
        """)

    static let partitions = PreparedStatement(
        "console_partitions",
        """
        SELECT topic, partition, next_offset, lease_epoch, lease_owner FROM clawgrant.input_partition
        ORDER BY topic, partition LIMIT 2000
        """)

    static let roles = PreparedStatement(
        "console_roles", "SELECT role, lease_epoch, lease_owner FROM clawgrant.role_lease ORDER BY role LIMIT 100")

    static let sources = PreparedStatement(
        "console_sources",
        """
        SELECT source, seen_at, body, clock_timestamp() FROM clawgrant.source_health ORDER BY source LIMIT 1000
        """)

    static let cutoffs = PreparedStatement(
        "console_cutoffs",
        """
        SELECT record_key, position, ends_at FROM clawgrant.cutoff WHERE ended_at IS NULL
        ORDER BY ends_at, record_key LIMIT 200
        """)

    static let hasSinks = PreparedStatement(
        "console_has_sinks", "SELECT to_regclass('clawgrant.security_event_sink') IS NOT NULL")

    static let sinks = PreparedStatement(
        "console_sinks",
        """
        SELECT name, next_position, delivered_at, failures, failing_since, failure, skipped
        FROM clawgrant.security_event_sink ORDER BY name LIMIT 100
        """)

    /// What was revoked is counted in rows of its own until the sweeper folds them.
    static let grants = PreparedStatement(
        "console_grants",
        """
        SELECT job_class, sum(live)::int8, min(expires_second) FROM (
            SELECT job_class, expires_second, sum(live) AS live FROM clawgrant.grant_tally
            WHERE expires_second > floor(extract(epoch FROM clock_timestamp()))::int8
            GROUP BY job_class, expires_second) t
        WHERE live > 0 GROUP BY job_class ORDER BY job_class LIMIT 500
        """)

    static let deadLettersBySource = PreparedStatement(
        "console_dead_letters",
        """
        SELECT source, count(*) FROM (
            SELECT source FROM clawgrant.dead_letter WHERE state = 0 ORDER BY source LIMIT \(mostCounted)) d
        GROUP BY source ORDER BY source
        """)

    static let newestDeadLetters = PreparedStatement(
        "console_newest_dead_letters",
        """
        SELECT \(DeadLetterStatements.columns) FROM (
            SELECT * FROM clawgrant.dead_letter
            ORDER BY set_aside_at DESC, topic DESC, partition DESC, record_offset DESC LIMIT 200) d
        WHERE state = 0 LIMIT 20
        """)

    /// Findings are only ever added, so the newest stand in the last pages of their table; no index by time is kept for
    /// the sake of looking at them.
    static let findings = PreparedStatement(
        "console_findings",
        """
        SELECT code, severity, job_id, request_id, about, detail, raised_at FROM clawgrant.finding
        WHERE ctid >= format('(%s,0)', greatest(0,
            pg_relation_size('clawgrant.finding') / current_setting('block_size')::int8 - 64))::tid
        ORDER BY raised_at DESC LIMIT 100
        """)

    static let groups = PreparedStatement(
        "console_groups",
        """
        SELECT day, group_id, entries, created_at FROM clawgrant.effect_group
        WHERE day <= $1 AND (day, group_id) < ($1, $2) ORDER BY day DESC, group_id DESC LIMIT $3
        """,
        parameterTypes: [.int4, .int8, .int8])

    static let waiting = PreparedStatement(
        "console_waiting",
        """
        SELECT \(DecideStatements.loadedRequestColumns) FROM clawgrant.request
        WHERE state = 0 AND wait_until >= $1 AND (wait_until, request_id) > ($1, $2)
        ORDER BY wait_until, request_id LIMIT $3
        """,
        parameterTypes: [.timestamptz, .text, .int8])

    static let approvals = PreparedStatement(
        "console_approvals",
        """
        SELECT \(DecideStatements.approvalColumns) FROM clawgrant.approval WHERE approval_id IN (
            SELECT unnest($1::text[])
            UNION (SELECT approval_id FROM clawgrant.approval
                WHERE ticket = ANY ($2::text[]) AND ticket IS NOT NULL AND outcome IS NULL LIMIT 500)
            UNION (SELECT approval_id FROM clawgrant.approval
                WHERE subject = ANY ($3::text[]) AND subject IS NOT NULL AND outcome IS NULL LIMIT 500))
        LIMIT 1000
        """,
        parameterTypes: [.textArray, .textArray, .textArray])

    static let usage = PreparedStatement(
        "console_usage", "SELECT job_id, body FROM clawgrant.job_usage WHERE job_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    static let confirmations = PreparedStatement(
        "console_confirmations",
        """
        SELECT approval_id, source, coalesce(why, '') FROM clawgrant.confirmation
        WHERE approval_id = ANY ($1::text[]) AND state = 'waiting' LIMIT 1000
        """,
        parameterTypes: [.textArray])

    static let liveTokens = PreparedStatement(
        "console_live_tokens",
        """
        SELECT \(DecideStatements.loadedRequestColumns) FROM clawgrant.request
        WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND expires_at >= greatest($1, clock_timestamp())
            AND (expires_at, request_id) > ($1, $2)
        ORDER BY expires_at, request_id LIMIT $3
        """,
        parameterTypes: [.timestamptz, .text, .int8])

    static let liveTokensOfClass = PreparedStatement(
        "console_live_tokens_of_class",
        """
        SELECT \(DecideStatements.loadedRequestColumns) FROM (
            SELECT * FROM clawgrant.request
            WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND expires_at >= greatest($1, clock_timestamp())
                AND (expires_at, request_id) > ($1, $2)
            ORDER BY expires_at, request_id LIMIT 20000) r
        WHERE job_class = $4 ORDER BY expires_at, request_id LIMIT $3
        """,
        parameterTypes: [.timestamptz, .text, .int8, .text])

    static let batchAt = PreparedStatement(
        "console_batch_at", "SELECT sealed_at FROM clawgrant.receipt_batch WHERE number = $1",
        parameterTypes: [.int8])

    /// The batch that holds a group, among some that follow each other.
    static let batchOfGroup = PreparedStatement(
        "console_batch_of_group",
        """
        SELECT number, first_position, group_ids, group_days FROM clawgrant.receipt_batch
        WHERE number >= $1 AND number < $1 + 50000 AND $2 = ANY (group_ids) ORDER BY number LIMIT 1
        """,
        parameterTypes: [.int8, .int8])

    static let entries = PreparedStatement(
        "console_entries",
        """
        SELECT coalesce(sum(g.entries), 0)::int8 FROM unnest($1::int4[], $2::int8[]) AS k (day, group_id)
        JOIN clawgrant.effect_group g ON g.day = k.day AND g.group_id = k.group_id
        """,
        parameterTypes: [.int4Array, .int8Array])

    static let find = PreparedStatement(
        "console_find",
        """
        SELECT 'request', request_id FROM clawgrant.request WHERE request_id = $1
        UNION ALL (SELECT 'approval', unnest(used_by) FROM clawgrant.approval WHERE approval_id = $1 LIMIT 50)
        UNION ALL (SELECT 'approval', request_id FROM clawgrant.request
            WHERE state = 0 AND approval_ref = $1 AND approval_ref IS NOT NULL LIMIT 50)
        UNION ALL (SELECT 'ticket', request_id FROM clawgrant.request
            WHERE state = 0 AND ticket_ref = $1 AND ticket_ref IS NOT NULL LIMIT 50)
        UNION ALL (SELECT 'job', request_id FROM clawgrant.request WHERE job_id = $1 AND scope_hash IS NOT NULL LIMIT 50)
        LIMIT 50
        """,
        parameterTypes: [.text])
}
