import Logging
public import Observability

/// Writes a worker's metrics to a file for as long as it lives, where the configuration names one.
public struct MetricsFile: WorkerCompanion {
    /// See ``WorkerCompanion``.
    public let name = "metrics-file"
    private let exporter: TextfileExporter
    private let interval: Duration

    /// Makes the companion; `nil` when no file is wanted.
    ///
    /// - Parameters:
    ///   - settings: which file, and how often.
    ///   - registry: what is written.
    public init?(_ settings: MetricsSettings, registry: MetricRegistry) {
        guard let path = settings.textfile else { return nil }
        exporter = TextfileExporter(path: path, registry: registry)
        interval = settings.interval
    }

    /// See ``WorkerCompanion``.
    public func run(_ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool) async throws {
        await exporter.run(every: interval, until: isStopping) { error in
            surroundings.logger.log(.metricsFileFailed, metadata: ["error": "\(error)"])
        }
    }
}
