extension MigrationText {
    /// By what else an end may name an approval: who asked, who approved, and what more than one subject or assignment it
    /// has. Builds from before write none: an approval gets its names when it changes.
    ///
    /// Names of approvals that are archived go with them; the function is the one of the migration `limits_and_witnesses`
    /// with that statement added.
    static let approvalNames = """
        CREATE TABLE clawgrant.approval_name (
            name text NOT NULL,
            approval_id text NOT NULL,
            PRIMARY KEY (name, approval_id)
        );

        CREATE OR REPLACE FUNCTION clawgrant.archive_before(before_day int)
            RETURNS TABLE (partitions int, approvals bigint, requests bigint)
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, clawgrant AS $$
        DECLARE
            part record;
            cutoff timestamptz := to_timestamp(before_day::bigint * 86400);
        BEGIN
            PERFORM pg_advisory_xact_lock(8603001);
            partitions := 0;
            IF EXISTS (SELECT 1 FROM clawgrant.unsealed u WHERE u.day < before_day) THEN
                RAISE EXCEPTION 'receipts of a day before % are not sealed yet', before_day
                    USING ERRCODE = 'object_in_use';
            END IF;
            IF EXISTS (
                SELECT 1 FROM clawgrant.receipt_batch b, unnest(b.group_days) d
                WHERE d < before_day AND b.number >= (SELECT min(next_batch) FROM clawgrant.publish_position)
            ) THEN
                RAISE EXCEPTION 'receipts of a day before % are not published yet', before_day
                    USING ERRCODE = 'object_in_use';
            END IF;
            PERFORM 1 FROM clawgrant.role_lease l WHERE l.role = 'usage' FOR UPDATE;
            UPDATE clawgrant.gateway_receipt_horizon h SET before_day = archive_before.before_day
                WHERE h.before_day < archive_before.before_day;
            DELETE FROM clawgrant.gateway_receipt_name n WHERE n.called_day < archive_before.before_day;
            FOR part IN
                SELECT c.relname, p.relname AS parent
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
                JOIN pg_namespace n ON n.oid = p.relnamespace
                WHERE n.nspname = 'clawgrant' AND p.relname IN ('event', 'effect_group', 'gateway_receipt')
                    AND substring(c.relname FROM '_d([0-9]+)$')::int < before_day
            LOOP
                EXECUTE format('ALTER TABLE clawgrant.%I DETACH PARTITION clawgrant.%I', part.parent, part.relname);
                EXECUTE format('ALTER TABLE clawgrant.%I SET SCHEMA clawgrant_archive', part.relname);
                partitions := partitions + 1;
            END LOOP;
            WITH moved AS (
                DELETE FROM clawgrant.request r
                WHERE r.state <> 0 AND r.decided_at < cutoff AND coalesce(r.expires_at, r.decided_at) < cutoff
                RETURNING r.*
            ), kept AS (INSERT INTO clawgrant_archive.request SELECT * FROM moved RETURNING 1)
            SELECT count(*) INTO requests FROM kept;
            WITH moved AS (
                DELETE FROM clawgrant.approval a
                WHERE a.outcome IS NOT NULL AND a.updated_at < cutoff
                    AND NOT EXISTS (SELECT 1 FROM clawgrant.request r WHERE r.request_id = ANY (a.used_by))
                RETURNING a.*
            ), kept AS (INSERT INTO clawgrant_archive.approval SELECT * FROM moved RETURNING 1)
            SELECT count(*) INTO approvals FROM kept;
            DELETE FROM clawgrant.approval_name n
                WHERE NOT EXISTS (SELECT 1 FROM clawgrant.approval a WHERE a.approval_id = n.approval_id);
            RETURN NEXT;
        END $$;
        """
}
