extension MigrationText {
    /// Dead letters by where their record stands, with what became of them. Reason, digest and place of the receipt stand
    /// here; the excerpt stays with the receipt in its group of effects. `requested_at` is set while a redrive waits for
    /// a worker, `detail` when a redrive was refused for a newer reason than the receipt's.
    ///
    /// Rows are taken away when the topic of dead letters has forgotten them too: the receipts remain.
    ///
    /// Sources that are watched: when each was heard last, and what is counted of it.
    static let deadLettersAndHealth = """
        INSERT INTO clawgrant.role_lease (role) VALUES ('redriver');

        CREATE TABLE clawgrant.dead_letter (
            topic text NOT NULL,
            partition int NOT NULL,
            record_offset bigint NOT NULL,
            source text NOT NULL,
            code text NOT NULL,
            detail text,
            value_digest bytea NOT NULL,
            value_bytes bigint NOT NULL,
            set_aside_at timestamptz NOT NULL,
            group_day int NOT NULL,
            group_id bigint NOT NULL,
            group_index int NOT NULL,
            state smallint NOT NULL DEFAULT 0,
            hops int NOT NULL DEFAULT 0,
            requested_at timestamptz,
            requested_by text,
            tried_at timestamptz,
            outcome text,
            PRIMARY KEY (topic, partition, record_offset)
        ) WITH (fillfactor = 90);
        CREATE INDEX dead_letter_time ON clawgrant.dead_letter (set_aside_at, topic, partition, record_offset);
        CREATE INDEX dead_letter_open ON clawgrant.dead_letter (source) WHERE state = 0;
        CREATE INDEX dead_letter_wanted ON clawgrant.dead_letter (requested_at) WHERE requested_at IS NOT NULL;

        CREATE TABLE clawgrant.source_health (
            source text PRIMARY KEY,
            seen_at timestamptz,
            body bytea NOT NULL DEFAULT ''
        ) WITH (fillfactor = 50);
        """
}
