import Postgres

/// The statements of dead letters.
enum DeadLetterStatements {
    static let columns = """
        d.topic, d.partition, d.record_offset, d.source, d.code, d.detail, d.value_digest, d.value_bytes, \
        d.set_aside_at, d.state, d.hops, d.requested_at, d.requested_by, d.tried_at, d.outcome
        """

    /// A record has one dead letter, so a second one changes nothing.
    static let insert = PreparedStatement(
        "insert_dead_letters",
        """
        INSERT INTO clawgrant.dead_letter (topic, partition, record_offset, source, code, value_digest, value_bytes,
            group_id, group_index, set_aside_at, group_day)
        SELECT d.*, $10, $11 FROM unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::text[], $6::bytea[],
            $7::int8[], $8::int8[], $9::int4[])
            AS d (topic, partition, record_offset, source, code, value_digest, value_bytes, group_id, group_index)
        ON CONFLICT DO NOTHING
        """,
        parameterTypes: [
            .textArray, .int4Array, .int8Array, .textArray, .textArray, .byteaArray, .int8Array, .int8Array, .int4Array,
            .timestamptz, .int4,
        ])

    static let list = PreparedStatement(
        "list_dead_letters",
        """
        SELECT \(columns) FROM clawgrant.dead_letter d
        WHERE ($1::text IS NULL OR d.source = $1) AND ($2::text IS NULL OR d.code = $2)
            AND ($3::text IS NULL OR d.topic = $3) AND ($4::int4 IS NULL OR d.partition = $4)
            AND ($5::int8 IS NULL OR d.record_offset >= $5) AND ($6::int8 IS NULL OR d.record_offset <= $6)
            AND ($7::timestamptz IS NULL OR d.set_aside_at >= $7)
            AND ($8::timestamptz IS NULL OR d.set_aside_at < $8) AND ($9::int2 IS NULL OR d.state = $9)
        ORDER BY d.set_aside_at DESC, d.topic DESC, d.partition DESC, d.record_offset DESC LIMIT $10
        """,
        parameterTypes: [.text, .text, .text, .int4, .int8, .int8, .timestamptz, .timestamptz, .int2, .int8])

    static let show = PreparedStatement(
        "show_dead_letter",
        """
        SELECT \(columns), d.group_day, d.group_id, d.group_index FROM clawgrant.dead_letter d
        WHERE d.topic = $1 AND d.partition = $2 AND d.record_offset = $3
        """,
        parameterTypes: [.text, .int4, .int8])

    private static let keys = "unnest($1::text[], $2::int4[], $3::int8[]) AS k (topic, partition, record_offset)"
    private static let isKey =
        "d.topic = k.topic AND d.partition = k.partition AND d.record_offset = k.record_offset"

    static let request = PreparedStatement(
        "request_redrives",
        """
        UPDATE clawgrant.dead_letter d SET requested_at = clock_timestamp(), requested_by = $4
        FROM \(keys)
        WHERE \(isKey) AND d.state = 0 AND d.requested_at IS NULL AND d.hops < $5
        RETURNING d.topic, d.partition, d.record_offset
        """,
        parameterTypes: [.textArray, .int4Array, .int8Array, .text, .int4])

    static let byKeys = PreparedStatement(
        "dead_letters_by_key", "SELECT \(columns) FROM clawgrant.dead_letter d JOIN \(keys) ON \(isKey)",
        parameterTypes: [.textArray, .int4Array, .int8Array])

    static let wanted = PreparedStatement(
        "wanted_redrives",
        """
        SELECT \(columns) FROM clawgrant.dead_letter d
        WHERE d.requested_at IS NOT NULL ORDER BY d.requested_at LIMIT $1
        """,
        parameterTypes: [.int8])

    /// A dead letter whose redrive is wanted; whoever gives it up waits for the transaction that decides it.
    static let lockWanted = PreparedStatement(
        "lock_wanted_redrive",
        """
        SELECT \(columns), clock_timestamp() FROM clawgrant.dead_letter d
        WHERE d.topic = $1 AND d.partition = $2 AND d.record_offset = $3 AND d.state = 0 AND d.requested_at IS NOT NULL
        FOR UPDATE
        """,
        parameterTypes: [.text, .int4, .int8])

    /// The same for a transaction that keeps the stop lock: it waits for nobody who is about to give the dead letter
    /// up.
    static let lockFreeWanted = PreparedStatement(
        "lock_free_wanted_redrive",
        """
        SELECT \(columns), clock_timestamp() FROM clawgrant.dead_letter d
        WHERE d.topic = $1 AND d.partition = $2 AND d.record_offset = $3 AND d.state = 0 AND d.requested_at IS NOT NULL
        FOR UPDATE SKIP LOCKED
        """,
        parameterTypes: [.text, .int4, .int8])

    static let lock = PreparedStatement(
        "lock_dead_letter",
        """
        SELECT \(columns), clock_timestamp() FROM clawgrant.dead_letter d
        WHERE d.topic = $1 AND d.partition = $2 AND d.record_offset = $3 FOR UPDATE
        """,
        parameterTypes: [.text, .int4, .int8])

    static let settle = PreparedStatement(
        "settle_dead_letter",
        """
        UPDATE clawgrant.dead_letter d SET state = $4, hops = d.hops + $5, outcome = $6, code = coalesce($7, d.code),
            detail = coalesce($8, d.detail), tried_at = $9, requested_at = NULL, requested_by = NULL
        WHERE d.topic = $1 AND d.partition = $2 AND d.record_offset = $3
        """,
        parameterTypes: [.text, .int4, .int8, .int2, .int4, .text, .text, .text, .timestamptz])

    static let open = PreparedStatement(
        "open_dead_letters",
        "SELECT d.source, count(*) FROM clawgrant.dead_letter d WHERE d.state = 0 GROUP BY d.source")

    static let prune = PreparedStatement(
        "prune_dead_letters",
        """
        DELETE FROM clawgrant.dead_letter
        WHERE (topic, partition, record_offset) IN (
            SELECT d.topic, d.partition, d.record_offset FROM clawgrant.dead_letter d
            WHERE d.set_aside_at < clock_timestamp() - $1::int8 * interval '1 second' AND d.requested_at IS NULL
            ORDER BY d.set_aside_at LIMIT $2)
        """,
        parameterTypes: [.int8, .int8])
}
