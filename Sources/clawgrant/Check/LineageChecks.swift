import GrantLedger
import GrantWorker
import Keys
import Logging

/// Whether the ledger holds everything that its topics show.
enum LineageChecks {
    static func findings(_ file: ConfigurationFile) async -> [CheckFinding] {
        let configuration = file.worker
        // Without keys batches are compared by their numbers alone; that keys cannot be read is another check's finding.
        let keys = try? KeyRing.load(configuration.keys, required: [.receipt], at: Clock.now)
        do {
            return try await LedgerAccess.ledger(file) { ledger in
                try await KafkaAccess.admin(file) { admin in
                    _ = try await LedgerComparison(
                        ledger: ledger, logID: configuration.logID,
                        logKeys: keys?.acceptedKeys(for: .receipt, at: Clock.now).map(\.publicKey) ?? [],
                        configuration: configuration.kafka, topics: configuration.outputs, admin: admin,
                        logger: Logger(label: "clawgrant") { _ in SwiftLogNoOpLogHandler() }
                    ).run()
                    return [.ok("ledger", "it holds everything that its topics show")]
                }
            }
        } catch let error as LedgerError where error.code == .behind {
            return [.error("ledger", "\(error)", "follow docs/backup.md; let no worker run meanwhile")]
        } catch {
            return [
                .warning(
                    "ledger", "it was not compared with its topics: \(error)",
                    "see the findings about broker and database")
            ]
        }
    }
}
