import ClawWire
import GrantLedger
import ReceiptLog

/// Turns committed groups into sealed batches: pure but for the signature.
struct BatchSealer: Sendable {
    /// Largest share of a batch record that receipts may take, in bytes, and most receipts.
    static let maximumReceiptBytes = 800_000
    static let maximumReceipts = 1_000

    let logID: LogID
    let signer: any Ed25519Signer

    /// Seals groups in order, as many batches as they need. A group is never divided.
    func seal(_ input: SealInput) throws -> [SealedBatch] {
        var tail = try input.tail.map { try LogTail(parsing: $0) } ?? LogTail(logID: logID)
        guard tail.logID == logID else {
            throw LedgerError(.refused, "the ledger's log is \"\(tail.logID)\" and this worker seals \"\(logID)\"")
        }
        var sequence = input.nextSequence
        var batches: [SealedBatch] = []
        for groups in Self.divide(input.groups) {
            let sealed = try ReceiptBatch.seal(
                receipts: groups.flatMap { $0.effects.map(\.receipt) }, previous: tail, at: input.now, signer: signer)
            tail = sealed.tail
            for group in groups {
                for effect in group.effects {
                    for output in effect.outputs { sequence[Int(output.stream.rawValue)] += 1 }
                }
            }
            sequence[Int(OutputStream.receiptBatches.rawValue)] += 1
            let header = sealed.batch.header
            let root = try LogInclusionProof.SignedRoot(of: header, signer: signer)
            batches.append(
                SealedBatch(
                    number: header.number.value, firstPosition: header.firstPosition.value,
                    lastPosition: header.lastPosition.value, headerHash: sealed.batch.headerHash,
                    header: header.canonicalBytes, signature: sealed.batch.signature,
                    checkpoint: try tail.checkpoint.signed(by: signer).encoded, tail: tail.canonicalBytes,
                    rootSignatures: RootSignatures(root: root.rootSignature, statement: root.statementSignature),
                    groups: groups, nextSequence: sequence, sealedAt: header.sealedAt))
        }
        return batches
    }

    /// What is sealed when there is nothing else, so that silence can be told from absence.
    static func heartbeat(of worker: WorkerID, at now: Timestamp) throws -> Effect {
        let receipt = Receipt(
            content: .heartbeat, subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: worker),
            occurredAt: now)
        return Effect(receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
    }

    static func divide(_ groups: [EffectGroup]) -> [[EffectGroup]] {
        var divided: [[EffectGroup]] = []
        var current: [EffectGroup] = []
        var bytes = 0
        var receipts = 0
        for group in groups {
            let size = group.effects.reduce(0) { $0 + $1.receipt.count }
            if !current.isEmpty,
                bytes + size > maximumReceiptBytes || receipts + group.effects.count > maximumReceipts
            {
                divided.append(current)
                current = []
                bytes = 0
                receipts = 0
            }
            current.append(group)
            bytes += size
            receipts += group.effects.count
        }
        if !current.isEmpty { divided.append(current) }
        return divided
    }
}
