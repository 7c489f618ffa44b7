import ClawWire
import GrantLedger
import Keys
import ReceiptLog

/// Leaves a receipt of each signing key's first use: a key change that nobody sees is how forged evidence begins.
struct KeyRegistration {
    let ledger: any Ledger
    let worker: WorkerID

    func register(_ keys: KeyRing, at now: Timestamp) async throws {
        for (purpose, written) in Self.purposes {
            for key in keys.acceptedKeys(for: purpose, at: now) where key.isActive {
                let receipt = Receipt(
                    content: .keyChanged(
                        Receipt.KeyChange(
                            publicKey: key.publicKey, purpose: written, change: .activated,
                            effectiveAt: now)),
                    subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: worker), occurredAt: now)
                let effect = Effect(
                    receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
                _ = try await ledger.registerKey(
                    kid: key.kid, purpose: purpose.rawValue, publicKey: key.publicKey, effect: effect, worker: worker)
            }
        }
    }

    /// Keys whose signatures are evidence, with their names in receipts.
    private static let purposes: [(KeyPurpose, Receipt.KeyChange.Purpose)] = [
        (.token, .token), (.receipt, .log), (.envelope, .envelope),
    ]
}
