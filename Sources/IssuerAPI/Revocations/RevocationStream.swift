import ClawWire
import GrantLedger
import ReceiptLog

/// Reads the revocations stream out of the ledger's sealed batches, in either direction.
struct RevocationStream: Sendable {
    /// Records from a place on.
    struct Page: Sendable {
        /// Records in the order that was asked for.
        let records: [StreamedRevocation]
        /// Where to go on: the place behind the last record, or before it where it is read backwards.
        let next: Int64
        /// True when nothing stands there.
        let isComplete: Bool
    }

    let ledger: any LiveTokenLedger

    /// Records from a place on, oldest first, without a gap.
    ///
    /// - Throws: ``LedgerError``; with code `refused` when they have left for the archive.
    func page(from sequence: Int64, limit: Int) async throws(LedgerError) -> Page {
        var records: [StreamedRevocation] = []
        var next = sequence
        while records.count < limit {
            guard let batch = try await ledger.revocationBatch(holding: next) else {
                return Page(records: records, next: next, isComplete: true)
            }
            let found = try await ledger.revocations(in: batch).filter { $0.sequence >= next }
            records += found.prefix(limit - records.count)
            next = (records.last?.sequence ?? next) + 1
        }
        return Page(records: records, next: next, isComplete: false)
    }

    /// Revoked tokens before a place, newest first; cut-offs and ends are passed over. What has left for the archive ends
    /// the stream, as expiry does in the reference.
    ///
    /// - Parameter end: the place; `nil` for the newest.
    func tokens(before end: Int64?, limit: Int) async throws(LedgerError) -> Page {
        var records: [StreamedRevocation] = []
        var next: Int64
        if let end { next = end } else { next = try await ledger.revocationMarks().nextSequence }
        while next > 0 {
            guard let batch = try await ledger.revocationBatch(holding: next - 1) else { break }
            let found: [StreamedRevocation]
            do {
                found = try await ledger.revocations(in: batch)
            } catch  where error.code == .refused {
                break
            }
            for record in found.reversed() where record.sequence < next {
                if record.value != nil, RevocationKey(record.key).map(Self.isToken) ?? false { records.append(record) }
                next = record.sequence
                if records.count == limit { return Page(records: records, next: next, isComplete: next == 0) }
            }
        }
        return Page(records: records, next: 0, isComplete: true)
    }

    private static func isToken(_ key: RevocationKey) -> Bool {
        switch key {
        case .token: true
        case .cutoff, .head: false
        }
    }
}
