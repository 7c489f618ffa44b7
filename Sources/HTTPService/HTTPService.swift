import HummingbirdCore
import HummingbirdHTTP2
public import Logging
import NIOCore
import NIOPosix
import Observability
import Primitives

/// An HTTP server with bounds on everything a client can do, under the life cycle of its caller.
///
/// HTTP/1.1 and, over TLS, HTTP/2. Bodies are read whole before they are handed over, so the memory of a service is at
/// most its connections times its largest body.
public final class HTTPService: Sendable {
    private let configuration: HTTPServiceConfiguration
    private let certificates: CertificateStore?
    private let peers: PeerCertificates?
    private let handling: RequestHandling
    private let logger: Logger
    private let stops: AsyncStream<Void>
    private let stopping: AsyncStream<Void>.Continuation
    private let port = Lock<Int?>(nil)

    /// Prepares a service; it does not listen yet. Blocks for the reads of certificates.
    ///
    /// - Parameters:
    ///   - configuration: what it listens on, and its bounds.
    ///   - hooks: what is asked before a request is read whole.
    ///   - logger: takes a line a request, without header, query and body.
    ///   - respond: answers a request; called from many tasks at once, and cancelled when the drain takes too long.
    /// - Throws: ``HTTPServiceError`` when certificate or key cannot be used.
    public init(
        configuration: HTTPServiceConfiguration, hooks: HTTPServiceHooks = HTTPServiceHooks(), logger: Logger,
        respond: @escaping @Sendable (HTTPServiceRequest) async -> HTTPServiceResponse
    ) throws(HTTPServiceError) {
        self.configuration = configuration
        self.logger = logger
        certificates = if let tls = configuration.tls { try CertificateStore(tls) } else { nil }
        peers = configuration.tls?.clientAuthorityFile == nil ? nil : PeerCertificates()
        handling = RequestHandling(
            limits: configuration.limits, hooks: hooks, requestLog: configuration.requestLog, peers: peers,
            logger: logger, respond: respond)
        (stops, stopping) = AsyncStream.makeStream()
    }

    /// The port that is listened on; `nil` before and after.
    public var listeningPort: Int? { port.withLock { $0 } }

    /// Serves until ``stop()`` or until the task is cancelled, which drops what is being answered. Once per service.
    ///
    /// - Parameter onListening: called with the port once clients can connect.
    /// - Throws: ``HTTPServiceError`` when the address cannot be listened on.
    public func run(onListening: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        let server = Server(
            childChannelSetup: channel(),
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.limits.connections, logger: Self.silent)),
            onServerRunning: { [port] channel in
                let number = channel.localAddress?.port ?? 0
                port.withLock { $0 = number }
                onListening(number)
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.silent)
        defer { port.withLock { $0 = nil } }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                group.addTask {
                    for await _ in self.stops {}
                    guard !Task.isCancelled else { return }
                    // Not waited for: it ends when the last connection does, which `server.run` waits for too.
                    Task { try? await server.shutdownGracefully() }
                    try await Task.sleep(for: self.configuration.limits.drainTimeout)
                    self.logger.log(.drainDropped)
                }
                group.addTask { try await self.watchCertificates() }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw HTTPServiceError(
                .address,
                "\(configuration.host):\(configuration.port) cannot be listened on (\(error)); "
                    + "check the address and what else listens there")
        }
    }

    /// Asks the service to end: it takes no more connections, answers what it has, and ends. May be called at any time.
    public func stop() { stopping.finish() }

    /// Loads certificates again if their files have changed; those that cannot be used leave the old ones in force.
    ///
    /// - Returns: whether others are in force now.
    @discardableResult
    public func reloadCertificates() throws(HTTPServiceError) -> Bool { try certificates?.reload() ?? false }

    private func watchCertificates() async throws {
        guard certificates != nil, let interval = configuration.tls?.reloadInterval else {
            try await Task.sleep(for: .seconds(86_400 * 365))
            return
        }
        while true {
            try await Task.sleep(for: interval)
            do {
                if try reloadCertificates() { logger.log(.certificatesChanged) }
            } catch {
                logger.log(.certificatesUnusable, metadata: ["reason": "\(error)"])
            }
        }
    }

    private func channel() -> ServiceChannel {
        let limits = configuration.limits
        let stream = HTTP1Channel.Configuration(
            idleTimeout: TimeAmount(limits.idleTimeout),
            httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                maxHeaderFieldCount: limits.headerFields))
        func responder(_ carrier: RequestHandling.Carrier) -> HTTPChannelHandler.Responder {
            { [handling] request, writer, channel in try await handling.handle(request, writer, channel, carrier) }
        }
        return ServiceChannel(
            certificates: certificates, http1: HTTP1Channel(responder: responder(.connection), configuration: stream),
            http2: HTTP2Channel(
                responder: responder(.stream),
                configuration: HTTP2ChannelConfiguration(
                    idleTimeout: limits.idleTimeout, gracefulCloseTimeout: limits.drainTimeout,
                    streamConfiguration: stream)),
            handshakeTimeout: TimeAmount(limits.handshakeTimeout), peers: peers)
    }

    /// The library's own lines name connections and errors of clients, of which nobody needs to know.
    private static let silent = Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }
}
