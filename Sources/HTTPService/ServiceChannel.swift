import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOSSL
import NIOTLS
import Observability

/// Sets up a connection: TLS with the certificates in force, then HTTP/2 or HTTP/1.1 as client and server agree.
///
/// Hummingbird's own channel for this keeps the certificates it was made with, and lets a client that says nothing keep
/// its connection for ever.
struct ServiceChannel: ServerChildChannel {
    enum Connection: Sendable {
        case http1(HTTP1Channel.Value)
        case http2(HTTP2Channel.Value)
    }

    struct Value: ServerChildChannelValue {
        let connection: EventLoopFuture<Connection>
        let channel: any Channel
    }

    let certificates: CertificateStore?
    let http1: HTTP1Channel
    let http2: HTTP2Channel
    let handshakeTimeout: TimeAmount
    /// Where certificates of clients are kept; `nil` where none is asked for.
    let peers: PeerCertificates?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard let certificates else {
            return http1.setup(channel: channel, logger: logger).map { connection in
                Value(connection: channel.eventLoop.makeSucceededFuture(.http1(connection)), channel: channel)
            }
        }
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: certificates.context))
            let negotiation = NIOTypedApplicationProtocolNegotiationHandler<Connection> { result in
                self.peers?.keep(of: channel)
                switch result {
                case .negotiated("h2"):
                    return self.http2.setup(channel: channel, logger: logger).map { .http2($0) }
                case .negotiated, .fallback:
                    return self.http1.setup(channel: channel, logger: logger).map { .http1($0) }
                }
            }
            try channel.pipeline.syncOperations.addHandler(negotiation)
            let connection = negotiation.protocolNegotiationResult
            let timeout = channel.eventLoop.scheduleTask(in: handshakeTimeout) { channel.close(promise: nil) }
            connection.whenComplete { _ in timeout.cancel() }
            return Value(connection: connection, channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.connection.get() {
            case .http1(let connection): await http1.handle(value: connection, logger: logger)
            case .http2(let connection): await http2.handle(value: connection, logger: logger)
            }
        } catch {
            logger.log(.connectionEnded, metadata: ["reason": "\(error)"])
        }
    }
}
