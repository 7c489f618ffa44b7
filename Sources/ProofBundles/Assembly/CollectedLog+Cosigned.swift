public import ReceiptLog

extension CollectedLog {
    /// The same with cosignatures of witnesses under its checkpoint.
    ///
    /// - Parameter checkpoint: a note of the same checkpoint with further signature lines; whether witnesses' own
    ///   signatures stand is for those to check who know them.
    /// - Throws: ``EvidenceError`` `consistency_invalid` when the note is of another checkpoint: a split view.
    public func cosigned(_ checkpoint: SignedNote) throws(EvidenceError) -> CollectedLog {
        let merged = try self.checkpoint.note.adding(signaturesOf: checkpoint)
        for signer in signers {
            guard let verified = try? VerifiedCheckpoint(merged, logKey: signer, logID: logID) else { continue }
            return CollectedLog(
                logID: logID, signers: signers, checkpoint: verified, receiptCount: receiptCount, sealedAt: sealedAt,
                batches: batches, receipts: receipts, leftOut: leftOut)
        }
        throw EvidenceError(
            .signerUnknown, "checkpoint", "none of the keys that signed batches of \(logID) has signed its checkpoint")
    }
}
