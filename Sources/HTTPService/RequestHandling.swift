import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import Observability
import Primitives

/// Reads a request whole, has it answered, writes the answer and a line of log.
struct RequestHandling: Sendable {
    let limits: HTTPServiceConfiguration.Limits
    let hooks: HTTPServiceHooks
    let requestLog: HTTPServiceConfiguration.RequestLog
    let peers: PeerCertificates?
    let logger: Logger
    let respond: @Sendable (HTTPServiceRequest) async -> HTTPServiceResponse

    /// What a request came by.
    enum Carrier {
        /// A connection of HTTP/1.1, whose answers say when it closes behind them.
        case connection
        /// A stream of HTTP/2, which is reset without the others of its connection.
        case stream
    }

    /// The connection cannot carry another request.
    private struct Abandoned: Error {}

    private enum Reading {
        case whole([UInt8])
        case tooLarge
        case lost
    }

    // Off the caller's executor, as the writer's own calls are, which it could not follow otherwise.
    @concurrent func handle(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ carrier: Carrier
    ) async throws {
        let start = ContinuousClock.now
        // One for all readings: a body can be iterated once.
        var body = request.body.makeAsyncIterator()
        let path = request.uri.path
        let bodyLimit = min(limits.bodyBytes, hooks.bodyBytes(request.method.rawValue, path))
        if let refusal = refusal(of: request, bodyLimit) {
            let answer = Self.last(hooks.refusal(refusal, path), carrier)
            try await end(request, answer, bytes: 0, since: start, writer)
            try await Self.linger(&body, channel)
            throw Abandoned()
        }
        if request.headers[.expect]?.lowercased() == "100-continue" {
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        switch await read(&body, request, bodyLimit, channel) {
        case .lost:
            logger.log(.requestCut, metadata: ["peer": "\(Self.peer(channel) ?? "unknown")"])
            throw Abandoned()
        case .tooLarge:
            let answer = Self.last(hooks.refusal(.bodyTooLarge, path), carrier)
            try await end(request, answer, bytes: bodyLimit, since: start, writer)
            try await Self.linger(&body, channel)
            throw Abandoned()
        case .whole(let bytes):
            let answer = await respond(
                HTTPServiceRequest(
                    method: request.method.rawValue, path: path, query: request.uri.query,
                    fields: request.headers.map { HTTPServiceField($0.name.rawName, $0.value) }, body: bytes,
                    peer: Self.peer(channel), client: peers?.certificate(of: channel)))
            try await end(request, answer, bytes: bytes.count, since: start, writer)
        }
    }

    /// What is refused before a byte of the body is read.
    private func refusal(of request: Request, _ bodyLimit: Int) -> HTTPServiceHooks.Refusal? {
        let size = request.headers.reduce(0) { $0 + $1.name.rawName.utf8.count + $1.value.utf8.count + 4 }
        if size > limits.headerBytes || request.headers.count > limits.headerFields {
            return .headerTooLarge
        }
        guard let text = request.headers[.contentLength] else { return nil }
        guard let length = Int(text), length >= 0 else { return .malformed }
        return length > bodyLimit ? .bodyTooLarge : nil
    }

    @concurrent private func read(
        _ iterator: inout RequestBody.AsyncIterator, _ request: Request, _ bodyLimit: Int, _ channel: any Channel
    ) async -> Reading {
        let isOverdue = Lock(false)
        // Closing is the one answer that a client which drips its bytes cannot delay.
        let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(limits.requestTimeout)) {
            isOverdue.withLock { $0 = true }
            channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        var body: [UInt8] = []
        do {
            while let buffer = try await iterator.next() {
                guard body.count + buffer.readableBytes <= bodyLimit else { return .tooLarge }
                body.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            return .lost
        }
        // A connection that is lost in the middle looks like the end of the body.
        let declared = request.headers[.contentLength].flatMap { Int($0) }
        let isCut = declared.map { $0 != body.count } ?? false
        return isCut || isOverdue.withLock { $0 } ? .lost : .whole(body)
    }

    @concurrent private func end(
        _ request: Request, _ answer: HTTPServiceResponse, bytes: Int, since start: ContinuousClock.Instant,
        _ writer: consuming ResponseWriter
    ) async throws {
        var fields = HTTPFields()
        for field in answer.fields {
            if let name = HTTPField.Name(field.name) { fields.append(HTTPField(name: name, value: field.value)) }
        }
        fields[.contentLength] = String(answer.body.count)
        let head = HTTPResponse(status: HTTPResponse.Status(code: answer.status), headerFields: fields)
        // What was asked for and how it went; never a header, a query or a body, which carry secrets. A path that nobody
        // serves may be anything.
        logger.log(
            .requestAnswered,
            at: answer.status >= 500 ? .warning : requestLog == .every ? .info : .debug,
            metadata: [
                "method": "\(request.method.rawValue)",
                "path": "\(answer.status == 404 ? "(unknown)" : String(request.uri.path.prefix(200)))",
                "status": "\(answer.status)", "bytes": "\(bytes)",
                "ms": "\(start.duration(to: .now) / .milliseconds(1))",
            ])
        let body = request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
        try await writer.write(response: head, body: body)
    }

    /// An answer behind which the connection closes: a client that is not told sends its next request into the closing
    /// (RFC 9112, section 9.6). HTTP/2 knows no such field (RFC 9113, section 8.2.2).
    private static func last(_ answer: HTTPServiceResponse, _ carrier: Carrier) -> HTTPServiceResponse {
        guard carrier == .connection else { return answer }
        var answer = answer
        answer.fields.append(HTTPServiceField("connection", "close"))
        return answer
    }

    /// Reads on for a moment before the connection is closed: closing over bytes that wait would reset it, and the answer
    /// would be lost with it.
    @concurrent private static func linger(
        _ iterator: inout RequestBody.AsyncIterator, _ channel: any Channel
    ) async throws {
        let deadline = channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        var left = 4 << 20
        while let buffer = try await iterator.next() {
            left -= buffer.readableBytes
            guard left > 0 else { return }
        }
    }

    private static func peer(_ channel: any Channel) -> String? {
        channel.remoteAddress?.ipAddress ?? channel.parent?.remoteAddress?.ipAddress
    }
}
