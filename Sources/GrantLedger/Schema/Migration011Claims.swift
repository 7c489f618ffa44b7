extension MigrationText {
    /// Claims of tokens that were delivered by reference, one for each request; proofs of possession that were used, by
    /// digest, until they are too old to be taken anyway; and the key that nonces for proofs are made with, which all
    /// workers share.
    ///
    /// The receipts are the record of claims: a row is taken away a day after its token has expired.
    static let claims = """
        CREATE TABLE clawgrant.grant_claim (
            request_id text PRIMARY KEY,
            claim_key bytea NOT NULL,
            sealed_to bytea,
            claimed_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX grant_claim_expiry ON clawgrant.grant_claim (expires_at);
        CREATE TRIGGER grant_claim_no_change BEFORE UPDATE ON clawgrant.grant_claim
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE TABLE clawgrant.used_proof (
            proof_digest bytea PRIMARY KEY,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX used_proof_expiry ON clawgrant.used_proof (expires_at);

        CREATE TABLE clawgrant.proof_nonce_key (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            key bytea NOT NULL
        );
        INSERT INTO clawgrant.proof_nonce_key (key) VALUES (
            decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
        """
}
