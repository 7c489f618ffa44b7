extension MigrationText {
    /// The log's two signatures under a batch's root by the compatible rule (a batch that was sealed before has none), and
    /// what is remembered of cut-offs and revoked tokens until they are over.
    ///
    /// `cutoff.ends_at` is when the last token that it voids has expired, null for one that is never over. Tokens are ended
    /// in the order of their expiry; `revocation_end` says how far.
    static let signedRootsAndEnds = """
        ALTER TABLE clawgrant.receipt_batch ADD COLUMN root_signature bytea;
        ALTER TABLE clawgrant.receipt_batch ADD COLUMN statement_signature bytea;

        CREATE TABLE clawgrant.cutoff (
            record_key text PRIMARY KEY,
            position bigint NOT NULL,
            ends_at timestamptz,
            ended_at timestamptz
        );
        CREATE INDEX cutoff_end ON clawgrant.cutoff (ends_at, record_key) WHERE ended_at IS NULL;

        CREATE TABLE clawgrant.revocation_end (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            expires_at timestamptz NOT NULL DEFAULT to_timestamp(0),
            request_id text NOT NULL DEFAULT ''
        );
        INSERT INTO clawgrant.revocation_end DEFAULT VALUES;
        """
}
