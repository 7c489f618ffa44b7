public import ClawWire
import Postgres

enum LineageStatements {
    /// When the server started and which table the ledger is. The table's number is looked up anew once it was replaced:
    /// plans that hold it depend on the table.
    static let incarnationColumns = "pg_postmaster_start_time(), 'clawgrant.ledger'::regclass::oid::int8"

    static let standing = PreparedStatement(
        "ledger_standing",
        """
        SELECT \(incarnationColumns), (SELECT coalesce(max(number) + 1, 0) FROM clawgrant.receipt_batch),
            (SELECT control_position FROM clawgrant.control_state)
        """)

    static let headerHash = PreparedStatement(
        "batch_header_hash", "SELECT header_hash FROM clawgrant.receipt_batch WHERE number = $1",
        parameterTypes: [.int8])

    static let schemaNumber = PreparedStatement(
        "schema_number", "SELECT coalesce(max(number), 0)::int4 FROM clawgrant.schema_migration")
}

extension PostgresLedger {
    /// Which database this is, and how far its ledger has come.
    public func standing() async throws(LedgerError) -> LedgerStanding {
        let what = "reading how far the ledger has come"
        let rows = try await run(what, [.execute(LineageStatements.standing)])[0]
        do {
            return LedgerStanding(
                incarnation: try LedgerIncarnation(rows, 0, firstColumn: 0), nextBatch: try rows.int64(0, 2),
                controlPosition: try rows.int64(0, 3))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// The digest of a sealed batch's header; `nil` when there is no such batch.
    public func headerHash(ofBatch number: Int64) async throws(LedgerError) -> Digest? {
        let what = "reading the header of batch \(number)"
        let rows = try await run(what, [.execute(LineageStatements.headerHash, Parameters(number))])[0]
        do {
            return rows.rowCount == 0 ? nil : try rows.digest(0, 0)
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// Sees to it that the schema has everything this build works with. A newer one is taken: migrations only add, so
    /// that workers of the version before go on while others are upgraded.
    ///
    /// - Returns: the schema's number.
    /// - Throws: ``LedgerError/Code/schema`` when there is none or an older one.
    @discardableResult
    public func requireSchema() async throws(LedgerError) -> Int32 {
        let what = "reading the schema's number"
        let rows = try await run(what, [.execute(LineageStatements.schemaNumber)])[0]
        let number: Int32
        do {
            number = try rows.int32(0, 0)
        } catch {
            throw Self.translate(error, what)
        }
        guard number >= Migration.latest else {
            throw LedgerError(
                .schema,
                "the schema is \(number) and this build needs \(Migration.latest); run `clawgrant ledger migrate` first"
            )
        }
        return number
    }
}

extension LedgerIncarnation {
    init(_ rows: PostgresResult, _ row: Int, firstColumn: Int) throws(PostgresError) {
        self.init(
            startedAt: try rows.timestampValue(row, firstColumn), table: try rows.int64(row, firstColumn + 1))
    }
}
