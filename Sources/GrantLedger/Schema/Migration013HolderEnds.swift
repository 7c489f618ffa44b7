extension MigrationText {
    /// Ends that name a holder and no approval: an account that was disabled, an eligibility that was removed. They reach
    /// approvals whose own records come later, too. Rows are taken away when records of that age are not taken any more.
    static let holderEnds = """
        CREATE TABLE clawgrant.holder_end (
            subject text NOT NULL,
            occurred_at timestamptz NOT NULL,
            event_key uuid NOT NULL,
            fact_index int NOT NULL,
            body bytea NOT NULL,
            PRIMARY KEY (subject, occurred_at, event_key, fact_index)
        );
        CREATE INDEX holder_end_time ON clawgrant.holder_end (occurred_at);
        """
}
