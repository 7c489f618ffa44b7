public import ClawWire
import Foundation
import GrantLedger
public import GrantWorker
import HTTPService
import Logging
import Observability
import Postgres
import Primitives

/// What other parts add to the surface.
public struct IssuerAPIParts: Sendable {
    /// Routes beyond those of keys, tokens and revocations.
    public var groups: [any RouteGroup]
    /// Members of the authorization server's metadata (RFC 8414).
    public var metadata: JSONObject
    /// The metadata of a transmitter of the Shared Signals Framework, served at `/.well-known/ssf-configuration`; `nil`
    /// where no signals are sent.
    public var signals: JSONObject?

    /// Makes parts.
    public init(groups: [any RouteGroup] = [], metadata: JSONObject = [:], signals: JSONObject? = nil) {
        self.groups = groups
        self.metadata = metadata
        self.signals = signals
    }
}

/// Serves the issuer's HTTP surface beside a worker, or in a process of its own.
public final class IssuerAPIService: WorkerCompanion {
    /// How often the files with callers' hashes are read again.
    private static let reloadInterval: Duration = .seconds(30)
    /// One for looks at what is revoked, two for tokens that are seen for the first time.
    private static let lookConnections = 3
    /// For everything else, so that it cannot keep the looks waiting.
    private static let otherConnections = 4
    private let parts: @Sendable (WorkerSurroundings) throws -> IssuerAPIParts
    private let onListening: @Sendable (Int) -> Void

    /// Makes a service of the section `http` of the worker's configuration.
    ///
    /// - Parameters:
    ///   - parts: makes what other parts add, of what a worker lends.
    ///   - onListening: called with the port once clients can connect.
    public init(
        parts: @escaping @Sendable (WorkerSurroundings) throws -> IssuerAPIParts = { _ in IssuerAPIParts() },
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.parts = parts
        self.onListening = onListening
    }

    /// Makes a service with these groups of routes beside its own.
    public convenience init(groups: @escaping @Sendable (WorkerSurroundings) throws -> [any RouteGroup]) {
        self.init(parts: { IssuerAPIParts(groups: try groups($0)) })
    }

    /// Its name in logs.
    public var name: String { "http" }

    /// Serves until `isStopping`, then answers what it has; see ``WorkerCompanion/run(_:until:)``.
    ///
    /// - Throws: ``RouterError``, ``CallerError``, `HTTPServiceError`: what keeps it from serving.
    public func run(_ surroundings: WorkerSurroundings, until isStopping: @escaping @Sendable () -> Bool) async throws {
        guard let settings = surroundings.configuration.http else { return }
        let clock: @Sendable () -> Timestamp = { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
        // Connections of its own: however much is asked here, deciding never waits for a connection behind it.
        let looks = APILedger(surroundings, connections: Self.lookConnections)
        let other = APILedger(surroundings, connections: Self.otherConnections)
        let lent = WorkerSurroundings(
            configuration: surroundings.configuration, ledger: other.ledger, keys: surroundings.keys,
            rules: surroundings.rules, policies: surroundings.policies, localStop: surroundings.localStop,
            lineage: surroundings.lineage, isDeciding: surroundings.isDeciding, logger: surroundings.logger)
        do {
            let parts = try parts(lent)
            let issuer = Issuer(lent, settings, parts, looks: looks.ledger, clock: clock)
            try await serve(
                settings, routes: (issuer.groups + parts.groups).flatMap(\.routes), clock: clock,
                logger: surroundings.logger, until: isStopping
            ) {
                try await issuer.run()
            }
        } catch {
            await looks.close()
            await other.close()
            throw error
        }
        await looks.close()
        await other.close()
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
                    logger.log(
                        .surfaceServed,
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
                        logger.log(.callersUnusable, metadata: ["reason": "\(error)"])
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

/// A ledger on a pool of the surface's own.
private struct APILedger {
    let ledger: PostgresLedger
    private let pool: PostgresPool

    init(_ surroundings: WorkerSurroundings, connections: Int) {
        var database = surroundings.configuration.database
        PostgresLedger.configure(&database, worker: surroundings.configuration.workerID)
        database.poolSize = connections
        database.acquireTimeout = .seconds(5)
        pool = PostgresPool(database)
        ledger = PostgresLedger(pool: pool, configuration: database)
    }

    func close() async {
        await ledger.close()
        await pool.shutdown(grace: .seconds(2))
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
