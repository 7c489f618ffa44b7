import ArgumentParser
import CLinux
import Glibc
import GrantLedger
import GrantWorker
import IssuanceRules
import IssuerAPI
import Kafka
import Keys
import Logging
import Metrics
import Observability
import Primitives

/// `clawgrant serve`: the HTTP surface alone, until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the HTTP surface without deciding anything.",
        discussion: """
            The section `http` of a worker's configuration, in a process of its own: it needs the database, the keys, and \
            the broker until the ledger was held against its topics; before, no token is called active and no claim is \
            answered, and behind them it ends. The first SIGTERM or SIGINT lets it answer what it has; the second ends it at once. docs/http.md \
            has the routes.
            """)

    @OptionGroup var source: ConfigurationOptions

    mutating func run() async throws {
        let file = try source.load()
        guard file.worker.http != nil else {
            throw CommandFailure.usage("\(file.path) has no section http, so there is nothing to serve")
        }
        let settings = file.log
        let registry = MetricRegistry()
        MetricsSystem.bootstrap(registry)
        ProcessMetrics.install(in: registry, version: Version.text, program: "serve")
        LoggingSystem.bootstrap { _ in LineLogHandler(settings) }
        let logger = Logger(label: "clawgrant")
        clinux_limit_arenas(2)
        _ = signal(SIGPIPE, SIG_IGN)
        let rules = try file.rules()
        let keys = try KeyRing.load(file.worker.keys, required: [.token, .receipt], at: Clock.now)
        let isStopping = Lock(false)
        let signals = StopSignals {
            logger.log(.serveStopping)
            isStopping.withLock { $0 = true }
        }
        defer { signals.cancel() }
        try await LedgerAccess.ledger(file) { ledger in
            try await ledger.openLog(file.worker.logID)
            try await KafkaAccess.admin(file) { admin in
                try await serve(file, ledger, admin, keys, rules, registry, logger) { isStopping.withLock { $0 } }
            }
        }
    }

    /// Serves, and holds the ledger against its topics as a worker does: one that lies behind them ends the process.
    private func serve(
        _ file: ConfigurationFile, _ ledger: PostgresLedger, _ admin: KafkaAdmin, _ keys: KeyRing, _ rules: RuleSet,
        _ registry: MetricRegistry, _ logger: Logger, until isStopping: @escaping @Sendable () -> Bool
    ) async throws {
        let lineage = LineageGuard(
            ledger: ledger,
            comparison: LedgerComparison(
                ledger: ledger, logID: file.worker.logID,
                logKeys: keys.acceptedKeys(for: .receipt, at: Clock.now).map(\.publicKey),
                configuration: file.worker.kafka, topics: file.worker.outputs, admin: admin, logger: logger),
            interval: file.worker.limits.heartbeatInterval,
            report: { isLevel in
                Counter(
                    label: "clawgrant_ledger_comparisons_total",
                    dimensions: [("result", isLevel ? "level" : "behind")]
                ).increment()
            }, logger: logger)
        let surroundings = WorkerSurroundings(
            configuration: file.worker, ledger: ledger, keys: keys, rules: rules,
            policies: try PolicyShelf(file.worker, rules: rules, logger: logger),
            localStop: LocalStop(file: file.worker.control.stopFile), lineage: lineage, isDeciding: false,
            logger: logger)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await HTTPSurface.service(metrics: registry).run(surroundings, until: isStopping) }
                group.addTask {
                    try await lineage.compare(until: isStopping)
                    try await lineage.run(until: isStopping)
                    // The surface has answers to finish.
                    while true { try await Task.sleep(for: .seconds(86_400)) }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch let error as LedgerError where error.code == .behind {
            throw CommandFailure.negative("\(error)", remedy: "let nothing run on this ledger")
        } catch {
            throw CommandFailure.negative("the HTTP surface ended: \(error)")
        }
    }
}
