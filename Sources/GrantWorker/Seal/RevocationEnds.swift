import ClawWire
import GrantLedger
import ReceiptLog

/// Makes the receipt and the records by which readers of the revocations topic, and its compaction, forget what is over.
enum RevocationEnds {
    /// Time between two looks at what may be over.
    static let interval: Duration = .seconds(5)
    /// Most of one receipt, which names them all.
    static let maximumTokens = 150
    static let maximumCutoffs = 8

    static func effect(_ ended: EndedRevocations, by worker: WorkerID) throws -> Effect {
        let cutoffs = try ended.cutoffs.map { text in
            guard let key = RevocationKey(Array(text.utf8)), case .cutoff = key else {
                throw LedgerError(.corrupted, "\(text.prefix(64)) in clawgrant.cutoff is no key of a cut-off")
            }
            return key
        }
        let end = RevocationEnd(
            keys: cutoffs + ended.tokens.map { .token($0) }, expiredBefore: ended.expiredBefore)
        let receipt = Receipt(
            content: .revocationsEnded(end), subject: Receipt.Subject(),
            provenance: Receipt.Provenance(workerID: worker), occurredAt: ended.now)
        return Effect(
            receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue,
            // A record without a value.
            outputs: end.keys.map { OutputRecord(stream: .revocations, key: $0.bytes, value: []) })
    }
}
