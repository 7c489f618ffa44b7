import ArgumentParser
import CLinux
import Glibc
import GrantWorker
import Logging
import Metrics
import Observability
import SecuritySinks

/// `clawgrant run`: one worker, until it is told to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a worker until SIGTERM or SIGINT; SIGUSR1 halts it.",
        discussion: """
            The first signal lets it finish what it has in hand, give its partitions back and leave; the second ends it \
            at once. SIGUSR1 halts issuing by this worker until its process ends, even with broker and database gone; it \
            goes on sealing, publishing and applying control events. Logs go to standard error.
            """)

    @OptionGroup var source: ConfigurationOptions

    @Flag(name: .customLong("dry-run"), help: "Decide and record, mint nothing.")
    var isDryRun = false

    mutating func run() async throws {
        #if DEBUG
            try CrashPlan.arm()
        #endif
        let file = try source.load()
        var configuration = file.worker
        if isDryRun { configuration.isDryRun = true }
        let settings = file.log
        let registry = MetricRegistry()
        MetricsSystem.bootstrap(registry)
        ProcessMetrics.install(in: registry, version: Version.text, program: "worker")
        LoggingSystem.bootstrap { _ in LineLogHandler(settings) }
        let logger = Logger(label: "clawgrant")
        // Each thread's own arena keeps what it freed: with one for every thread a worker holds far more than it uses.
        clinux_limit_arenas(2)
        // The buffers of a batch are megabytes and last for milliseconds.
        clinux_return_memory(256 << 10)
        // A reader of the log that has gone away must not take the worker with it.
        _ = signal(SIGPIPE, SIG_IGN)
        var companions: [any WorkerCompanion] = []
        if let file = MetricsFile(configuration.metrics, registry: registry) { companions.append(file) }
        if configuration.http != nil { companions.append(HTTPSurface.service(metrics: registry)) }
        if let settings = configuration.securityEvents {
            companions.append(SecurityEventStream(settings, version: Version.text))
        }
        let worker = Worker(configuration: configuration, companions: companions, logger: logger)
        // Finishing and publishing have the drain's time each; what hangs behind them must not keep the process.
        let limits = configuration.limits
        let patience = limits.drainTimeout * 2 + limits.leaseLifetime * 2 + .seconds(10)
        let signals = StopSignals(patience: (patience, { logger.log(.workerAbandoned) })) {
            logger.log(.workerStopping)
            worker.stop()
        } onHalt: {
            worker.halt()
            logger.log(.workerHalted)
        }
        defer { signals.cancel() }
        do {
            try await worker.run()
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw CommandFailure.negative("the worker ended: \(error)")
        }
    }
}
