import Postgres

/// The statements of confirmations.
enum ConfirmationStatements {
    /// What was refuted stays refuted; everything else is asked about at once when its source says more.
    static let want = PreparedStatement(
        "want_confirmations",
        """
        INSERT INTO clawgrant.confirmation AS c (approval_id, source, wanted_at, due_at)
        SELECT w.approval_id, w.source, $3, $3 FROM unnest($1::text[], $2::text[]) AS w (approval_id, source)
        ON CONFLICT (approval_id, source) DO UPDATE SET due_at = $3, attempts = 0,
            wanted_at = CASE WHEN c.due_at IS NULL THEN $3 ELSE c.wanted_at END,
            state = CASE WHEN c.state = 'over' THEN 'waiting' ELSE c.state END
        WHERE c.state <> 'contradicted'
        """,
        parameterTypes: [.textArray, .textArray, .timestamptz])

    static let settle = PreparedStatement(
        "settle_confirmations",
        """
        UPDATE clawgrant.confirmation c SET state = s.state, why = s.why, answer_digest = s.digest, due_at = s.due_at,
            attempts = 0
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[])
            AS s (approval_id, source, state, why, digest, due_at)
        WHERE c.approval_id = s.approval_id AND c.source = s.source
        """,
        parameterTypes: [.textArray, .textArray, .textArray, .textArray, .byteaArray, .timestamptzArray])

    static let due = PreparedStatement(
        "due_confirmations",
        """
        SELECT c.approval_id, c.source, c.state, c.attempts, c.wanted_at, c.answer_digest, a.state,
            a.outcome IS NOT NULL, clock_timestamp()
        FROM clawgrant.confirmation c JOIN clawgrant.approval a ON a.approval_id = c.approval_id
        WHERE c.due_at <= clock_timestamp() ORDER BY c.due_at LIMIT $1
        """,
        parameterTypes: [.int8])

    static let waiting = PreparedStatement(
        "waiting_confirmations",
        "SELECT count(*) FROM clawgrant.confirmation WHERE due_at IS NOT NULL AND state = 'waiting'")

    static let record = PreparedStatement(
        "record_confirmation_reads",
        """
        INSERT INTO clawgrant.confirmation_read
            (approval_id, source, result, why, answer_digest, request_ids, asked_at, answered_at)
        SELECT r.approval_id, r.source, r.result, r.why, r.digest, string_to_array(r.request_ids, E'\\x1f'), r.asked_at,
            r.answered_at
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[],
            $8::timestamptz[]) WITH ORDINALITY
            AS r (approval_id, source, result, why, digest, request_ids, asked_at, answered_at, place)
        ORDER BY r.place RETURNING read_id
        """,
        parameterTypes: [
            .textArray, .textArray, .textArray, .textArray, .byteaArray, .textArray, .timestamptzArray,
            .timestamptzArray,
        ])

    static let delay = PreparedStatement(
        "delay_confirmations",
        """
        UPDATE clawgrant.confirmation c SET why = d.why, attempts = c.attempts + d.attempt,
            due_at = clock_timestamp() + d.milliseconds * interval '1 millisecond',
            state = CASE WHEN d.milliseconds IS NULL THEN 'over' ELSE c.state END
        FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::int4[])
            AS d (approval_id, source, milliseconds, why, attempt)
        WHERE c.approval_id = d.approval_id AND c.source = d.source
        """,
        parameterTypes: [.textArray, .textArray, .int8Array, .textArray, .int4Array])

    /// A finding that is known is no new one.
    static let insertFindings = PreparedStatement(
        "insert_new_findings",
        """
        INSERT INTO clawgrant.finding (finding_key, code, severity, job_id, request_id, about, detail, raised_at)
        SELECT f.finding_key, f.code, f.severity, NULL, NULL, f.about, f.detail, $6
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[])
            AS f (finding_key, code, severity, about, detail)
        ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.byteaArray, .textArray, .textArray, .textArray, .textArray, .timestamptz])
}
