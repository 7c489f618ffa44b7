extension MigrationText {
    /// Usage: gateways' receipts that were counted, by signer and receipt id; sums by job; findings, each once; and how
    /// far the topic of gateway receipts was read.
    static let usage = """
        INSERT INTO clawgrant.role_lease (role) VALUES ('usage');

        CREATE TABLE clawgrant.usage_input (
            topic text NOT NULL,
            partition int NOT NULL,
            next_offset bigint NOT NULL,
            PRIMARY KEY (topic, partition)
        ) WITH (fillfactor = 50);

        CREATE TABLE clawgrant.gateway_receipt (
            receipt_key bytea PRIMARY KEY,
            payload_hash bytea NOT NULL,
            signer_did text NOT NULL,
            receipt_id text NOT NULL,
            job_id text,
            request_id text,
            run_id text,
            provider text NOT NULL,
            model text NOT NULL,
            input_tokens bigint NOT NULL,
            output_tokens bigint NOT NULL,
            called_at timestamptz NOT NULL,
            counted_at timestamptz NOT NULL,
            topic text NOT NULL,
            partition int NOT NULL,
            record_offset bigint NOT NULL
        );
        CREATE INDEX gateway_receipt_job ON clawgrant.gateway_receipt (job_id, called_at) WHERE job_id IS NOT NULL;
        CREATE TRIGGER gateway_receipt_append_only BEFORE UPDATE OR DELETE ON clawgrant.gateway_receipt
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE TABLE clawgrant.gateway_run (
            run_id text NOT NULL,
            job_id text NOT NULL,
            PRIMARY KEY (run_id, job_id)
        );

        CREATE TABLE clawgrant.job_usage (
            job_id text PRIMARY KEY,
            job_class text NOT NULL,
            body bytea NOT NULL,
            updated_at timestamptz NOT NULL
        ) WITH (fillfactor = 70);
        CREATE INDEX job_usage_class ON clawgrant.job_usage (job_class, job_id);

        CREATE TABLE clawgrant.finding (
            finding_key bytea PRIMARY KEY,
            code text NOT NULL,
            severity text NOT NULL,
            job_id text,
            request_id text,
            about text NOT NULL,
            detail text NOT NULL,
            raised_at timestamptz NOT NULL
        );
        CREATE INDEX finding_job ON clawgrant.finding (job_id, raised_at) WHERE job_id IS NOT NULL;
        CREATE TRIGGER finding_append_only BEFORE UPDATE OR DELETE ON clawgrant.finding
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE INDEX request_scope_hash ON clawgrant.request (scope_hash) WHERE scope_hash IS NOT NULL;
        CREATE INDEX request_job ON clawgrant.request (job_id, expires_at) WHERE scope_hash IS NOT NULL;
        """
}
