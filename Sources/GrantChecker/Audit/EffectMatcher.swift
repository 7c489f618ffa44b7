/// Matches receipts and the records that follow from them, whichever comes first. What is matched is forgotten.
struct EffectMatcher {
    /// The records of one receipt.
    enum Slot: UInt8, Hashable {
        /// The grant, the revocation or the dead letter.
        case primary
        /// The decision.
        case decision
    }

    struct Record: Hashable {
        let essence: Fingerprint
        let batch: Int64
    }

    enum Mismatch: Hashable {
        /// The record says something else than its receipt.
        case differs
        /// The receipt has no such record, or has it already.
        case unexpected
    }

    private struct Key: Hashable {
        let receipt: Fingerprint
        let slot: Slot
    }

    private var expected: [Key: Record] = [:]
    private var early: [Key: [Record]] = [:]

    /// Takes what a receipt leads to; returns what is wrong with records that came before it.
    mutating func expect(_ record: Record, of receipt: Fingerprint, _ slot: Slot) -> [Mismatch] {
        let key = Key(receipt: receipt, slot: slot)
        guard var waiting = early.removeValue(forKey: key) else {
            expected[key] = record
            return []
        }
        let first = waiting.removeFirst()
        var wrong: [Mismatch] = first == record ? [] : [.differs]
        wrong += waiting.map { _ in .unexpected }
        return wrong
    }

    /// Takes a record.
    mutating func take(_ record: Record, of receipt: Fingerprint, _ slot: Slot) -> Mismatch? {
        let key = Key(receipt: receipt, slot: slot)
        guard let wanted = expected.removeValue(forKey: key) else {
            early[key, default: []].append(record)
            return nil
        }
        return wanted == record ? nil : .differs
    }

    /// Asks no longer for the record of a receipt; true when it had not come.
    mutating func forgive(_ receipt: Fingerprint, _ slot: Slot) -> Bool {
        expected.removeValue(forKey: Key(receipt: receipt, slot: slot)) != nil
    }

    /// Receipts whose record never came.
    var missingRecords: Int { expected.count }
    /// Records whose receipt is not in the log, or which came a second time under another position.
    var strayRecords: Int { early.values.reduce(0) { $0 + $1.count } }
}
