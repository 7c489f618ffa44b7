import ClawWire
import Foundation
public import GrantWorker
import HTTPService
import Logging
import Primitives

/// Serves the issuer's HTTP surface beside a worker, or in a process of its own.
public final class IssuerAPIService: WorkerCompanion {
    /// How often the files with callers' hashes are read again.
    private static let reloadInterval: Duration = .seconds(30)
    private let groups: @Sendable (WorkerSurroundings) throws -> [any RouteGroup]
    private let onListening: @Sendable (Int) -> Void

    /// Makes a service of the section `http` of the worker's configuration.
    ///
    /// - Parameters:
    ///   - groups: makes the routes beyond those of keys, tokens and revocations, of what a worker lends.
    ///   - onListening: called with the port once clients can connect.
    public init(
        groups: @escaping @Sendable (WorkerSurroundings) throws -> [any RouteGroup] = { _ in [] },
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.groups = groups
        self.onListening = onListening
    }

    /// Its name in logs.
    public var name: String { "http" }

    /// Serves until `isStopping`, then answers what it has; see ``WorkerCompanion/run(_:until:)``.
    ///
    /// - Throws: ``RouterError``, ``CallerError``, `HTTPServiceError`: what keeps it from serving.
    public func run(_ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool) async throws {
        guard let settings = surroundings.configuration.http else { return }
        let clock: @Sendable () -> Timestamp = { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
        let issuer = try Issuer(surroundings, settings, clock: clock)
        try await serve(
            settings, routes: (issuer.groups + groups(surroundings)).flatMap(\.routes), clock: clock,
            logger: surroundings.logger, until: isStopping
        ) {
            try await issuer.run()
        }
    }

    /// Serves routes, with work beside them that ends with the service.
    func serve(
        _ settings: HTTPSettings, routes: [Route], clock: @escaping @Sendable () -> Timestamp, logger: Logger,
        until isStopping: @escaping @Sendable () -> Bool, beside work: @escaping @Sendable () async throws -> Void
    ) async throws {
        let callers = try CallerDirectory(settings.callers, rate: settings.limits.callerRate)
        let pipeline = try RequestPipeline(routes, callers: callers, limits: settings.limits, clock: clock)
        let service = try HTTPService(
            configuration: settings.service(largestBody: routes.map(\.bodyBytes).max() ?? 0), hooks: pipeline.hooks,
            logger: logger
        ) { await pipeline.answer($0) }
        let onListening = onListening
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await service.run { port in
                    logger.info(
                        "the HTTP surface is served",
                        metadata: ["host": "\(settings.host)", "port": "\(port)", "tls": "\(settings.tls != nil)"])
                    onListening(port)
                }
            }
            group.addTask {
                try await work()
                while true { try await Task.sleep(for: .seconds(86_400)) }
            }
            group.addTask {
                var reloaded = ContinuousClock.now
                while !isStopping() {
                    try await Task.sleep(for: .milliseconds(50))
                    guard ContinuousClock.now - reloaded >= Self.reloadInterval else { continue }
                    reloaded = .now
                    do {
                        try callers.reload()
                    } catch {
                        logger.error("changed callers cannot be used", metadata: ["reason": "\(error)"])
                    }
                }
                service.stop()
                while true { try await Task.sleep(for: .seconds(86_400)) }
            }
            defer { group.cancelAll() }
            // The server alone ends without an error, when it has answered what it had.
            try await group.next()
        }
    }
}

extension HTTPSettings {
    /// What the server is told.
    func service(largestBody: Int) -> HTTPServiceConfiguration {
        var configuration = HTTPServiceConfiguration(
            host: host, port: port,
            tls: tls.map { tls in
                var files = HTTPServiceConfiguration.TLS(
                    certificateFile: tls.certificateFile, keyFile: tls.keyFile,
                    clientAuthorityFile: tls.clientAuthorityFile)
                files.clientCertificates = tls.requiresClientCertificate ? .required : .optional
                return files
            })
        configuration.requestLog = .failures
        configuration.limits.bodyBytes = largestBody
        configuration.limits.connections = limits.connections
        configuration.limits.idleTimeout = limits.idleTimeout
        configuration.limits.requestTimeout = limits.requestTimeout
        configuration.limits.drainTimeout = limits.drainTimeout
        return configuration
    }
}
