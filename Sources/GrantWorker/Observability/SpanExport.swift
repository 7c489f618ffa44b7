import ClawWire
import Kafka
import Logging
import Observability
import Postgres

/// A worker's spans on their way to the collector.
struct SpanExport: Sendable {
    let tracer: WorkerTracer
    private let exporter: SpanExporter
    private let transport: OTLPTransport

    init(
        _ settings: TracingSettings, _ configuration: WorkerConfiguration, clock: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) {
        let transport = OTLPTransport()
        self.transport = transport
        exporter = SpanExporter(
            settings.exporter,
            resource: [
                Span.Attribute("service.name", "clawgrant"),
                Span.Attribute("service.instance.id", .text(configuration.workerID.rawValue)),
                Span.Attribute("service.version", .text(BuildVersion.text)),
                Span.Attribute("clawgrant.log.id", .text(configuration.logID.rawValue)),
            ],
            version: BuildVersion.text
        ) {
            try await transport.send($0, $1)
        } failed: { why in
            logger.log(.spansLost, metadata: ["why": "\(why)"])
        }
        tracer = WorkerTracer(
            exporter: exporter, group: configuration.kafka["group.id"] ?? "clawgrant",
            database: configuration.database.keywords["dbname"] ?? "clawgrant", clock: clock)
    }

    func run(until stop: @escaping @Sendable () -> Bool) async { await exporter.run(until: stop) }

    func close() async { await transport.close() }
}

extension TracePlan {
    init(_ settings: TracingSettings?) {
        self.init(isOn: settings != nil, ratio: Double(settings?.ratioPerMille ?? 0) / 1_000)
    }
}
