import ClawWire
import CrashPoints
import GrantLedger
import Keys
import ReceiptLog

/// What a worker writes into a ledger before it uses it: the log's name, the days' partitions, the receipts of its keys.
///
/// It is written at the start, and again into each database that answers instead of the one before: a replica that took
/// over may lack the last commits, and a key that signs without a receipt of its first use is evidence of nothing.
struct LedgerBase: Sendable {
    let days: DayPartitions
    private let ledger: any Ledger
    private let logID: LogID
    private let worker: WorkerID
    private let keys: KeyRing
    private let clock: @Sendable () -> Timestamp

    init(_ configuration: WorkerConfiguration, _ foundation: WorkerFoundation) {
        ledger = foundation.ledger
        days = DayPartitions(ledger: foundation.ledger, limits: configuration.limits)
        logID = configuration.logID
        worker = configuration.workerID
        keys = foundation.keys
        clock = foundation.clock
    }

    /// Opens the log, and makes the partitions of the days.
    ///
    /// - Throws: ``LedgerError``, which says so when the ledger holds another log.
    func open() async throws {
        try await ledger.openLog(logID)
        CrashPoint.pass(.logOpened)
        try await days.ensure()
        CrashPoint.pass(.daysMade)
    }

    /// Records the keys that the ledger does not know.
    ///
    /// - Throws: ``LedgerError``; what keeps a receipt from being written.
    func registerKeys() async throws {
        try await KeyRegistration(ledger: ledger, worker: worker).register(keys, at: clock())
        CrashPoint.pass(.keysRegistered)
    }
}
