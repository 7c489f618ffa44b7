import ClawWire
import GrantLedger
import GrantWorker
import ReceiptLog
import SecurityEvents

/// A sealed batch as events.
struct EventBatch: Sendable {
    /// Positions of its receipts.
    let range: Range<Int64>
    /// Its events; `nil` when its receipts are archived.
    let events: [SecurityEvent]?
    /// When it was sealed.
    let sealedAt: Timestamp
    /// What it counts towards the memory for reading ahead.
    let bytes: Int
}

/// Reads batches for every sink of a stream, and keeps the last ones, so that sinks that stand near each other are served
/// by one reading. Looks for new batches once in an interval, whoever asks.
actor EventReader {
    /// Batches of one reading. A batch holds at most a thousand receipts.
    private static let batchesPerReading = 4
    /// Most batches that are kept, whatever their size.
    private static let maximumKept = 256

    private let ledger: any SecurityEventLedger
    private let producer: EventProducer
    private let pollInterval: Duration
    private let maximumBytes: Int
    /// Kept batches with their numbers, the least recently used first.
    private var kept: [(number: Int64, batch: EventBatch)] = []
    private var keptBytes = 0
    private var polledAt: ContinuousClock.Instant?
    /// Where the log ended when it was last looked at.
    private(set) var end: Int64 = 0

    init(ledger: any SecurityEventLedger, producer: EventProducer, pollInterval: Duration, maximumBytes: Int) {
        self.ledger = ledger
        self.producer = producer
        self.pollInterval = pollInterval
        self.maximumBytes = maximumBytes
    }

    /// The batch that holds a position; `nil` when nothing was sealed there at the last look.
    ///
    /// - Throws: ``LedgerError``; `EvidenceError` when a receipt does not read.
    func batch(holding position: Int64) async throws -> EventBatch? {
        if let index = kept.firstIndex(where: { $0.batch.range.contains(position) }) {
            let found = kept.remove(at: index)
            kept.append(found)
            return found.batch
        }
        try await look()
        guard position < end else { return nil }
        let previous = kept.first { $0.batch.range.upperBound == position }?.number
        let number: Int64
        if let previous { number = previous + 1 } else { number = try await ledger.batch(holding: position) ?? 0 }
        var found: EventBatch?
        for sealed in try await ledger.batches(from: number, limit: Self.batchesPerReading) {
            let batch: EventBatch
            do {
                batch = try read(sealed)
            } catch {
                // What comes before a batch that does not read is of use.
                if found != nil { break }
                throw error
            }
            if batch.range.contains(position) { found = batch }
            keep(batch, sealed.number)
        }
        guard let found else {
            throw LedgerError(.corrupted, "no batch holds position \(position) of a log that ends at \(end)")
        }
        return found
    }

    private func look() async throws {
        if let polledAt, .now - polledAt < pollInterval { return }
        polledAt = .now
        end = max(end, try await ledger.logEnd().position)
    }

    private func read(_ sealed: SealedBatch) throws -> EventBatch {
        let range = sealed.firstPosition..<(sealed.lastPosition + 1)
        // Receipts of archived days are not with their batch any more.
        let effects = sealed.groups.reduce(0) { $0 + $1.effects.count }
        let isWhole = effects == range.count
        return EventBatch(
            range: range, events: isWhole ? try SecurityEvent.events(of: sealed, by: producer) : nil,
            sealedAt: sealed.sealedAt,
            bytes: sealed.groups.reduce(1_024) { $0 + $1.effects.reduce(0) { $0 + $1.receipt.count } })
    }

    private func keep(_ batch: EventBatch, _ number: Int64) {
        guard !kept.contains(where: { $0.number == number }) else { return }
        kept.append((number, batch))
        keptBytes += batch.bytes
        while kept.count > Self.maximumKept || keptBytes > maximumBytes, !kept.isEmpty {
            keptBytes -= kept.removeFirst().batch.bytes
        }
    }
}
