import Postgres

extension PostgresLedger {
    private static let batchOfPosition = PreparedStatement(
        "batch_of_position",
        """
        SELECT number FROM clawgrant.receipt_batch WHERE first_position <= $1 ORDER BY first_position DESC LIMIT 1
        """,
        parameterTypes: [.int8])

    /// See ``SecurityEventLedger/batch(holding:)``.
    public func batch(holding position: Int64) async throws(LedgerError) -> Int64? {
        do {
            return try await pool.withConnection { connection in
                let rows = try await connection.execute(Self.batchOfPosition, Parameters(position))
                return rows.rowCount == 0 ? nil : try rows.int64(0, 0)
            }
        } catch {
            throw Self.translate(error, "finding the batch of position \(position)")
        }
    }
}
