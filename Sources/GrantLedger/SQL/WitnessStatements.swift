import Postgres

/// The statements of cosigned checkpoints.
enum WitnessStatements {
    private static let columns = "tree_size, witness, key_id, cosigned_at, signature, stored_at"

    /// Two commands that store at once must not both find that theirs is the next of a witness.
    static let lock = PreparedStatement("witness_lock", "SELECT pg_advisory_xact_lock(8603003)")

    static let newest = PreparedStatement(
        "newest_checkpoint",
        "SELECT number + 1, checkpoint, sealed_at FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1")

    static let newestCosigned = PreparedStatement(
        "newest_cosigned_checkpoint",
        """
        SELECT number + 1, checkpoint, sealed_at FROM clawgrant.receipt_batch
        WHERE number = (SELECT max(tree_size) - 1 FROM clawgrant.checkpoint_cosignature)
        """)

    static let ofSize = PreparedStatement(
        "checkpoint_of_size",
        "SELECT number + 1, checkpoint, sealed_at FROM clawgrant.receipt_batch WHERE number = $1 - 1",
        parameterTypes: [.int8])

    static let cosignatures = PreparedStatement(
        "cosignatures_of_size",
        """
        SELECT \(columns) FROM clawgrant.checkpoint_cosignature WHERE tree_size = $1
        ORDER BY witness, key_id, cosigned_at
        """,
        parameterTypes: [.int8])

    static let newestOfWitnesses = PreparedStatement(
        "newest_cosignatures",
        """
        SELECT DISTINCT ON (witness, key_id) \(columns) FROM clawgrant.checkpoint_cosignature
        ORDER BY witness, key_id, tree_size DESC, cosigned_at DESC
        """)

    static let sealing = PreparedStatement(
        "sealing_of_size",
        "SELECT sealed_at, clock_timestamp() FROM clawgrant.receipt_batch WHERE number = $1 - 1",
        parameterTypes: [.int8])

    static let insert = PreparedStatement(
        "insert_cosignatures",
        """
        INSERT INTO clawgrant.checkpoint_cosignature (\(columns))
        SELECT $1, c.*, $6 FROM unnest($2::text[], $3::bytea[], $4::timestamptz[], $5::bytea[])
            AS c (witness, key_id, cosigned_at, signature)
        """,
        parameterTypes: [.int8, .textArray, .byteaArray, .timestamptzArray, .byteaArray, .timestamptz])
}
