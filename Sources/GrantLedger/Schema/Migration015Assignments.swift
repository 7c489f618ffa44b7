extension MigrationText {
    /// By which an approval is found where an end names neither it nor the person's identifier: the principal name of its
    /// subject, and the assignment that it led to. Builds from before leave both empty until the approval changes.
    ///
    /// A run that told the revocation of a token which the ledger never issued remembers when the revocation was declared
    /// (`told_unknown_at`), and when its record was ended. The two indexes by hash answer whether a token is known without
    /// looking through all tokens and all runs.
    static let assignments = """
        ALTER TABLE clawgrant.approval ADD COLUMN principal_name text;
        ALTER TABLE clawgrant.approval ADD COLUMN assignment text;
        ALTER TABLE clawgrant_archive.approval ADD COLUMN principal_name text;
        ALTER TABLE clawgrant_archive.approval ADD COLUMN assignment text;
        CREATE INDEX approval_principal_name ON clawgrant.approval (principal_name) WHERE principal_name IS NOT NULL;
        CREATE INDEX approval_assignment ON clawgrant.approval (assignment) WHERE assignment IS NOT NULL;
        CREATE INDEX request_revoked_token ON clawgrant.request (token_hash) WHERE revoked_at IS NOT NULL;
        ALTER TABLE clawgrant.revocation_run ADD COLUMN told_unknown_at timestamptz;
        ALTER TABLE clawgrant.revocation_run ADD COLUMN unknown_ended_at timestamptz;
        CREATE INDEX revocation_run_token ON clawgrant.revocation_run (scope_value, position, ordinal)
            WHERE scope_kind = 'token_hash';
        CREATE INDEX revocation_run_unknown ON clawgrant.revocation_run (told_unknown_at, position, ordinal)
            WHERE told_unknown_at IS NOT NULL AND unknown_ended_at IS NULL;
        """
}
