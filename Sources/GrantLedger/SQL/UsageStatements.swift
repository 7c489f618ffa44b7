import Postgres

/// The statements of usage: each works on a whole batch.
enum UsageStatements {
    static let openInput = PreparedStatement(
        "open_usage_input",
        """
        INSERT INTO clawgrant.usage_input (topic, partition, next_offset)
        SELECT $1, * FROM unnest($2::int4[], $3::int8[]) ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.text, .int4Array, .int8Array])

    static let inputOffsets = PreparedStatement(
        "usage_input_offsets", "SELECT partition, next_offset FROM clawgrant.usage_input WHERE topic = $1",
        parameterTypes: [.text])

    static let advanceInput = PreparedStatement(
        "advance_usage_input",
        """
        UPDATE clawgrant.usage_input i SET next_offset = f.to_offset
        FROM unnest($2::int4[], $3::int8[], $4::int8[]) AS f (partition, from_offset, to_offset)
        WHERE i.topic = $1 AND i.partition = f.partition AND i.next_offset = f.from_offset
        """,
        parameterTypes: [.text, .int4Array, .int8Array, .int8Array])

    /// Waits for what the reader of the topic has in hand, and keeps it from the next.
    static let lockReader = PreparedStatement(
        "lock_usage_reader", "SELECT lease_epoch FROM clawgrant.role_lease WHERE role = 'usage' FOR UPDATE")

    static let now = PreparedStatement(
        "usage_now",
        """
        SELECT clock_timestamp(), control_position, (SELECT before_day FROM clawgrant.gateway_receipt_horizon)
        FROM clawgrant.control_state
        """)

    static let elapsed = PreparedStatement(
        "elapsed_wall_times",
        """
        SELECT job_id FROM clawgrant.job_usage
        WHERE wall_ends_at IS NOT NULL AND wall_ends_at <= clock_timestamp() ORDER BY wall_ends_at, job_id LIMIT $1
        """,
        parameterTypes: [.int8])

    /// A job that was looked at is not looked at again for the same end, also when nothing comes of it.
    static let clearElapsed = PreparedStatement(
        "clear_elapsed_wall_times",
        "UPDATE clawgrant.job_usage SET wall_ends_at = NULL WHERE job_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    static let noteApprovalBudgets = PreparedStatement(
        "note_approval_budgets",
        "UPDATE clawgrant.control_state SET has_approval_budgets = true WHERE NOT has_approval_budgets")

    static let known = PreparedStatement(
        "known_gateway_receipts",
        """
        SELECT receipt_key, payload_hash FROM clawgrant.gateway_receipt_name WHERE receipt_key = ANY ($1::bytea[])
        """,
        parameterTypes: [.byteaArray])

    static let raised = PreparedStatement(
        "raised_findings", "SELECT finding_key FROM clawgrant.finding WHERE finding_key = ANY ($1::bytea[])",
        parameterTypes: [.byteaArray])

    /// The jobs of the batch: those of its scope hashes, and those that are looked at although nothing was received.
    private static let jobsOfScopes = """
        SELECT job_id FROM clawgrant.request WHERE scope_hash = ANY ($1::bytea[]) UNION SELECT unnest($2::text[])
        """

    /// The tokens of the batch's scope hashes, and the live ones of their jobs: a job that runs every day for years must
    /// not cost more each day.
    private static let requestsOfScopes = """
        SELECT request_id FROM clawgrant.request WHERE scope_hash = ANY ($1::bytea[])
        UNION
        SELECT request_id FROM clawgrant.request
        WHERE scope_hash IS NOT NULL AND expires_at > clock_timestamp() AND job_id IN (\(jobsOfScopes))
        """

    static let tokens = PreparedStatement(
        "tokens_of_scopes",
        """
        SELECT \(DecideStatements.loadedRequestColumns) FROM clawgrant.request
        WHERE request_id IN (\(requestsOfScopes)) ORDER BY issued_at, request_id
        """,
        parameterTypes: [.byteaArray, .textArray])

    static let usage = PreparedStatement(
        "usage_of_scopes",
        "SELECT job_id, body FROM clawgrant.job_usage WHERE job_id IN (\(jobsOfScopes))",
        parameterTypes: [.byteaArray, .textArray])

    static let approvals = PreparedStatement(
        "approvals_of_scopes",
        """
        SELECT approval_id, state FROM clawgrant.approval
        WHERE approval_id IN (
            SELECT unnest(approvals) FROM clawgrant.request WHERE request_id IN (\(requestsOfScopes)))
        """,
        parameterTypes: [.byteaArray, .textArray])

    static let runs = PreparedStatement(
        "known_runs", "SELECT run_id, job_id FROM clawgrant.gateway_run WHERE run_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    /// In the order in which decide transactions lock requests.
    static let lockTokens = PreparedStatement(
        "lock_tokens",
        """
        SELECT \(DecideStatements.loadedRequestColumns) FROM clawgrant.request
        WHERE request_id = ANY ($1::text[]) ORDER BY request_id FOR UPDATE
        """,
        parameterTypes: [.textArray])

    /// Without ON CONFLICT: a name that another transaction counted takes the whole batch back.
    static let insertNames = PreparedStatement(
        "insert_gateway_receipt_names",
        """
        INSERT INTO clawgrant.gateway_receipt_name (receipt_key, payload_hash, called_day)
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int4[])
        """,
        parameterTypes: [.byteaArray, .byteaArray, .int4Array])

    static let insertReceipts = PreparedStatement(
        "insert_gateway_receipts",
        """
        INSERT INTO clawgrant.gateway_receipt (day, receipt_key, payload_hash, signer_did, receipt_id, job_id, request_id,
            run_id, provider, model, input_tokens, output_tokens, called_at, counted_at, topic, partition, record_offset)
        SELECT $17, r.receipt_key, r.payload_hash, r.signer_did, r.receipt_id, r.job_id, r.request_id, r.run_id,
            r.provider, r.model, r.input_tokens, r.output_tokens, r.called_at, $15, $16, r.partition, r.record_offset
        FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::int8[], $11::int8[], $12::timestamptz[], $13::int4[], $14::int8[])
            AS r (receipt_key, payload_hash, signer_did, receipt_id, job_id, request_id, run_id, provider, model,
                input_tokens, output_tokens, called_at, partition, record_offset)
        """,
        parameterTypes: [
            .byteaArray, .byteaArray, .textArray, .textArray, .textArray, .textArray, .textArray, .textArray,
            .textArray, .int8Array, .int8Array, .timestamptzArray, .int4Array, .int8Array, .timestamptz, .text, .int4,
        ])

    static let insertRuns = PreparedStatement(
        "insert_gateway_runs",
        """
        INSERT INTO clawgrant.gateway_run (run_id, job_id) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.textArray, .textArray])

    static let putUsage = PreparedStatement(
        "put_job_usage",
        """
        INSERT INTO clawgrant.job_usage (job_id, job_class, body, updated_at, wall_ends_at)
        SELECT u.job_id, u.job_class, u.body, $4, u.wall_ends_at
        FROM unnest($1::text[], $2::text[], $3::bytea[], $5::timestamptz[])
            AS u (job_id, job_class, body, wall_ends_at)
        ON CONFLICT (job_id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at,
            wall_ends_at = excluded.wall_ends_at
        """,
        parameterTypes: [.textArray, .textArray, .byteaArray, .timestamptz, .timestamptzArray])

    static let insertFindings = PreparedStatement(
        "insert_findings",
        """
        INSERT INTO clawgrant.finding (finding_key, code, severity, job_id, request_id, about, detail, raised_at)
        SELECT f.*, $8 FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
            AS f (finding_key, code, severity, job_id, request_id, about, detail)
        """,
        parameterTypes: [
            .byteaArray, .textArray, .textArray, .textArray, .textArray, .textArray, .textArray, .timestamptz,
        ])

    static let receiptsOfJob = PreparedStatement(
        "gateway_receipts_of_job",
        """
        SELECT signer_did, receipt_id, payload_hash, topic, partition, record_offset, request_id, called_at
        FROM clawgrant.gateway_receipt WHERE job_id = $1 ORDER BY called_at, receipt_key LIMIT $2
        """,
        parameterTypes: [.text, .int8])

    static let jobsOfClass = PreparedStatement(
        "jobs_of_class",
        """
        SELECT job_id FROM (
            SELECT job_id, max(issued_at) AS at FROM clawgrant.request
            WHERE scope_hash IS NOT NULL AND job_class = $1 GROUP BY job_id) jobs
        ORDER BY at DESC LIMIT $2
        """,
        parameterTypes: [.text, .int8])

    static let tokensOfJobs = PreparedStatement(
        "tokens_of_jobs",
        """
        SELECT \(DecideStatements.loadedRequestColumns) FROM clawgrant.request
        WHERE scope_hash IS NOT NULL AND job_id = ANY ($1::text[]) ORDER BY issued_at, request_id
        """,
        parameterTypes: [.textArray])

    static let usageOfJobs = PreparedStatement(
        "usage_of_jobs", "SELECT job_id, body FROM clawgrant.job_usage WHERE job_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    static let approvalsOfJobs = PreparedStatement(
        "approvals_of_jobs",
        """
        SELECT approval_id, state FROM clawgrant.approval
        WHERE approval_id IN (
            SELECT unnest(approvals) FROM clawgrant.request
            WHERE scope_hash IS NOT NULL AND job_id = ANY ($1::text[]))
        """,
        parameterTypes: [.textArray])

    static let modelsOfJobs = PreparedStatement(
        "models_of_jobs",
        """
        SELECT job_id, provider, model, count(*), sum(input_tokens)::int8, sum(output_tokens)::int8
        FROM clawgrant.gateway_receipt WHERE job_id = ANY ($1::text[])
        GROUP BY job_id, provider, model ORDER BY job_id, count(*) DESC, provider, model
        """,
        parameterTypes: [.textArray])

    static let findingsOfJobs = PreparedStatement(
        "findings_of_jobs",
        """
        SELECT job_id, code, severity, about, detail, raised_at FROM clawgrant.finding
        WHERE job_id = ANY ($1::text[]) ORDER BY raised_at, code LIMIT 10000
        """,
        parameterTypes: [.textArray])
}
