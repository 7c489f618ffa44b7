import NIOCore
import NIOPosix
import NIOSSL

/// An HTTP server on loopback whose answers come to no end, whatever is asked.
package struct StubbornServer: Sendable {
    /// What it does, the first four after the head of its answer, which says 200.
    package enum Manner: String, Sendable, CaseIterable {
        /// Sends chunks for ever, as fast as they are taken.
        case endless
        /// Promises a terabyte and sends nothing.
        case boastful
        /// Promises much and sends a byte now and then.
        case trickling
        /// Promises ten bytes and sends nothing.
        case silent
        /// Sends fields of a head for ever, as fast as they are taken.
        case endlessHead
        /// Sends a byte of its head now and then.
        case tricklingHead
        /// Takes the request and says nothing.
        case mute

        /// Those that answer with a head.
        package static let answering: [Manner] = [.endless, .boastful, .trickling, .silent]
        /// Those whose head comes to no end.
        package static let headless: [Manner] = [.endlessHead, .tricklingHead, .mute]
    }

    /// Its address.
    package let url: String
    private let channel: any Channel

    /// Listens on a free port.
    ///
    /// - Parameter tls: certificate and key, in PEM; `nil` speaks without TLS.
    package static func start(
        _ manner: Manner, tls: (certificate: String, key: String)? = nil
    ) async throws -> StubbornServer {
        let context = try tls.map { files in
            try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))))
        }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    if let context {
                        try child.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try child.pipeline.syncOperations.addHandler(Answer(manner))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let scheme = tls == nil ? "http" : "https"
        return StubbornServer(url: "\(scheme)://127.0.0.1:\(channel.localAddress?.port ?? 0)", channel: channel)
    }

    /// Listens no more; open connections end with their clients.
    package func close() async { try? await channel.close().get() }

    private final class Answer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let manner: Manner
        private var hasBegun = false

        init(_ manner: Manner) { self.manner = manner }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !hasBegun else { return }
            hasBegun = true
            let channel = context.channel
            switch manner {
            case .endless:
                Self.send(channel, "transfer-encoding: chunked")
                Self.pump(channel, ByteBuffer(string: "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"))
            case .boastful: Self.send(channel, "content-length: 1099511627776")
            case .trickling:
                Self.send(channel, "content-length: 100000")
                Self.trickle(channel)
            case .silent: Self.send(channel, "content-length: 10")
            case .endlessHead:
                channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n"), promise: nil)
                let field = "x-more: \(String(repeating: "x", count: 1_000))\r\n"
                Self.pump(channel, ByteBuffer(string: String(repeating: field, count: 16)))
            case .tricklingHead:
                channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nx-more: "), promise: nil)
                Self.trickle(channel)
            case .mute: break
            }
        }

        private static func trickle(_ channel: any Channel) {
            channel.eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(5), delay: .milliseconds(5)) { task in
                guard channel.isActive else { return task.cancel() }
                channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
            }
        }

        private static func send(_ channel: any Channel, _ field: String) {
            channel.writeAndFlush(
                ByteBuffer(string: "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\(field)\r\n\r\n"),
                promise: nil)
        }

        private static func pump(_ channel: any Channel, _ chunk: ByteBuffer) {
            channel.writeAndFlush(chunk).whenSuccess { channel.eventLoop.execute { pump(channel, chunk) } }
        }
    }
}
