extension MigrationText {
    /// Tables. Times are `timestamptz`; days are days since 1970-01-01; digests are 32 raw bytes.
    ///
    /// Bodies are written once, in `effect_group`; every other table holds keys, states and digests. `effect_group.body`
    /// is stored outside the row, compressed where the server has LZ4: what that costs is less than what it saves in
    /// rows and log. PostgreSQL's own compression would cost more than it saves, so without LZ4 there is none.
    static let ledger = """
        CREATE TABLE clawgrant.ledger (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            log_id text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );

        CREATE TABLE clawgrant.control_state (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            control_position bigint NOT NULL DEFAULT 0,
            polled_at timestamptz NOT NULL DEFAULT now()
        );
        INSERT INTO clawgrant.control_state DEFAULT VALUES;

        CREATE TABLE clawgrant.worker (
            worker_id text PRIMARY KEY,
            started_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        ) WITH (fillfactor = 50);

        CREATE TABLE clawgrant.input_partition (
            topic text NOT NULL,
            partition int NOT NULL,
            next_offset bigint NOT NULL,
            lease_epoch bigint NOT NULL DEFAULT 0,
            lease_owner text,
            PRIMARY KEY (topic, partition)
        ) WITH (fillfactor = 50);

        CREATE TABLE clawgrant.role_lease (
            role text PRIMARY KEY,
            lease_epoch bigint NOT NULL DEFAULT 0,
            lease_owner text
        ) WITH (fillfactor = 50);
        INSERT INTO clawgrant.role_lease (role) VALUES ('sealer'), ('sweeper'), ('control'), ('revoker');

        CREATE TABLE clawgrant.event (
            day int NOT NULL,
            event_key uuid NOT NULL,
            record_digest bytea NOT NULL,
            PRIMARY KEY (day, event_key)
        ) PARTITION BY RANGE (day);

        CREATE TABLE clawgrant.approval (
            approval_id text PRIMARY KEY,
            state bytea NOT NULL,
            subject text,
            ticket text,
            used_by text[] NOT NULL DEFAULT '{}',
            outcome text,
            close_at timestamptz,
            updated_at timestamptz NOT NULL
        ) WITH (fillfactor = 80);
        ALTER TABLE clawgrant.approval ALTER COLUMN state SET STORAGE MAIN;
        CREATE INDEX approval_subject ON clawgrant.approval (subject) WHERE subject IS NOT NULL;
        CREATE INDEX approval_ticket ON clawgrant.approval (ticket) WHERE ticket IS NOT NULL;
        CREATE INDEX approval_close ON clawgrant.approval (close_at) WHERE outcome IS NULL AND close_at IS NOT NULL;

        CREATE TABLE clawgrant.request (
            request_id text PRIMARY KEY,
            state smallint NOT NULL,
            job_id text NOT NULL,
            job_class text NOT NULL,
            agent_did text NOT NULL,
            approval_ref text,
            ticket_ref text,
            subject_ref text,
            body bytea,
            received_at timestamptz NOT NULL,
            wait_until timestamptz,
            decided_at timestamptz,
            approvals text[] NOT NULL DEFAULT '{}',
            token_hash bytea,
            token_id text,
            scope_hash bytea,
            kid text,
            issued_at timestamptz,
            expires_at timestamptz,
            scope text[],
            control_scopes text[],
            is_elevated boolean,
            revoked_at timestamptz,
            revoked_reason text,
            group_id bigint,
            group_day int,
            group_index int
        ) WITH (fillfactor = 80);
        CREATE INDEX request_waiting_approval ON clawgrant.request (approval_ref)
            WHERE state = 0 AND approval_ref IS NOT NULL;
        CREATE INDEX request_waiting_ticket ON clawgrant.request (ticket_ref)
            WHERE state = 0 AND ticket_ref IS NOT NULL;
        CREATE INDEX request_waiting_subject ON clawgrant.request (subject_ref)
            WHERE state = 0 AND subject_ref IS NOT NULL;
        CREATE INDEX request_waiting_until ON clawgrant.request (wait_until) WHERE state = 0;
        CREATE INDEX request_live ON clawgrant.request (expires_at, request_id)
            WHERE expires_at IS NOT NULL AND revoked_at IS NULL;
        CREATE INDEX request_revoked ON clawgrant.request (expires_at, request_id) WHERE revoked_at IS NOT NULL;

        CREATE SEQUENCE clawgrant.effect_group_id AS bigint;
        CREATE TABLE clawgrant.effect_group (
            day int NOT NULL,
            group_id bigint NOT NULL DEFAULT nextval('clawgrant.effect_group_id'),
            worker_id text NOT NULL,
            created_at timestamptz NOT NULL,
            entries int NOT NULL CHECK (entries > 0),
            body bytea NOT NULL,
            PRIMARY KEY (day, group_id)
        ) PARTITION BY RANGE (day);
        DO $$ BEGIN
            ALTER TABLE clawgrant.effect_group ALTER COLUMN body SET STORAGE EXTENDED;
            EXECUTE 'ALTER TABLE clawgrant.effect_group ALTER COLUMN body SET COMPRESSION lz4';
        EXCEPTION WHEN feature_not_supported OR syntax_error THEN
            ALTER TABLE clawgrant.effect_group ALTER COLUMN body SET STORAGE EXTERNAL;
        END $$;

        CREATE TABLE clawgrant.unsealed (
            group_id bigint PRIMARY KEY,
            day int NOT NULL,
            body_bytes int NOT NULL,
            priority smallint NOT NULL
        );
        CREATE INDEX unsealed_order ON clawgrant.unsealed (priority, group_id);

        CREATE TABLE clawgrant.receipt_batch (
            number bigint PRIMARY KEY CHECK (number >= 0),
            first_position bigint NOT NULL,
            last_position bigint NOT NULL CHECK (last_position >= first_position),
            header_hash bytea NOT NULL,
            header bytea NOT NULL,
            signature bytea NOT NULL,
            checkpoint text NOT NULL,
            tail bytea NOT NULL,
            group_ids bigint[] NOT NULL,
            group_days int[] NOT NULL,
            next_sequence bigint[] NOT NULL,
            sealed_at timestamptz NOT NULL
        );
        CREATE UNIQUE INDEX receipt_batch_first_position ON clawgrant.receipt_batch (first_position);

        CREATE TABLE clawgrant.publish_position (
            lane text PRIMARY KEY,
            next_batch bigint NOT NULL DEFAULT 0,
            read_from jsonb NOT NULL DEFAULT '[]',
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        INSERT INTO clawgrant.publish_position (lane) VALUES ('main'), ('control');

        CREATE TABLE clawgrant.signing_key (
            kid text PRIMARY KEY,
            purpose text NOT NULL,
            public_key bytea NOT NULL,
            first_used_at timestamptz NOT NULL
        );

        CREATE TABLE clawgrant.work_policy_contract (
            policy_hash bytea PRIMARY KEY,
            envelope bytea NOT NULL,
            verified_at timestamptz NOT NULL
        );
        """
}
