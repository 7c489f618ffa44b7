public import ClawWire
import Postgres

/// An end that names a holder and no approval, as the ledger keeps it for approvals whose records come later.
public struct HolderEnd: Sendable, Hashable {
    /// Most ends of a holder that are looked at, the latest ones.
    public static let maximumOfHolder: Int64 = 256

    /// Whose approvals it ends.
    public let subject: PersonID
    /// When, by its source's clock.
    public let occurredAt: Timestamp
    /// The event that said so.
    public let event: EventKey
    /// Which of the event's facts.
    public let factIndex: Int32
    /// What it says and who says it; the ledger does not look inside.
    public let body: [UInt8]

    /// Makes an end.
    public init(subject: PersonID, occurredAt: Timestamp, event: EventKey, factIndex: Int32, body: [UInt8]) {
        self.subject = subject
        self.occurredAt = occurredAt
        self.event = event
        self.factIndex = factIndex
        self.body = body
    }
}

extension PostgresLedger {
    /// The ends of the batch's holders; nothing is asked where it has none.
    static func holderEndsStep(_ holders: Set<PersonID>) -> PipelineStep? {
        guard !holders.isEmpty else { return nil }
        var parameters = Parameters()
        parameters.append(array: holders.map(\.rawValue).sorted())
        parameters.append(HolderEnd.maximumOfHolder)
        return .execute(DecideStatements.loadHolderEnds, parameters)
    }

    /// Writes ends down; one that is known stays as it is.
    static func holderEndsStep(_ ends: [HolderEnd]) -> PipelineStep? {
        guard !ends.isEmpty else { return nil }
        var parameters = Parameters()
        parameters.append(column: ends) { $0.subject.rawValue }
        parameters.append(column: ends) { $0.occurredAt.postgres }
        parameters.append(column: ends) { PreparedRead.uuid($0.event.key) }
        parameters.append(column: ends) { $0.factIndex }
        parameters.append(column: ends) { $0.body }
        return .execute(DecideStatements.insertHolderEnds, parameters)
    }
}
