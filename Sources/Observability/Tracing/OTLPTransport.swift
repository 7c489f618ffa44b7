import AsyncHTTPClient
import HTTPAnswers
import NIOCore
import NIOHTTP1
import Primitives

/// Sends spans over HTTP. Redirects are not followed: a header that grants access goes where it was meant to go.
public struct OTLPTransport: Sendable {
    /// Largest answer that is read.
    private static let maximumAnswerBytes = 65_536
    /// Made for the first request: a client that was made must be closed.
    private let opened = Lock<HTTPClient?>(nil)

    /// Opens nothing yet.
    public init() {}

    private func client() -> HTTPClient {
        opened.withLock { opened in
            if let opened { return opened }
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.timeout.connect = .seconds(3)
            let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            opened = made
            return made
        }
    }

    /// Sends one request; see ``SpanExporter/Transport``.
    public func send(_ body: [UInt8], _ settings: SpanExporter.Settings) async throws -> SpanExporter.Answer {
        var request = HTTPClientRequest(url: settings.endpoint)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "user-agent", value: "clawgrant")
        for (name, value) in settings.headers { request.headers.add(name: name, value: value.reveal()) }
        request.body = .bytes(body)
        let deadline = ContinuousClock.now + settings.timeout
        let response = try await client().execute(
            request, timeout: .milliseconds(Int64(settings.timeout / .milliseconds(1))))
        _ = try? await response.bytes(upTo: Self.maximumAnswerBytes, by: deadline)
        let seconds = response.headers.first(name: "retry-after").flatMap { Int64($0) }
        return SpanExporter.Answer(
            status: Int(response.status.code), retryAfter: seconds.map { .seconds(min(max($0, 0), 60)) })
    }

    /// Closes all connections.
    public func close() async {
        let client = opened.withLock { opened in
            defer { opened = nil }
            return opened
        }
        try? await client?.shutdown()
    }
}
