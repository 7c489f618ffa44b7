extension MigrationText {
    /// Day partitions are made ahead of need and leave for the archive schema once everything in them is sealed.
    ///
    /// Both functions run with the rights of the schema's owner, so that a worker needs no right to create tables.
    static let partitions = """
        CREATE SCHEMA IF NOT EXISTS clawgrant_archive;

        CREATE FUNCTION clawgrant.ensure_days(first_day int, last_day int) RETURNS int
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, clawgrant AS $$
        DECLARE
            d int;
            made int := 0;
            parent text;
        BEGIN
            IF last_day - first_day > 400 THEN
                RAISE EXCEPTION 'at most 400 days at once' USING ERRCODE = 'invalid_parameter_value';
            END IF;
            PERFORM pg_advisory_xact_lock(8603001);
            FOR d IN first_day..last_day LOOP
                FOREACH parent IN ARRAY ARRAY['event', 'effect_group'] LOOP
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

        CREATE TABLE clawgrant_archive.approval (LIKE clawgrant.approval);
        CREATE TABLE clawgrant_archive.request (LIKE clawgrant.request);

        CREATE FUNCTION clawgrant.archive_before(before_day int)
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
            FOR part IN
                SELECT c.relname, p.relname AS parent
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
                JOIN pg_namespace n ON n.oid = p.relnamespace
                WHERE n.nspname = 'clawgrant' AND p.relname IN ('event', 'effect_group')
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
        """
}
