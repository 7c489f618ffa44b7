import DevStack
public import NIOCore
import NIOPosix
import Primitives

/// A bare connection, to say things that no client says.
public struct RawConnection {
    /// The connection below, for what a test does to it.
    public let channel: any Channel
    private let received: Lock<[UInt8]>

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let received: Lock<[UInt8]>

        init(_ received: Lock<[UInt8]>) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            received.withLock { $0.append(contentsOf: buffer.readableBytesView) }
        }
    }

    /// Connects to loopback.
    public static func open(port: Int) async throws -> RawConnection {
        let received = Lock<[UInt8]>([])
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(Collector(received)) }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel: channel, received: received)
    }

    /// What the server has said so far.
    public var text: String { received.withLock { String(decoding: $0, as: UTF8.self) } }

    /// Says something.
    public func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    /// Waits until the server has closed the connection.
    public func waitUntilClosed() async throws {
        let channel = channel
        try await waitUntil(deadline: .seconds(60), description: "the server to close") { !channel.isActive }
    }
}
