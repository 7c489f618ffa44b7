import ArgumentParser
import CLinux
import Glibc
import GrantWorker
import HTTPService
import Kafka
import Logging
import Metrics
import Observability
import WebhookBridge

/// `clawgrant bridge`: webhooks in, records out, until it is told to stop.
struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge", abstract: "Take webhooks over HTTPS, verify them, and write records.",
        discussion: """
            Verifies the vendor's signature over the raw body (GitHub, PagerDuty, Slack, Jira, HMAC-SHA-256, JWS) and \
            writes native events signed with the bridge's key, or the body as it came with the headers that prove it. \
            It answers 2xx only after the brokers have the record. The first SIGTERM or SIGINT lets it answer what it \
            has; the second ends it at once. docs/bridge.md explains the configuration.
            """)

    @Option(
        name: .customLong("config"),
        help: ArgumentHelp("The bridge's configuration.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var path: String = "clawgrant-bridge.yaml"

    @Flag(name: .customLong("check"), help: "Read the configuration and every file it names, and serve nothing.")
    var isChecked = false

    mutating func run() async throws {
        let file = try BridgeFile.load(path)
        let registry = MetricRegistry()
        let logger: Logger
        if isChecked {
            logger = Logger(label: "clawgrant") { _ in SwiftLogNoOpLogHandler() }
        } else {
            let settings = file.log
            MetricsSystem.bootstrap(registry)
            ProcessMetrics.install(in: registry, version: Version.text, program: "bridge")
            LoggingSystem.bootstrap { _ in LineLogHandler(settings) }
            logger = Logger(label: "clawgrant")
        }
        clinux_limit_arenas(2)
        _ = signal(SIGPIPE, SIG_IGN)
        let bridge: WebhookBridge
        do {
            bridge = try WebhookBridge(configuration: file.bridge, logger: logger) { Clock.now }
        } catch {
            throw CommandFailure.usage("\(path): \(error)")
        }
        guard !isChecked else {
            Console.out("\(path): \(file.bridge.sources.count) sources, nothing wrong")
            return
        }
        let signals = StopSignals {
            logger.log(.bridgeStopping)
            bridge.stop()
        }
        defer { signals.cancel() }
        let writing = Task { [metrics = file.metrics] in
            guard let path = metrics.textfile else { return }
            await TextfileExporter(path: path, registry: registry).run(every: metrics.interval, until: { false }) {
                logger.log(.metricsFileFailed, metadata: ["error": "\($0)"])
            }
        }
        let names = file.bridge.sources.map(\.name).sorted().joined(separator: ", ")
        do {
            try await bridge.run { port in
                logger.log(.bridgeListening, metadata: ["port": "\(port)", "sources": "\(names)"])
            }
            writing.cancel()
            await writing.value
        } catch let error as HTTPServiceError {
            throw CommandFailure.negative("\(error)")
        }
    }
}
