import Postgres

/// The statements of the decide transaction.
///
/// The advisory lock numbers are part of the design: 8603000 is the stop lock, taken shared here and exclusively by a
/// stop; it is a statement of its own because only statements that start after the lock was granted see what the stop
/// committed.
enum DecideStatements {
    static let stopLock = PreparedStatement("stop_lock_shared", "SELECT pg_advisory_xact_lock_shared(8603000)")

    /// For whoever took the stop lock first: a row's holder may wait for the stop lock behind a stop, which waits for
    /// this transaction. Found by the model as `ROWS_AWAITED`. Milliseconds; 0 before the commit, which waits its turn to
    /// announce.
    static let rowPatience = PreparedStatement(
        "row_patience", "SELECT set_config('lock_timeout', $1, true)", parameterTypes: [.text])

    static let controlState = PreparedStatement(
        "control_state",
        """
        SELECT control_position, polled_at, clock_timestamp(), has_approval_budgets,
            \(LineageStatements.incarnationColumns)
        FROM clawgrant.control_state
        """)

    /// Fails when another control position holds than the one decided under. A statement of its own behind the lock, so
    /// that it sees what a stop committed before the lock was granted.
    static let requirePosition = PreparedStatement(
        "require_control_position",
        "SELECT 1 / (control_position = $1)::int FROM clawgrant.control_state",
        parameterTypes: [.int8])

    static let newControlOrders = PreparedStatement(
        "new_control_orders",
        "SELECT order_key, position, body FROM clawgrant.control_order WHERE position > $1 ORDER BY position",
        parameterTypes: [.int8])

    static let fenceOffsets = PreparedStatement(
        "fence_offsets",
        """
        UPDATE clawgrant.input_partition p SET next_offset = f.to_offset
        FROM unnest($1::text[], $2::int4[], $3::int8[], $4::int8[], $5::int8[])
            AS f (topic, partition, epoch, from_offset, to_offset)
        WHERE p.topic = f.topic AND p.partition = f.partition AND p.lease_owner = $6 AND p.lease_epoch = f.epoch
            AND p.next_offset = f.from_offset
        """,
        parameterTypes: [.textArray, .int4Array, .int8Array, .int8Array, .int8Array, .text])

    static let fenceRole = PreparedStatement(
        "fence_role",
        """
        SELECT lease_epoch FROM clawgrant.role_lease
        WHERE role = $1 AND lease_owner = $2 AND lease_epoch = $3 FOR UPDATE
        """,
        parameterTypes: [.text, .text, .int8])

    static let insertEvents = PreparedStatement(
        "insert_events",
        """
        INSERT INTO clawgrant.event (day, event_key, record_digest)
        SELECT * FROM unnest($1::int4[], $2::uuid[], $3::bytea[])
        ON CONFLICT DO NOTHING RETURNING day, event_key
        """,
        parameterTypes: [.int4Array, .uuidArray, .byteaArray])

    static let knownEvents = PreparedStatement(
        "known_events",
        """
        SELECT e.day, e.event_key, e.record_digest FROM clawgrant.event e
        JOIN unnest($1::int4[], $2::uuid[]) AS k (day, event_key) ON e.day = k.day AND e.event_key = k.event_key
        """,
        parameterTypes: [.int4Array, .uuidArray])

    static let meetingLocks = PreparedStatement(
        "meeting_locks",
        """
        SELECT CASE WHEN exclusive THEN pg_advisory_xact_lock(k) ELSE pg_advisory_xact_lock_shared(k) END
        FROM unnest($1::int8[], $2::bool[]) AS lock (k, exclusive)
        """,
        parameterTypes: [.int8Array, .boolArray])

    static let loadHolderEnds = PreparedStatement(
        "load_holder_ends",
        """
        SELECT holder.subject, e.body FROM unnest($1::text[]) AS holder (subject), LATERAL (
            SELECT body FROM clawgrant.holder_end WHERE subject = holder.subject ORDER BY occurred_at DESC LIMIT $2) AS e
        """,
        parameterTypes: [.textArray, .int8])

    static let insertHolderEnds = PreparedStatement(
        "insert_holder_ends",
        """
        INSERT INTO clawgrant.holder_end (subject, occurred_at, event_key, fact_index, body)
        SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::int4[], $5::bytea[])
        ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.textArray, .timestamptzArray, .uuidArray, .int4Array, .byteaArray])

    static let groupIDs = PreparedStatement(
        "effect_group_ids",
        "SELECT nextval('clawgrant.effect_group_id') FROM generate_series(1, $1::int4)",
        parameterTypes: [.int4])

    static let approvalColumns = """
        approval_id, state, subject, ticket, used_by, outcome, close_at, updated_at, trace, principal_name, assignment
        """

    /// The same rows in the same order as ``loadApprovals``, without a lock.
    static let previewApprovals = PreparedStatement(
        "preview_approvals", approvalsOfBatch, parameterTypes: [.textArray, .textArray, .textArray, .textArray])

    static let loadApprovals = PreparedStatement(
        "load_approvals", approvalsOfBatch + " FOR UPDATE",
        parameterTypes: [.textArray, .textArray, .textArray, .textArray])

    /// The approvals that ends of the batch name by something else than a column of theirs. Name after name, through the
    /// index: a batch without ends looks at nothing, and a name of many approvals is not read to its end.
    private static func approvalsNamed(_ parameter: String) -> String {
        """
        SELECT named.approval_id FROM unnest(\(parameter)::text[]) AS ended (name), LATERAL (
            SELECT n.approval_id FROM clawgrant.approval_name n JOIN clawgrant.approval a ON a.approval_id = n.approval_id
            WHERE n.name = ended.name
                AND (a.outcome IS NULL OR n.name LIKE 'assignment:%')
            ORDER BY n.approval_id LIMIT 2000) AS named
        """
    }

    /// Approvals of an assignment are found when they are over, too: their end is then known.
    private static let approvalsOfBatch = """
        SELECT \(approvalColumns) FROM clawgrant.approval
        WHERE approval_id IN (
            SELECT unnest($1::text[])
            UNION (SELECT approval_id FROM clawgrant.approval
                WHERE subject = ANY ($2::text[]) AND subject IS NOT NULL AND outcome IS NULL LIMIT 2000)
            UNION (SELECT approval_id FROM clawgrant.approval
                WHERE ticket = ANY ($3::text[]) AND ticket IS NOT NULL AND outcome IS NULL LIMIT 2000)
            UNION (SELECT approval_id FROM clawgrant.approval
                WHERE principal_name = ANY ($4::text[]) AND principal_name IS NOT NULL AND outcome IS NULL LIMIT 2000)
            UNION (SELECT approval_id FROM clawgrant.approval
                WHERE assignment = ANY ($4::text[]) AND assignment IS NOT NULL LIMIT 2000)
            UNION (\(approvalsNamed("$4"))))
        ORDER BY approval_id
        """

    static let requestColumns = """
        request_id, state, job_id, job_class, agent_did, body, received_at, wait_until, decided_at, approvals, \
        token_hash, token_id, scope_hash, kid, issued_at, expires_at, scope, revoked_at, revoked_reason, \
        approval_ref, ticket_ref, subject_ref
        """

    /// What is read of a request: its row, and by what a control event reaches its token.
    static let loadedRequestColumns = "\(requestColumns), control_scopes, is_elevated"

    /// The requests of the batch and those that wait for something in it.
    private static let requestsOfBatch = """
        SELECT unnest($1::text[])
            UNION (SELECT request_id FROM clawgrant.request
                WHERE state = 0 AND approval_ref = ANY ($2::text[]) AND approval_ref IS NOT NULL LIMIT 2000)
            UNION (SELECT request_id FROM clawgrant.request
                WHERE state = 0 AND ticket_ref = ANY ($3::text[]) AND ticket_ref IS NOT NULL LIMIT 2000)
            UNION (SELECT request_id FROM clawgrant.request
                WHERE state = 0 AND subject_ref = ANY ($4::text[]) AND subject_ref IS NOT NULL LIMIT 2000)
        """

    static let loadRequests = PreparedStatement(
        "load_requests",
        """
        SELECT \(loadedRequestColumns) FROM clawgrant.request
        WHERE request_id IN (
            \(requestsOfBatch)
            UNION (SELECT unnest(used_by) FROM clawgrant.approval WHERE approval_id = ANY ($5::text[]))
            UNION (SELECT unnest(used_by) FROM clawgrant.approval
                WHERE subject = ANY ($6::text[]) AND subject IS NOT NULL)
            UNION (SELECT unnest(used_by) FROM clawgrant.approval
                WHERE principal_name = ANY ($6::text[]) AND principal_name IS NOT NULL)
            UNION (SELECT unnest(used_by) FROM clawgrant.approval
                WHERE assignment = ANY ($6::text[]) AND assignment IS NOT NULL)
            UNION (SELECT r.request_id FROM clawgrant.request r JOIN clawgrant.approval a ON a.approval_id = r.approval_ref
                WHERE r.state = 0 AND a.subject = ANY ($6::text[]) AND a.subject IS NOT NULL AND a.outcome IS NULL
                LIMIT 2000)
            UNION (SELECT r.request_id FROM clawgrant.request r JOIN clawgrant.approval a ON a.approval_id = r.approval_ref
                WHERE r.state = 0 AND a.principal_name = ANY ($6::text[]) AND a.principal_name IS NOT NULL
                    AND a.outcome IS NULL
                LIMIT 2000)
            UNION (SELECT r.request_id FROM clawgrant.request r JOIN clawgrant.approval a ON a.approval_id = r.approval_ref
                WHERE r.state = 0 AND a.assignment = ANY ($6::text[]) AND a.assignment IS NOT NULL
                    AND a.outcome IS NULL
                LIMIT 2000)
            UNION (SELECT unnest(used_by) FROM clawgrant.approval WHERE approval_id IN (\(approvalsNamed("$6"))))
            UNION (SELECT r.request_id FROM (\(approvalsNamed("$6"))) AS of_name
                JOIN clawgrant.request r ON r.approval_ref = of_name.approval_id WHERE r.state = 0))
        ORDER BY request_id FOR UPDATE
        """,
        parameterTypes: [.textArray, .textArray, .textArray, .textArray, .textArray, .textArray])

    /// What the jobs of the batch have used, without a lock: usage that comes to a limit meanwhile revokes the token at its
    /// next call.
    static let loadUsage = PreparedStatement(
        "load_usage",
        """
        SELECT job_id, body FROM clawgrant.job_usage
        WHERE job_id IN (
            SELECT unnest($5::text[])
            UNION SELECT job_id FROM clawgrant.request WHERE state = 0 AND request_id IN (\(requestsOfBatch)))
        """,
        parameterTypes: [.textArray, .textArray, .textArray, .textArray, .textArray])

    /// Text arrays within a row travel joined by the unit separator, which no identifier may hold.
    static let insertApprovals = PreparedStatement(
        "insert_approvals",
        """
        INSERT INTO clawgrant.approval
            (approval_id, state, subject, ticket, used_by, outcome, close_at, updated_at, trace, principal_name,
                assignment)
        SELECT a.id, a.state, a.subject, a.ticket, string_to_array(a.used_by, E'\\x1f'), a.outcome, a.close_at, $8,
            a.trace, a.principal_name, a.assignment
        FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                $9::bytea[], $10::text[], $11::text[])
            AS a (id, state, subject, ticket, used_by, outcome, close_at, trace, principal_name, assignment)
        """,
        parameterTypes: [
            .textArray, .byteaArray, .textArray, .textArray, .textArray, .textArray, .timestamptzArray, .timestamptz,
            .byteaArray, .textArray, .textArray,
        ])

    static let updateApprovals = PreparedStatement(
        "update_approvals",
        """
        UPDATE clawgrant.approval t SET state = a.state, subject = a.subject, ticket = a.ticket,
            used_by = string_to_array(a.used_by, E'\\x1f'), outcome = a.outcome, close_at = a.close_at, updated_at = $8,
            trace = a.trace, principal_name = a.principal_name, assignment = a.assignment
        FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                $9::bytea[], $10::text[], $11::text[])
            AS a (id, state, subject, ticket, used_by, outcome, close_at, trace, principal_name, assignment)
        WHERE t.approval_id = a.id
        """,
        parameterTypes: [
            .textArray, .byteaArray, .textArray, .textArray, .textArray, .textArray, .timestamptzArray, .timestamptz,
            .byteaArray, .textArray, .textArray,
        ])

    /// One that is known stays: what an approval was ever known by may end it.
    static let insertApprovalNames = PreparedStatement(
        "insert_approval_names",
        """
        INSERT INTO clawgrant.approval_name (name, approval_id) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.textArray, .textArray])

    private static let requestArrays = """
        unnest($1::text[], $2::int2[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[],
            $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bytea[], $12::text[], $13::bytea[], $14::text[],
            $15::timestamptz[], $16::timestamptz[], $17::text[], $18::timestamptz[], $19::text[], $20::text[],
            $21::text[], $22::text[], $23::int8[], $24::int4[], $25::int4[], $26::text[], $27::bool[])
            AS r (id, state, job_id, job_class, agent_did, body, received_at, wait_until, decided_at, approvals,
                token_hash, token_id, scope_hash, kid, issued_at, expires_at, scope, revoked_at, revoked_reason,
                approval_ref, ticket_ref, subject_ref, group_id, group_day, group_index, control_scopes, is_elevated)
        """

    private static let requestTypes: [PostgresType] = [
        .textArray, .int2Array, .textArray, .textArray, .textArray, .byteaArray, .timestamptzArray, .timestamptzArray,
        .timestamptzArray, .textArray, .byteaArray, .textArray, .byteaArray, .textArray, .timestamptzArray,
        .timestamptzArray, .textArray, .timestamptzArray, .textArray, .textArray, .textArray, .textArray, .int8Array,
        .int4Array, .int4Array, .textArray, .boolArray,
    ]

    static let insertRequests = PreparedStatement(
        "insert_requests",
        """
        INSERT INTO clawgrant.request (\(requestColumns), group_id, group_day, group_index, control_scopes, is_elevated)
        SELECT r.id, r.state, r.job_id, r.job_class, r.agent_did, r.body, r.received_at, r.wait_until, r.decided_at,
            string_to_array(r.approvals, E'\\x1f'), r.token_hash, r.token_id, r.scope_hash, r.kid, r.issued_at,
            r.expires_at, string_to_array(r.scope, E'\\x1f'), r.revoked_at, r.revoked_reason, r.approval_ref,
            r.ticket_ref, r.subject_ref, r.group_id, r.group_day, r.group_index,
            string_to_array(r.control_scopes, E'\\x1f'), r.is_elevated
        FROM \(requestArrays)
        """,
        parameterTypes: requestTypes)

    static let updateRequests = PreparedStatement(
        "update_requests",
        """
        UPDATE clawgrant.request t SET state = r.state, body = r.body, wait_until = r.wait_until,
            decided_at = r.decided_at, approvals = string_to_array(r.approvals, E'\\x1f'), token_hash = r.token_hash,
            token_id = r.token_id, scope_hash = r.scope_hash, kid = r.kid, issued_at = r.issued_at,
            expires_at = r.expires_at, scope = string_to_array(r.scope, E'\\x1f'), revoked_at = r.revoked_at,
            revoked_reason = r.revoked_reason, group_id = coalesce(r.group_id, t.group_id),
            group_day = coalesce(r.group_day, t.group_day), group_index = coalesce(r.group_index, t.group_index),
            control_scopes = coalesce(string_to_array(r.control_scopes, E'\\x1f'), t.control_scopes),
            is_elevated = coalesce(r.is_elevated, t.is_elevated)
        FROM \(requestArrays)
        WHERE t.request_id = r.id
        """,
        parameterTypes: requestTypes)

    static let insertGroups = PreparedStatement(
        "insert_effect_groups",
        """
        INSERT INTO clawgrant.effect_group (day, group_id, worker_id, created_at, entries, body, origins)
        SELECT $1, g.id, $2, $3, g.entries, g.body, g.origins
        FROM unnest($4::int8[], $5::int4[], $6::bytea[], $7::bytea[]) AS g (id, entries, body, origins)
        """,
        parameterTypes: [.int4, .text, .timestamptz, .int8Array, .int4Array, .byteaArray, .byteaArray])

    static let insertUnsealed = PreparedStatement(
        "insert_unsealed",
        """
        INSERT INTO clawgrant.unsealed (group_id, day, body_bytes, priority)
        SELECT g.id, $1, g.bytes, g.priority FROM unnest($2::int8[], $3::int4[], $4::int2[]) AS g (id, bytes, priority)
        """,
        parameterTypes: [.int4, .int8Array, .int4Array, .int2Array])

    static let addToTally = PreparedStatement(
        "add_to_tally",
        """
        INSERT INTO clawgrant.grant_tally
            (job_class, kid, policy_hash, expires_second, grants, live, newest_issued_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::int8[], $5::int8[], $6::int8[], $7::timestamptz[])
        """,
        parameterTypes: [
            .textArray, .textArray, .byteaArray, .int8Array, .int8Array, .int8Array, .timestamptzArray,
        ])

    static let announce = PreparedStatement(
        "announce_groups", "SELECT pg_notify('clawgrant_unsealed', $1)", parameterTypes: [.text])
}
