import DevStack
import Foundation
import HTTPService
import Logging
import NIOCore
import NIOPosix
import Primitives
import SecureFront

/// A service that runs for the time of a test.
struct RunningService {
    let service: HTTPService
    let port: Int
    let task: Task<Void, any Error>

    static func start(
        _ configuration: HTTPServiceConfiguration, logger: Logger = LogKeeper().logger,
        respond: @escaping @Sendable (HTTPServiceRequest) async -> HTTPServiceResponse
    ) async throws -> RunningService {
        let service = try HTTPService(configuration: configuration, logger: logger, respond: respond)
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let task = Task { try await service.run { listening.yield($0) } }
        var iterator = ports.makeAsyncIterator()
        let port = await iterator.next() ?? 0
        return RunningService(service: service, port: port, task: task)
    }

    func stop() async throws {
        service.stop()
        try await task.value
    }
}

/// A bare connection, to say things that no client says.
struct RawConnection {
    let channel: any Channel
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

    static func open(port: Int) async throws -> RawConnection {
        let received = Lock<[UInt8]>([])
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(Collector(received)) }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel: channel, received: received)
    }

    var text: String { received.withLock { String(decoding: $0, as: UTF8.self) } }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    /// Waits until the server has closed the connection.
    func waitUntilClosed() async throws {
        let channel = channel
        try await waitUntil(deadline: .seconds(60), description: "the server to close") { !channel.isActive }
    }
}
