import Postgres

/// The statements of claims.
enum ClaimStatements {
    static let nonceKey = PreparedStatement("proof_nonce_key", "SELECT key FROM clawgrant.proof_nonce_key")

    /// No row comes back for a proof that was used before. One that is being used waits for that transaction's end.
    static let useProof = PreparedStatement(
        "use_proof",
        """
        INSERT INTO clawgrant.used_proof (proof_digest, expires_at) VALUES ($1, $2)
        ON CONFLICT DO NOTHING RETURNING 1
        """,
        parameterTypes: [.bytea, .timestamptz])

    /// Takes away a few proofs that nobody would take any more, more than one is added by a claim.
    static let forgetProofs = PreparedStatement(
        "forget_proofs",
        """
        DELETE FROM clawgrant.used_proof WHERE proof_digest IN (
            SELECT proof_digest FROM clawgrant.used_proof WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED)
        """)

    static let forgetClaims = PreparedStatement(
        "forget_claims",
        """
        DELETE FROM clawgrant.grant_claim WHERE request_id IN (
            SELECT request_id FROM clawgrant.grant_claim WHERE expires_at < clock_timestamp() - interval '1 day'
            ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED)
        """)

    /// The request, locked against whoever revokes its token.
    static let request = PreparedStatement(
        "claimed_request",
        """
        SELECT \(DecideStatements.loadedRequestColumns), group_id, group_day, group_index,
            group_id IS NULL OR EXISTS (SELECT 1 FROM clawgrant.unsealed u WHERE u.group_id = request.group_id),
            EXISTS (
                SELECT 1 FROM clawgrant.revocation_run r
                WHERE r.finished_at IS NULL AND request.issued_at < r.issued_before
                    AND \(ControlStatements.inScope(kind: "r.scope_kind", value: "r.scope_value"))
                    AND \(ControlStatements.inPart("r.part", value: "r.part_value")))
        FROM clawgrant.request WHERE request_id = $1 FOR UPDATE
        """,
        parameterTypes: [.text])

    /// Read behind the request's lock, in a statement of its own: whoever claims writes under that lock.
    static let earlier = PreparedStatement(
        "earlier_claim", "SELECT claim_key, sealed_to, claimed_at FROM clawgrant.grant_claim WHERE request_id = $1",
        parameterTypes: [.text])

    static let insert = PreparedStatement(
        "insert_claim",
        """
        INSERT INTO clawgrant.grant_claim (request_id, claim_key, sealed_to, claimed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        parameterTypes: [.text, .bytea, .bytea, .timestamptz, .timestamptz])
}
