import ClawWire
import GrantLedger
import GrantWorker
import ProofBundles
import ReceiptLog

/// The newest checkpoint that witnesses have cosigned, as what a run is proven to.
enum CosignedLog {
    /// Reads it from the ledger.
    static func newest(_ file: ConfigurationFile) async throws -> StoredCheckpoint {
        let found = try await LedgerAccess.ledger(file) { try await $0.checkpoint(.newestCosigned) }
        guard let found else {
            throw CommandFailure.negative(
                "no checkpoint has a stored cosignature",
                remedy: "bring one with `clawgrant checkpoint store FILE`, or leave --cosigned out")
        }
        return found
    }

    /// Puts its cosignatures under the checkpoint that the topic gave.
    static func apply(_ stored: StoredCheckpoint, to log: CollectedLog) throws -> CollectedLog {
        guard log.checkpoint.checkpoint.size == stored.size else {
            throw CommandFailure.negative(
                "witnesses cosigned checkpoint \(stored.size), and the topic gives only checkpoint "
                    + "\(log.checkpoint.checkpoint.size)",
                remedy: "wait until the worker has published it")
        }
        return try log.cosigned(stored.note)
    }
}
