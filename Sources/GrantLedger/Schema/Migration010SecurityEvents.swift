extension MigrationText {
    /// How far security events have come at each sink. `next_position` is the first receipt of the log that the sink may
    /// not have; it moves only behind what a delivery returned for, under the role's lease. `first_position` is where the
    /// sink began. `is_reported` is set while a finding about the present failures stands in the log, so that there is
    /// one when they begin and one when they end, whichever worker is in charge.
    static let securityEvents = """
        INSERT INTO clawgrant.role_lease (role) VALUES ('security_events');

        CREATE TABLE clawgrant.security_event_sink (
            name text PRIMARY KEY,
            first_position bigint NOT NULL,
            next_position bigint NOT NULL,
            delivered_at timestamptz,
            failures int NOT NULL DEFAULT 0,
            failing_since timestamptz,
            failed_at timestamptz,
            failure text,
            is_reported boolean NOT NULL DEFAULT false,
            skipped bigint NOT NULL DEFAULT 0
        ) WITH (fillfactor = 50);
        """
}
