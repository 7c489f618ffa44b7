import NIOCore
import NIOPosix

/// An HTTP server on loopback whose answers come to no end, whatever is asked.
package struct StubbornServer: Sendable {
    /// What it does after the head of its answer, which says 200.
    package enum Manner: String, Sendable, CaseIterable {
        /// Sends chunks for ever, as fast as they are taken.
        case endless
        /// Promises a terabyte and sends nothing.
        case boastful
        /// Promises much and sends a byte now and then.
        case trickling
        /// Promises ten bytes and sends nothing.
        case silent
    }

    /// Its address.
    package let url: String
    private let channel: any Channel

    /// Listens on a free port.
    package static func start(_ manner: Manner) async throws -> StubbornServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture { try child.pipeline.syncOperations.addHandler(Answer(manner)) }
            }.bind(host: "127.0.0.1", port: 0).get()
        return StubbornServer(url: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)", channel: channel)
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
                channel.eventLoop.scheduleRepeatedTask(
                    initialDelay: .milliseconds(5), delay: .milliseconds(5)
                ) { task in
                    guard channel.isActive else { return task.cancel() }
                    channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
                }
            case .silent: Self.send(channel, "content-length: 10")
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
