import ClawWire
import GrantLedger
import Keys
import ReceiptLog

/// Leaves a receipt of each signing key's first use: a key change that nobody sees is how forged evidence begins.
struct KeyRegistration {
    let ledger: any Ledger
    let worker: WorkerID

    /// Records the keys that the ledger does not know.
    ///
    /// The receipts are dated by the ledger's clock: nothing holds the worker's own back here, and by one that is ahead
    /// a key would be put into force after the batch was sealed that says so.
    ///
    /// - Parameter own: the worker's time, which says only whose turn a key's is.
    func register(_ keys: KeyRing, at own: Timestamp) async throws {
        let worker = worker
        for (purpose, written) in Self.purposes {
            for key in keys.acceptedKeys(for: purpose, at: own) where key.isActive {
                let publicKey = key.publicKey
                _ = try await ledger.registerKey(
                    kid: key.kid, purpose: purpose.rawValue, publicKey: publicKey, worker: worker
                ) { now in
                    let receipt = Receipt(
                        content: .keyChanged(
                            Receipt.KeyChange(
                                publicKey: publicKey, purpose: written, change: .activated, effectiveAt: now)),
                        subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: worker), occurredAt: now)
                    return Effect(
                        receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
                }
            }
        }
    }

    /// Keys whose signatures are evidence, with their names in receipts.
    private static let purposes: [(KeyPurpose, Receipt.KeyChange.Purpose)] = [
        (.token, .token), (.receipt, .log), (.envelope, .envelope),
    ]
}
