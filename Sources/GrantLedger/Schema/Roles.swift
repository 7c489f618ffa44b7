/// The database roles of a least-privilege installation, as SQL for an administrator to run.
///
/// `clawgrant_owner` owns the schema and runs migrations, `clawgrant_worker` is what workers connect as,
/// `clawgrant_auditor` reads. Login roles are made by the site and granted one of them.
public enum LedgerRoles {
    /// Creates the roles and the schemas; idempotent. Run by a superuser or a role with CREATEROLE in the database.
    public static let bootstrap = """
        DO $$
        DECLARE r text;
        BEGIN
            FOREACH r IN ARRAY ARRAY['clawgrant_owner', 'clawgrant_worker', 'clawgrant_auditor'] LOOP
                IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
                    EXECUTE format('CREATE ROLE %I NOLOGIN', r);
                END IF;
            END LOOP;
            EXECUTE format('GRANT CREATE ON DATABASE %I TO clawgrant_owner', current_database());
        END $$;
        CREATE SCHEMA IF NOT EXISTS clawgrant AUTHORIZATION clawgrant_owner;
        CREATE SCHEMA IF NOT EXISTS clawgrant_archive AUTHORIZATION clawgrant_owner;
        """

    /// Grants each role what it needs and nothing else; idempotent. Run by the schema's owner after migrations.
    public static let grants = """
        REVOKE ALL ON SCHEMA clawgrant, clawgrant_archive FROM PUBLIC;
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA clawgrant FROM PUBLIC;
        GRANT USAGE ON SCHEMA clawgrant TO clawgrant_worker, clawgrant_auditor;
        GRANT USAGE ON SCHEMA clawgrant_archive TO clawgrant_auditor;
        GRANT SELECT ON ALL TABLES IN SCHEMA clawgrant TO clawgrant_worker, clawgrant_auditor;
        GRANT SELECT ON ALL TABLES IN SCHEMA clawgrant_archive TO clawgrant_auditor;
        GRANT INSERT ON clawgrant.event, clawgrant.effect_group, clawgrant.receipt_batch, clawgrant.signing_key,
            clawgrant.work_policy_contract TO clawgrant_worker;
        GRANT INSERT, UPDATE ON clawgrant.approval, clawgrant.request, clawgrant.input_partition
            TO clawgrant_worker;
        GRANT INSERT ON clawgrant.control_event TO clawgrant_worker;
        GRANT INSERT, UPDATE ON clawgrant.control_order, clawgrant.control_input, clawgrant.revocation_run,
            clawgrant.cutoff TO clawgrant_worker;
        GRANT DELETE ON clawgrant.control_order TO clawgrant_worker;
        GRANT INSERT, DELETE ON clawgrant.grant_tally TO clawgrant_worker;
        GRANT INSERT ON clawgrant.gateway_receipt, clawgrant.gateway_receipt_name, clawgrant.gateway_run,
            clawgrant.finding, clawgrant.checkpoint_cosignature TO clawgrant_worker;
        GRANT INSERT, UPDATE ON clawgrant.usage_input, clawgrant.job_usage TO clawgrant_worker;
        GRANT INSERT, UPDATE, DELETE ON clawgrant.dead_letter TO clawgrant_worker;
        GRANT INSERT, DELETE ON clawgrant.holder_end TO clawgrant_worker;
        GRANT INSERT ON clawgrant.approval_name TO clawgrant_worker;
        GRANT INSERT, UPDATE ON clawgrant.source_health TO clawgrant_worker;
        GRANT INSERT, UPDATE ON clawgrant.confirmation TO clawgrant_worker;
        GRANT INSERT ON clawgrant.confirmation_read TO clawgrant_worker;
        GRANT INSERT, UPDATE, DELETE ON clawgrant.grant_claim, clawgrant.used_proof TO clawgrant_worker;
        REVOKE SELECT ON clawgrant.proof_nonce_key FROM clawgrant_auditor;
        GRANT INSERT, UPDATE ON clawgrant.security_event_sink TO clawgrant_worker;
        GRANT UPDATE ON clawgrant.publish_position, clawgrant.role_lease, clawgrant.control_state,
            clawgrant.revocation_end TO clawgrant_worker;
        GRANT INSERT, DELETE ON clawgrant.unsealed TO clawgrant_worker;
        GRANT INSERT, UPDATE, DELETE ON clawgrant.worker TO clawgrant_worker;
        GRANT INSERT ON clawgrant.ledger TO clawgrant_worker;
        GRANT USAGE ON SEQUENCE clawgrant.effect_group_id TO clawgrant_worker;
        GRANT EXECUTE ON FUNCTION clawgrant.ensure_days(int, int) TO clawgrant_worker;
        """
}
