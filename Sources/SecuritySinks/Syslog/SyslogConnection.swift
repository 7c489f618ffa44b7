import GrantWorker
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Primitives

/// One connection to a syslog receiver.
final class SyslogConnection: Sendable {
    enum Fault: Error, CustomStringConvertible {
        /// The receiver's certificate or ours was refused.
        case handshake(String)
        case closed

        var description: String {
            switch self {
            case .handshake(let reason): "TLS failed: \(reason)"
            case .closed: "the receiver closed the connection"
            }
        }
    }

    private static let connectTimeout = TimeAmount.seconds(10)
    private let channel: any Channel
    private let peer: SyslogPeer
    private let openedAt = ContinuousClock.now

    private init(_ channel: any Channel, _ peer: SyslogPeer) {
        self.channel = channel
        self.peer = peer
    }

    static func open(
        _ receiver: SecurityEventSettings.SyslogReceiver, _ context: NIOSSLContext?
    ) async throws -> SyslogConnection {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let ready = loop.makePromise(of: Void.self)
        let peer = SyslogPeer(ready, isSecure: context != nil)
        let name = SyslogSecurity.serverName(receiver)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(connectTimeout)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: name))
                    }
                    try channel.pipeline.syncOperations.addHandler(peer)
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: receiver.host, port: receiver.port).get()
        } catch {
            ready.fail(error)
            throw error
        }
        do {
            try await withTaskCancellationHandler {
                try await ready.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            if let name {
                let certificate = try await channel.nioSSL_peerCertificate().get()
                guard let certificate, ServerIdentity.isCertificate(certificate, for: name) else {
                    throw Fault.handshake("the receiver's certificate is not for \(name)")
                }
            }
        } catch {
            try? await channel.close().get()
            throw fault(error)
        }
        return SyslogConnection(channel, peer)
    }

    /// False once either side has closed it.
    var isOpen: Bool { channel.isActive && peer.failure == nil }

    /// Writes bytes and waits until the other side's kernel has acknowledged them.
    func send(_ bytes: ByteBuffer) async throws {
        try await closingWhenCancelled {
            do {
                try await channel.writeAndFlush(bytes).get()
                try await waitUntilAcknowledged()
            } catch {
                try Task.checkCancellation()
                throw peer.failure.map(Self.fault) ?? Self.fault(error)
            }
        }
    }

    /// Returns when the connection has been open for a while, so that a refusal that was on its way is here.
    func waitUntil(openFor time: Duration) async throws {
        let rest = openedAt + time - .now
        if rest > .zero { try await Task.sleep(for: rest) }
        guard isOpen else { throw peer.failure.map(Self.fault) ?? Fault.closed }
    }

    func close() async {
        try? await channel.close().get()
    }

    /// The kernel's own account of the connection, `struct tcp_info` of linux/tcp.h up to `tcpi_notsent_bytes`, as words
    /// of 32 bits. Shorter answers of older kernels leave zeros.
    private typealias TCPInfo = InlineArray<38, UInt32>
    private static let unacknowledgedSegments = 6
    private static let unsentBytes = 36

    private func waitUntilAcknowledged() async throws {
        // Every channel of a bootstrap for TCP has options of sockets.
        guard let options = channel as? any SocketOptionProvider else { return }
        var wait: Duration = .milliseconds(1)
        while true {
            // Safe: the kernel writes at most this type's size, and any bits are a value of it.
            let info: TCPInfo = try await options.unsafeGetSocketOption(level: .tcp, name: .tcp_info).get()
            if info[Self.unacknowledgedSegments] == 0, info[Self.unsentBytes] == 0 { return }
            guard isOpen else { throw Fault.closed }
            try await Task.sleep(for: wait)
            wait = min(wait * 2, .milliseconds(50))
        }
    }

    private func closingWhenCancelled(_ body: () async throws -> Void) async throws {
        try await withTaskCancellationHandler(operation: body) { channel.close(promise: nil) }
    }

    private static func fault(_ error: any Error) -> any Error {
        switch error {
        case NIOSSLError.handshakeFailed(let reason): Fault.handshake("\(reason)")
        case is BoringSSLError, is NIOSSLExtraError: Fault.handshake("\(error)")
        default: error
        }
    }
}

/// The reading side of a connection: receivers say nothing, so it only notices the beginning, errors and the end.
private final class SyslogPeer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let error = Lock<(any Error)?>(nil)
    private let ready: EventLoopPromise<Void>
    private let isSecure: Bool

    /// - Parameters:
    ///   - ready: kept when bytes can be sent.
    ///   - isSecure: whether that takes a handshake.
    init(_ ready: EventLoopPromise<Void>, isSecure: Bool) {
        self.ready = ready
        self.isSecure = isSecure
    }

    /// What went wrong first.
    var failure: (any Error)? { error.withLock { $0 } }

    func channelActive(context: ChannelHandlerContext) {
        if !isSecure { ready.succeed() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { ready.succeed() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        note(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        note(SyslogConnection.Fault.closed)
        context.fireChannelInactive()
    }

    private func note(_ new: any Error) {
        error.withLock { $0 = $0 ?? new }
        ready.fail(new)
    }
}
