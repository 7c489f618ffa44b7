import Postgres

/// The statements of leases and roles.
enum LeaseStatements {
    static let renewWorker = PreparedStatement(
        "renew_worker",
        """
        INSERT INTO clawgrant.worker (worker_id, started_at, expires_at)
        VALUES ($1, clock_timestamp(), clock_timestamp() + $2::int8 * interval '1 millisecond')
        ON CONFLICT (worker_id) DO UPDATE SET expires_at = excluded.expires_at
        """,
        parameterTypes: [.text, .int8])

    /// A clock that was set back would keep the dead alive until it has caught up. No lease lasts longer than ten minutes,
    /// so one that ends later was written by that clock: it is cut to the asking worker's lifetime, and whoever lives
    /// renews it.
    static let cutLeasesOfTheFuture = PreparedStatement(
        "cut_leases_of_the_future",
        """
        UPDATE clawgrant.worker SET expires_at = clock_timestamp() + $1::int8 * interval '1 millisecond'
        WHERE expires_at > clock_timestamp() + interval '11 minutes'
        """,
        parameterTypes: [.int8])

    /// A worker that is frozen inside a transaction holds its row locks for as long as its session lives. Its sessions
    /// carry its name, so ending them names exactly its backends and no reused process id.
    ///
    /// A session that was opened after the lease ran out is that of a worker that was late and comes back to renew it.
    /// Ended with the others, before it has got there, it would have to try again against the heartbeats of all others and
    /// might never succeed. It can hold nothing from before; a transaction of its own that stands for longer than a lease is
    /// ended all the same.
    static let endSessionsOfTheDead = PreparedStatement(
        "end_sessions_of_the_dead",
        """
        SELECT pg_terminate_backend(a.pid)
        FROM clawgrant.worker w JOIN pg_stat_activity a ON a.application_name = w.worker_id
        WHERE w.expires_at < clock_timestamp() AND w.worker_id <> $1 AND a.usename = current_user
            AND a.datname = current_database()
            AND (a.backend_start < w.expires_at
                OR a.xact_start < clock_timestamp() - $2::int8 * interval '1 millisecond')
        """,
        parameterTypes: [.text, .int8])

    /// Ends the lives of those that began under the same configured name and have no session left: an identifier is that
    /// name and `-` and eight digits of each start's own. Nobody without a session can have a transaction open, and the
    /// epochs of whatever is taken over refuse what a process commits later that lives after all.
    static let endPredecessors = PreparedStatement(
        "end_predecessors",
        """
        UPDATE clawgrant.worker w SET expires_at = clock_timestamp() - interval '1 millisecond'
        WHERE w.worker_id <> $1 AND w.expires_at >= clock_timestamp()
            AND w.worker_id ~ '-[0-9a-f]{8}$' AND $1 ~ '-[0-9a-f]{8}$' AND left(w.worker_id, -9) = left($1, -9)
            AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.application_name = w.worker_id)
        RETURNING w.worker_id
        """,
        parameterTypes: [.text])

    static let forgetTheDead = PreparedStatement(
        "forget_the_dead",
        """
        DELETE FROM clawgrant.worker w
        WHERE w.expires_at < clock_timestamp() - interval '1 hour'
            AND NOT EXISTS (SELECT 1 FROM clawgrant.input_partition p WHERE p.lease_owner = w.worker_id)
            AND NOT EXISTS (SELECT 1 FROM clawgrant.role_lease r WHERE r.lease_owner = w.worker_id)
        """)

    static let addPartitions = PreparedStatement(
        "add_partitions",
        """
        INSERT INTO clawgrant.input_partition (topic, partition, next_offset)
        SELECT * FROM unnest($1::text[], $2::int4[], $3::int8[]) ON CONFLICT DO NOTHING
        """,
        parameterTypes: [.textArray, .int4Array, .int8Array])

    static let knownPartitions = PreparedStatement(
        "known_partitions", "SELECT topic, partition, next_offset FROM clawgrant.input_partition")

    /// Rows locked by a decide transaction in flight are skipped, not waited for: a heartbeat never blocks.
    static let claimPartitions = PreparedStatement(
        "claim_partitions",
        """
        WITH live AS (
            SELECT worker_id, row_number() OVER (ORDER BY worker_id) - 1 AS rank, count(*) OVER () AS live
            FROM clawgrant.worker WHERE expires_at >= clock_timestamp()
        ), total AS (
            SELECT count(*) AS n FROM clawgrant.input_partition WHERE topic = ANY ($2::text[])
        ), quota AS (
            SELECT total.n / live.live + CASE WHEN live.rank < total.n % live.live THEN 1 ELSE 0 END AS quota
            FROM live, total WHERE live.worker_id = $1
        ), mine AS (
            SELECT count(*) AS n FROM clawgrant.input_partition
            WHERE lease_owner = $1 AND topic = ANY ($2::text[])
        ), free AS (
            SELECT p.topic, p.partition FROM clawgrant.input_partition p
            WHERE p.topic = ANY ($2::text[])
                AND (p.lease_owner IS NULL OR NOT EXISTS (
                    SELECT 1 FROM clawgrant.worker w
                    WHERE w.worker_id = p.lease_owner AND w.expires_at >= clock_timestamp()))
            ORDER BY p.partition, p.topic
            LIMIT greatest(0, (SELECT quota FROM quota) - (SELECT n FROM mine))
            FOR UPDATE SKIP LOCKED
        )
        UPDATE clawgrant.input_partition p SET lease_owner = $1, lease_epoch = p.lease_epoch + 1
        FROM free WHERE p.topic = free.topic AND p.partition = free.partition
        """,
        parameterTypes: [.text, .textArray])

    static let leaseView = PreparedStatement(
        "lease_view",
        """
        SELECT p.topic, p.partition, p.lease_epoch, p.next_offset FROM clawgrant.input_partition p
        WHERE p.lease_owner = $1 AND p.topic = ANY ($2::text[])
        """,
        parameterTypes: [.text, .textArray])

    static let shares = PreparedStatement(
        "lease_shares",
        """
        WITH live AS (
            SELECT worker_id, row_number() OVER (ORDER BY worker_id) - 1 AS rank, count(*) OVER () AS live
            FROM clawgrant.worker WHERE expires_at >= clock_timestamp()
        ), total AS (
            SELECT count(*) AS n FROM clawgrant.input_partition WHERE topic = ANY ($2::text[])
        )
        SELECT live.live, total.n,
            total.n / live.live + CASE WHEN live.rank < total.n % live.live THEN 1 ELSE 0 END AS quota
        FROM live, total WHERE live.worker_id = $1
        """,
        parameterTypes: [.text, .textArray])

    static let releasePartitions = PreparedStatement(
        "release_partitions",
        """
        UPDATE clawgrant.input_partition p SET lease_owner = NULL, lease_epoch = p.lease_epoch + 1
        FROM unnest($2::text[], $3::int4[]) AS r (topic, partition)
        WHERE p.topic = r.topic AND p.partition = r.partition AND p.lease_owner = $1
        """,
        parameterTypes: [.text, .textArray, .int4Array])

    static let releaseAllPartitions = PreparedStatement(
        "release_all_partitions",
        """
        UPDATE clawgrant.input_partition SET lease_owner = NULL, lease_epoch = lease_epoch + 1 WHERE lease_owner = $1
        """,
        parameterTypes: [.text])

    static let releaseRoles = PreparedStatement(
        "release_roles",
        "UPDATE clawgrant.role_lease SET lease_owner = NULL, lease_epoch = lease_epoch + 1 WHERE lease_owner = $1",
        parameterTypes: [.text])

    static let forgetWorker = PreparedStatement(
        "forget_worker", "DELETE FROM clawgrant.worker WHERE worker_id = $1", parameterTypes: [.text])

    static let claimRole = PreparedStatement(
        "claim_role",
        """
        WITH free AS (
            SELECT r.role FROM clawgrant.role_lease r
            WHERE r.role = $1 AND r.lease_owner IS DISTINCT FROM $2
                AND NOT EXISTS (
                    SELECT 1 FROM clawgrant.worker w
                    WHERE w.worker_id = r.lease_owner AND w.expires_at >= clock_timestamp())
            FOR UPDATE SKIP LOCKED
        )
        UPDATE clawgrant.role_lease r SET lease_owner = $2, lease_epoch = r.lease_epoch + 1
        FROM free WHERE r.role = free.role
        """,
        parameterTypes: [.text, .text])

    static let roleHolder = PreparedStatement(
        "role_holder", "SELECT lease_owner, lease_epoch FROM clawgrant.role_lease WHERE role = $1",
        parameterTypes: [.text])
}
