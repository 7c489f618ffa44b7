import ClawWire
public import GrantWorker
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Observability
import Primitives
public import SecurityEvents

/// Security events to a syslog receiver over TCP or TLS, in frames that begin with the count of their bytes.
///
/// Syslog acknowledges nothing. A delivery returns when the receiver's kernel has acknowledged every byte; what the
/// receiver itself had not read when a connection broke is lost, so the last events are sent again on every new
/// connection (``replayedEvents``). A new connection is believed only after a while: a receiver that refuses a client's
/// certificate, or a balancer without a receiver behind it, takes the first bytes all the same.
public final class SyslogSink: SecurityEventSink {
    /// Time after which a connection that is still open counts as accepted.
    private static let probation: Duration = .seconds(1)

    /// See ``SecurityEventSink/name``.
    public let name: String
    /// See ``SecurityEventSink/maximumEvents``.
    public var maximumEvents: Int { settings.maximumEvents }
    /// 1 MiB.
    public let maximumBytes = 1 << 20
    /// See ``SecurityEventSink/replayedEvents``.
    public var replayedEvents: Int { settings.replayedEvents }
    private let settings: SecurityEventSettings.SyslogReceiver
    private let logger: Logger
    private let connection = Lock<SyslogConnection?>(nil)

    /// Makes a sink; connects with the first delivery.
    public init(name: String, _ settings: SecurityEventSettings.SyslogReceiver, _ surroundings: SinkSurroundings) {
        self.name = name
        self.settings = settings
        logger = surroundings.logger
    }

    /// The event in its frame.
    public func rendered(_ event: SecurityEvent) -> [UInt8] { SyslogMessage.frame(settings.format.line(event)) }

    /// Sends the events; returns when the receiver's kernel has them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let connection = try await connected()
        var buffer = ByteBuffer()
        buffer.reserveCapacity(events.reduce(0) { $0 + $1.bytes.count })
        for event in events { buffer.writeBytes(event.bytes) }
        do {
            try await connection.send(buffer)
            try await connection.waitUntil(openFor: Self.probation)
        } catch {
            await close()
            throw failure(error)
        }
    }

    /// Closes the connection.
    public func close() async {
        let old = connection.withLock { connection -> SyslogConnection? in
            defer { connection = nil }
            return connection
        }
        await old?.close()
    }

    /// The open connection, or a new one. A connection that was lost while nothing was sent is a failure first, so that
    /// what may have been lost with it is sent again.
    private func connected() async throws(SinkFailure) -> SyslogConnection {
        if let open = connection.withLock({ $0 }) {
            guard open.isOpen else {
                await close()
                throw SinkFailure(.retry(after: .zero), "\(place) closed the connection")
            }
            return open
        }
        do {
            let context = try settings.security.map { try SyslogSecurity.context($0) }
            let fresh = try await SyslogConnection.open(settings, context)
            connection.withLock { $0 = fresh }
            logger.log(.syslogConnected, metadata: ["sink": "\(name)", "receiver": "\(place)"])
            return fresh
        } catch {
            throw failure(error)
        }
    }

    private var place: String { "the syslog receiver \(settings.host):\(settings.port)" }

    private func failure(_ error: any Error) -> SinkFailure {
        switch error {
        case let error as SinkFailure: error
        case is CancellationError: SinkFailure(.retry(after: nil), "\(place): stopped waiting")
        case SyslogConnection.Fault.handshake(let reason):
            SinkFailure(
                .misconfigured,
                "\(place): TLS failed: \(reason); check ca_file, server_name and the client's certificate")
        case let error as KeyFault: SinkFailure(.misconfigured, "\(place): \(error.description)")
        default: SinkFailure(.retry(after: nil), "\(place): \(error)")
        }
    }
}
