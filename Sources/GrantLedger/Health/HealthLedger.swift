public import ClawWire

/// What the ledger keeps of a source that is watched.
public struct StoredSourceHealth: Sendable, Hashable {
    /// When its newest record was put on its topic; `nil` before the first.
    public let seenAt: Timestamp?
    /// What is counted of it, encoded; empty before anything was counted.
    public let body: [UInt8]

    /// Makes a row.
    public init(seenAt: Timestamp?, body: [UInt8]) {
        self.seenAt = seenAt
        self.body = body
    }
}

/// What a decide transaction needs to know of the sources that are watched.
public struct HealthRead: Sendable, Hashable {
    /// The sources.
    public let sources: [SourceName]
    /// True when something is counted: then decisions that may count happen one after the other.
    public let locks: Bool

    /// Asks for sources.
    public init(sources: [SourceName], locks: Bool) {
        self.sources = sources.sorted()
        self.locks = locks
    }
}

/// What watching sources asks of the ledger.
public protocol HealthLedger: Sendable {
    /// Makes a row for each source that has none, so that it can be locked.
    func watch(_ sources: [SourceName]) async throws(LedgerError)

    /// Notes when sources were heard; an older time changes nothing.
    func noteSeen(_ seen: [SourceName: Timestamp]) async throws(LedgerError)

    /// What is known of sources, with the ledger's clock.
    func sourceHealth(
        of sources: [SourceName]
    ) async throws(LedgerError) -> (now: Timestamp, health: [SourceName: StoredSourceHealth])
}
