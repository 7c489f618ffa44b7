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
