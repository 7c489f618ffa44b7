import Postgres

/// The statements of sealing and publishing.
enum SealStatements {
    static let batchColumns = """
        number, first_position, last_position, header_hash, header, signature, checkpoint, tail, group_ids, \
        group_days, next_sequence, sealed_at, root_signature, statement_signature
        """

    /// The time, and which database this is.
    static let clock = PreparedStatement(
        "seal_clock", "SELECT clock_timestamp(), \(LineageStatements.incarnationColumns)")

    static let tail = PreparedStatement(
        "log_tail",
        "SELECT number, tail, next_sequence FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1")

    static let unsealedGroups = PreparedStatement(
        "unsealed_groups",
        """
        SELECT g.group_id, g.day, g.body, g.origins
        FROM (SELECT priority, group_id, day, sum(body_bytes) OVER (ORDER BY priority, group_id) - body_bytes AS before
            FROM (SELECT priority, group_id, day, body_bytes FROM clawgrant.unsealed
                ORDER BY priority, group_id LIMIT $1) first) u
        JOIN clawgrant.effect_group g ON g.day = u.day AND g.group_id = u.group_id
        WHERE u.before < $2 OR u.priority = 0
        ORDER BY u.priority, g.group_id
        """,
        parameterTypes: [.int8, .int8])

    static let insertBatch = PreparedStatement(
        "insert_receipt_batch",
        """
        INSERT INTO clawgrant.receipt_batch (\(batchColumns))
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        parameterTypes: [
            .int8, .int8, .int8, .bytea, .bytea, .bytea, .text, .bytea, .int8Array, .int4Array, .int8Array,
            .timestamptz, .bytea, .bytea,
        ])

    static let deleteUnsealed = PreparedStatement(
        "delete_unsealed", "DELETE FROM clawgrant.unsealed WHERE group_id = ANY ($1::int8[])",
        parameterTypes: [.int8Array])

    static let batches = PreparedStatement(
        "receipt_batches",
        "SELECT \(batchColumns) FROM clawgrant.receipt_batch WHERE number >= $1 ORDER BY number LIMIT $2",
        parameterTypes: [.int8, .int8])

    static let groups = PreparedStatement(
        "effect_groups",
        """
        SELECT g.group_id, g.day, g.body, g.origins
        FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (day, group_id, place)
        JOIN clawgrant.effect_group g ON g.day = k.day AND g.group_id = k.group_id ORDER BY k.place
        """,
        parameterTypes: [.int4Array, .int8Array])

    static let publishPosition = PreparedStatement(
        "publish_position", "SELECT next_batch, read_from::text FROM clawgrant.publish_position WHERE lane = $1",
        parameterTypes: [.text])

    static let setPublishPosition = PreparedStatement(
        "set_publish_position",
        """
        UPDATE clawgrant.publish_position
        SET next_batch = $1, read_from = $2::text::jsonb, updated_at = clock_timestamp()
        WHERE lane = $6 AND next_batch <= $1 AND EXISTS (
            SELECT 1 FROM clawgrant.role_lease WHERE role = $3 AND lease_owner = $4 AND lease_epoch = $5)
        """,
        parameterTypes: [.int8, .text, .text, .text, .int8, .text])
}
