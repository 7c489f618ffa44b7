extension MigrationText {
    /// Budgets seen when a token is asked for, gateway receipts by day, and cosignatures of witnesses.
    ///
    /// `control_state.has_approval_budgets` tells decide transactions, which read that row in any case, whether the sum of
    /// any job carries a budget that an approval gave. `job_usage.wall_ends_at` is when a job is to be looked at although
    /// nothing is received of it.
    ///
    /// `gateway_receipt` is partitioned by the day on which a receipt was counted, which is never a day that is over, and its
    /// days leave for the archive as others do. What makes a receipt unique stays in `gateway_receipt_name`, which has no days: a repeat may come with
    /// another time. Names leave too, once `gateway_receipt_horizon` says that receipts of their day are not counted any
    /// more; the day is that of the gateway's signed time, so that a repeat of the same receipt is known by its age.
    static let limits = """
        ALTER TABLE clawgrant.control_state ADD COLUMN has_approval_budgets boolean NOT NULL DEFAULT false;
        UPDATE clawgrant.control_state SET has_approval_budgets = EXISTS (
            SELECT 1 FROM clawgrant.job_usage WHERE position('"budget"' IN convert_from(body, 'UTF8')) > 0);

        ALTER TABLE clawgrant.job_usage ADD COLUMN wall_ends_at timestamptz;
        CREATE INDEX job_usage_wall_end ON clawgrant.job_usage (wall_ends_at, job_id) WHERE wall_ends_at IS NOT NULL;

        ALTER TABLE clawgrant.gateway_receipt RENAME TO gateway_receipt_undivided;
        ALTER INDEX clawgrant.gateway_receipt_pkey RENAME TO gateway_receipt_undivided_pkey;
        ALTER INDEX clawgrant.gateway_receipt_job RENAME TO gateway_receipt_undivided_job;

        CREATE TABLE clawgrant.gateway_receipt (
            day int NOT NULL,
            receipt_key bytea NOT NULL,
            payload_hash bytea NOT NULL,
            signer_did text NOT NULL,
            receipt_id text NOT NULL,
            job_id text,
            request_id text,
            run_id text,
            provider text NOT NULL,
            model text NOT NULL,
            input_tokens bigint NOT NULL,
            output_tokens bigint NOT NULL,
            called_at timestamptz NOT NULL,
            counted_at timestamptz NOT NULL,
            topic text NOT NULL,
            partition int NOT NULL,
            record_offset bigint NOT NULL,
            PRIMARY KEY (day, receipt_key)
        ) PARTITION BY RANGE (day);
        CREATE INDEX gateway_receipt_job ON clawgrant.gateway_receipt (job_id, called_at) WHERE job_id IS NOT NULL;
        CREATE TRIGGER gateway_receipt_append_only BEFORE UPDATE OR DELETE ON clawgrant.gateway_receipt
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE TABLE clawgrant.gateway_receipt_name (
            receipt_key bytea PRIMARY KEY,
            payload_hash bytea NOT NULL,
            called_day int NOT NULL
        );
        CREATE TRIGGER gateway_receipt_name_append_only BEFORE UPDATE ON clawgrant.gateway_receipt_name
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();

        CREATE TABLE clawgrant.gateway_receipt_horizon (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            before_day int NOT NULL DEFAULT -2147483648
        );
        INSERT INTO clawgrant.gateway_receipt_horizon DEFAULT VALUES;

        CREATE OR REPLACE FUNCTION clawgrant.ensure_days(first_day int, last_day int) RETURNS int
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, clawgrant AS $$
        DECLARE
            d int;
            made int := 0;
            parent text;
            today int := floor(extract(epoch FROM clock_timestamp()) / 86400);
        BEGIN
            IF last_day - first_day > 400 THEN
                RAISE EXCEPTION 'at most 400 days at once' USING ERRCODE = 'invalid_parameter_value';
            END IF;
            PERFORM pg_advisory_xact_lock(8603001);
            FOR d IN first_day..last_day LOOP
                FOREACH parent IN ARRAY ARRAY['event', 'effect_group', 'gateway_receipt'] LOOP
                    CONTINUE WHEN parent = 'gateway_receipt' AND d < today;
                    IF to_regclass(format('clawgrant.%I', parent || '_d' || d)) IS NULL
                        AND to_regclass(format('clawgrant_archive.%I', parent || '_d' || d)) IS NULL THEN
                        EXECUTE format('CREATE TABLE clawgrant.%I PARTITION OF clawgrant.%I FOR VALUES FROM (%s) TO (%s)',
                            parent || '_d' || d, parent, d, d + 1);
                        made := made + 1;
                    END IF;
                END LOOP;
            END LOOP;
            RETURN made;
        END $$;

        DO $$
        DECLARE d int;
        BEGIN
            FOR d IN SELECT DISTINCT floor(extract(epoch FROM counted_at) / 86400)::int
                FROM clawgrant.gateway_receipt_undivided
            LOOP
                EXECUTE format('CREATE TABLE clawgrant.%I PARTITION OF clawgrant.gateway_receipt '
                    || 'FOR VALUES FROM (%s) TO (%s)', 'gateway_receipt_d' || d, d, d + 1);
            END LOOP;
        END $$;
        INSERT INTO clawgrant.gateway_receipt SELECT floor(extract(epoch FROM counted_at) / 86400)::int, u.*
            FROM clawgrant.gateway_receipt_undivided u;
        INSERT INTO clawgrant.gateway_receipt_name
            SELECT receipt_key, payload_hash, floor(extract(epoch FROM called_at) / 86400)::int
            FROM clawgrant.gateway_receipt_undivided;
        DROP TABLE clawgrant.gateway_receipt_undivided;

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
            RETURN NEXT;
        END $$;

        CREATE TABLE clawgrant.checkpoint_cosignature (
            tree_size bigint NOT NULL CHECK (tree_size > 0),
            witness text NOT NULL,
            key_id bytea NOT NULL,
            cosigned_at timestamptz NOT NULL,
            signature bytea NOT NULL,
            stored_at timestamptz NOT NULL,
            PRIMARY KEY (tree_size, witness, key_id, cosigned_at)
        );
        CREATE INDEX checkpoint_cosignature_witness
            ON clawgrant.checkpoint_cosignature (witness, key_id, tree_size, cosigned_at);
        CREATE TRIGGER checkpoint_cosignature_append_only BEFORE UPDATE OR DELETE ON clawgrant.checkpoint_cosignature
            FOR EACH ROW EXECUTE FUNCTION clawgrant.refuse_change();
        CREATE TRIGGER checkpoint_cosignature_no_truncate BEFORE TRUNCATE ON clawgrant.checkpoint_cosignature
            FOR EACH STATEMENT EXECUTE FUNCTION clawgrant.refuse_change();
        """
}
