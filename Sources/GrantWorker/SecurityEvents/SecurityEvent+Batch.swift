import ClawWire
public import GrantLedger
import ReceiptLog
public import SecurityEvents

extension SecurityEvent {
    /// The events of a sealed batch, in the order of the log.
    ///
    /// - Throws: ``EvidenceError`` when a receipt of the ledger does not read.
    public static func events(of batch: SealedBatch, by producer: EventProducer) throws -> [SecurityEvent] {
        var position = batch.firstPosition
        var events: [SecurityEvent] = []
        for effect in batch.groups.lazy.flatMap(\.effects) {
            events.append(
                SecurityEvent(
                    receipt: try Receipt(parsing: effect.receipt), sequence: SequenceNumber(position),
                    batch: SequenceNumber(batch.number), sealedAt: batch.sealedAt, producer: producer,
                    trace: effect.origin?.trace))
            position += 1
        }
        return events
    }
}
