public import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Primitives

/// A front of TLS and SASL before a broker that speaks neither, with the manners of Azure Event Hubs: it closes idle
/// connections, connections that send a request that is too large, and those whose token has expired, and it offers no
/// transactions.
///
/// It ends TLS, answers SaslHandshake and SaslAuthenticate itself, and passes everything else on, byte for byte, but for
/// the broker's address in answers, in whose place it puts its own.
public final class SecureBrokerFront: Sendable {
    /// How it behaves.
    public struct Options: Sendable {
        /// Users of PLAIN with their passwords.
        public var users: [String: String] = [:]
        /// Judges a token of OAUTHBEARER: the instant at which it expires, or `nil` to refuse it.
        public var expiry: @Sendable (String) -> Date? = { _ in nil }
        /// After so long without a request a connection is closed.
        public var idleTimeout: Duration = .seconds(240)
        /// A larger request closes the connection.
        public var maximumRequestBytes = 1_046_528
        /// Nobody gets in, and nothing passes.
        public init() {}
    }

    /// What has happened.
    public struct Counters: Sendable, Hashable {
        /// Connections that proved who they are.
        public var authenticated = 0
        /// Connections that could not.
        public var refused = 0
        /// Connections closed because nothing came.
        public var closedIdle = 0
        /// Connections closed because a request was too large.
        public var closedOversized = 0
        /// Connections closed because their token had expired.
        public var closedExpired = 0
        /// Requests passed on, by API key.
        public var requests: [Int16: Int] = [:]
    }

    /// The port of 127.0.0.1 that clients connect to.
    public let port: Int
    private let listener: any Channel
    private let state: FrontState

    /// What `bootstrap.servers` takes.
    public var bootstrapServers: String { "127.0.0.1:\(port)" }
    /// What has happened so far.
    public var counters: Counters { state.counters.withLock { $0 } }

    /// Opens a front before the broker on a port of 127.0.0.1.
    public static func open(
        to brokerPort: UInt16, certificate: (certificate: String, key: String), options: Options
    ) async throws -> SecureBrokerFront {
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem)))
        tls.minimumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: tls)
        let state = FrontState(brokerPort: Int(brokerPort), options: options)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    try operations.addHandler(NIOSSLServerHandler(context: context))
                    try operations.addHandler(IdleStateHandler(readTimeout: TimeAmount(options.idleTimeout)))
                    try operations.addHandler(
                        ByteToMessageHandler(FrameDecoder(maximumBytes: options.maximumRequestBytes)))
                    try operations.addHandler(FrontHandler(state))
                    state.open(channel)
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        state.port.withLock { $0 = port }
        return SecureBrokerFront(port: port, listener: listener, state: state)
    }

    private init(port: Int, listener: any Channel, state: FrontState) {
        self.port = port
        self.listener = listener
        self.state = state
    }

    /// Cuts every connection; new ones are served.
    public func cutConnections() { state.closeAll() }

    /// Ends everything.
    public func close() async {
        try? await listener.close().get()
        state.closeAll()
    }
}

/// What the connections of a front share.
final class FrontState: Sendable {
    let brokerPort: Int
    let options: SecureBrokerFront.Options
    let port = Lock(0)
    let counters = Lock(SecureBrokerFront.Counters())
    private let channels = Lock<[ObjectIdentifier: any Channel]>([:])

    init(brokerPort: Int, options: SecureBrokerFront.Options) {
        self.brokerPort = brokerPort
        self.options = options
    }

    func open(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in self.channels.withLock { $0[id] = nil } }
    }

    func closeAll() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    func count(_ change: (inout SecureBrokerFront.Counters) -> Void) { counters.withLock { change(&$0) } }
}

/// A frame was larger than is allowed.
struct OversizedFrame: Error {}

/// Cuts a stream into Kafka's frames, without their sizes.
struct FrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer
    let maximumBytes: Int

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let size = buffer.getInteger(at: buffer.readerIndex, as: Int32.self) else { return .needMoreData }
        guard size >= 0, Int(size) <= maximumBytes else { throw OversizedFrame() }
        guard buffer.readableBytes >= 4 + Int(size) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        if let frame = buffer.readSlice(length: Int(size)) { context.fireChannelRead(wrapInboundOut(frame)) }
        return .continue
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        while try decode(context: context, buffer: &buffer) == .continue {}
        return .needMoreData
    }
}
