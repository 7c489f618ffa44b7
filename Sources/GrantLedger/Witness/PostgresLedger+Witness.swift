import ClawWire
import Postgres
public import ReceiptLog

extension PostgresLedger: WitnessLedger {
    /// See ``WitnessLedger/checkpoint(_:)``.
    public func checkpoint(_ choice: CheckpointChoice) async throws(LedgerError) -> StoredCheckpoint? {
        let what = "reading a checkpoint"
        let step: PipelineStep
        switch choice {
        case .newest: step = .execute(WitnessStatements.newest)
        case .newestCosigned: step = .execute(WitnessStatements.newestCosigned)
        case .size(let size):
            guard size > 0, let size = Int64(exactly: size) else { return nil }
            step = .execute(WitnessStatements.ofSize, Parameters(size))
        }
        do {
            let rows = try await run(what, [step])[0]
            guard rows.rowCount == 1 else { return nil }
            let size = try rows.int64(0, 0)
            let sealed = try Self.note(try rows.string(0, 1), of: size)
            let stored = try await run(what, [.execute(WitnessStatements.cosignatures, Parameters(size))])[0]
            return StoredCheckpoint(
                size: UInt64(size), sealed: sealed, sealedAt: try rows.timestampValue(0, 2),
                cosignatures: try Self.cosignatures(stored))
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``WitnessLedger/newestCosignatures()``.
    public func newestCosignatures() async throws(LedgerError) -> [StoredCosignature] {
        let what = "reading the newest cosignatures"
        do {
            return try Self.cosignatures(try await run(what, [.execute(WitnessStatements.newestOfWitnesses)])[0])
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``WitnessLedger/store(_:)``.
    public func store(_ checkpoint: CosignedCheckpoint) async throws -> [CheckpointCosignature] {
        let size = Int64(clamping: checkpoint.sealed.checkpoint.size)
        let what = "storing cosignatures of checkpoint \(size)"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    // A statement that waits for the lock has its view from before; those behind it see what was stored.
                    _ = try await transaction.run([.execute(WitnessStatements.lock)])
                    let results = try await transaction.run([
                        .execute(WitnessStatements.sealing, Parameters(size)),
                        .execute(WitnessStatements.cosignatures, Parameters(size)),
                        .execute(WitnessStatements.newestOfWitnesses),
                    ])
                    guard results[0].rowCount == 1 else {
                        throw LedgerError(.refused, "the ledger has sealed no checkpoint of size \(size)")
                    }
                    let sealedAt = try results[0].timestampValue(0, 0)
                    let now = try results[0].timestampValue(0, 1)
                    let stored = try Self.cosignatures(results[1]) + Self.cosignatures(results[2])
                    var known = stored.map(\.cosignature)
                    var new: [CheckpointCosignature] = []
                    for cosignature in checkpoint.cosignatures {
                        guard
                            try CosignatureOrder.isNew(cosignature, among: known, sealedAt: sealedAt, now: now)
                        else { continue }
                        known.append(cosignature)
                        new.append(cosignature)
                    }
                    guard !new.isEmpty else {
                        _ = try await transaction.commit(with: [])
                        return []
                    }
                    var rows = Parameters(size)
                    rows.append(column: new) { $0.witness }
                    rows.append(column: new) { $0.keyID }
                    rows.append(column: new) { $0.cosignedAt.postgres }
                    rows.append(column: new) { $0.signature }
                    rows.append(now.postgres)
                    _ = try await transaction.commit(with: [.execute(WitnessStatements.insert, rows)])
                    return new
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    private static func note(_ text: String, of size: Int64) throws(LedgerError) -> SignedNote {
        do {
            return try SignedNote(parsing: text)
        } catch {
            throw corrupted("the checkpoint of size \(size)")
        }
    }

    private static func cosignatures(_ rows: PostgresResult) throws -> [StoredCosignature] {
        try (0..<rows.rowCount).map { row in
            StoredCosignature(
                cosignature: CheckpointCosignature(
                    size: UInt64(clamping: try rows.int64(row, 0)), witness: try rows.string(row, 1),
                    keyID: try rows.bytes(row, 2), cosignedAt: try rows.timestampValue(row, 3),
                    signature: try rows.bytes(row, 4)),
                storedAt: try rows.timestampValue(row, 5))
        }
    }
}
