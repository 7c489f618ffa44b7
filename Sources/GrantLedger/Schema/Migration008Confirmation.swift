extension MigrationText {
    /// Approvals that wait for the vendor's own answer, by approval and source, and the answers that changed something.
    ///
    /// `confirmation.due_at` is when the vendor is asked next, null for never again; `answer_digest` is that of the
    /// last
    /// answer that counted. `confirmation_read` is evidence: receipts name its rows.
    static let confirmation = """
        INSERT INTO clawgrant.role_lease (role) VALUES ('confirmer');

        CREATE TABLE clawgrant.confirmation (
            approval_id text NOT NULL REFERENCES clawgrant.approval (approval_id) ON DELETE CASCADE,
            source text NOT NULL,
            state text NOT NULL DEFAULT 'waiting',
            wanted_at timestamptz NOT NULL,
            due_at timestamptz,
            attempts int NOT NULL DEFAULT 0,
            why text,
            answer_digest bytea,
            PRIMARY KEY (approval_id, source)
        ) WITH (fillfactor = 70);
        CREATE INDEX confirmation_due ON clawgrant.confirmation (due_at) WHERE due_at IS NOT NULL;

        CREATE TABLE clawgrant.confirmation_read (
            read_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            approval_id text NOT NULL,
            source text NOT NULL,
            result text NOT NULL,
            why text NOT NULL,
            answer_digest bytea NOT NULL,
            request_ids text[] NOT NULL,
            asked_at timestamptz NOT NULL,
            answered_at timestamptz NOT NULL
        );
        CREATE INDEX confirmation_read_approval ON clawgrant.confirmation_read (approval_id, read_id);
        CREATE TRIGGER confirmation_read_append_only BEFORE UPDATE OR DELETE ON clawgrant.confirmation_read
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        """
}
