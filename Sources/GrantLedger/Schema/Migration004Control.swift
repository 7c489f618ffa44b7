extension MigrationText {
    /// The control state: what was declared, what holds because of it, and how far live tokens have been revoked.
    ///
    /// `control_order` rows are added and replaced, never taken away, so that a reader that knows the state at a position
    /// needs the rows with a greater one. `grant_tally` counts grants by what a stop asks for, so that a stop need not
    /// count tokens: decide transactions add rows, the sweeper folds them.
    static let control = """
        CREATE TABLE clawgrant.control_event (
            event_id text PRIMARY KEY,
            position bigint UNIQUE,
            operation text NOT NULL,
            handle text NOT NULL,
            result text NOT NULL,
            event_digest bytea NOT NULL,
            body bytea NOT NULL,
            applied_at timestamptz NOT NULL
        );
        CREATE TRIGGER control_event_append_only BEFORE UPDATE OR DELETE ON clawgrant.control_event
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER control_event_no_truncate BEFORE TRUNCATE ON clawgrant.control_event
            FOR EACH STATEMENT EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE TABLE clawgrant.control_order (
            order_key text PRIMARY KEY,
            position bigint NOT NULL,
            body bytea NOT NULL
        );
        CREATE INDEX control_order_position ON clawgrant.control_order (position);

        CREATE TABLE clawgrant.control_input (
            topic text PRIMARY KEY,
            next_offset bigint NOT NULL
        );

        CREATE TABLE clawgrant.grant_tally (
            job_class text NOT NULL,
            kid text NOT NULL,
            policy_hash bytea,
            expires_second bigint NOT NULL,
            grants bigint NOT NULL,
            live bigint NOT NULL,
            newest_issued_at timestamptz
        );

        CREATE TABLE clawgrant.revocation_run (
            position bigint NOT NULL,
            ordinal int NOT NULL,
            handle text NOT NULL,
            scope_kind text NOT NULL,
            scope_value text,
            part text NOT NULL,
            part_value text,
            cause text NOT NULL,
            detail text NOT NULL,
            issued_before timestamptz NOT NULL,
            cursor_expires_at timestamptz NOT NULL,
            cursor_request_id text NOT NULL DEFAULT '',
            revoked bigint NOT NULL DEFAULT 0,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            PRIMARY KEY (position, ordinal)
        );
        CREATE INDEX revocation_run_open ON clawgrant.revocation_run (position, ordinal) WHERE finished_at IS NULL;
        """
}
