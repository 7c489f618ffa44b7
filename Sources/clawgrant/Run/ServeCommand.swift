import ArgumentParser
import CLinux
import Glibc
import GrantLedger
import GrantWorker
import IssuerAPI
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
            The section `http` of a worker's configuration, in a process of its own: it needs the database and the keys, \
            no broker. The first SIGTERM or SIGINT lets it answer what it has; the second ends it at once. docs/http.md \
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
            let surroundings = WorkerSurroundings(
                configuration: file.worker, ledger: ledger, keys: keys, rules: rules,
                policies: try PolicyShelf(file.worker, rules: rules, logger: logger),
                localStop: LocalStop(file: file.worker.control.stopFile), isDeciding: false, logger: logger)
            do {
                try await HTTPSurface.service(metrics: registry).run(surroundings) { isStopping.withLock { $0 } }
            } catch {
                throw CommandFailure.negative("the HTTP surface ended: \(error)")
            }
        }
    }
}
