import ClawWire
import GrantLedger
import Keys
import ReceiptLog

/// Leaves a receipt of each signing key's first use: a key change that nobody sees is how forged evidence begins.
struct KeyRegistration {
    let ledger: any Ledger
    let worker: WorkerID

    func register(_ keys: KeyRing, at now: Timestamp) async throws {
        for purpose in KeyPurpose.allCases {
            for key in keys.acceptedKeys(for: purpose, at: now) where key.isActive {
                let receipt = Receipt(
                    content: .keyChanged(
                        Receipt.KeyChange(
                            publicKey: key.publicKey, purpose: Self.receiptPurpose(purpose), change: .activated,
                            effectiveAt: now)),
                    subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: worker), occurredAt: now)
                let effect = Effect(
                    receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
                _ = try await ledger.registerKey(
                    kid: key.kid, purpose: purpose.rawValue, publicKey: key.publicKey, effect: effect, worker: worker)
            }
        }
    }

    private static func receiptPurpose(_ purpose: KeyPurpose) -> Receipt.KeyChange.Purpose {
        switch purpose {
        case .token: .token
        case .receipt: .log
        case .envelope: .envelope
        }
    }
}
