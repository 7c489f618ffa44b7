import DevStack
import Foundation
import HTTPService
import Logging
import NIOCore
import Primitives
import SecureFront
import Testing

@Suite struct HTTPServiceTests {
    static func plain(_ change: (inout HTTPServiceConfiguration.Limits) -> Void = { _ in }) -> HTTPServiceConfiguration
    {
        var limits = HTTPServiceConfiguration.Limits()
        change(&limits)
        return HTTPServiceConfiguration(host: "127.0.0.1", port: 0, tls: nil, limits: limits)
    }

    static let echo: @Sendable (HTTPServiceRequest) async -> HTTPServiceResponse = { request in
        HTTPServiceResponse(
            status: 200,
            fields: [HTTPServiceField("x-method", request.method), HTTPServiceField("x-path", request.path)],
            body: request.body)
    }

    @Test func aRequestComesWholeAndItsAnswerToo() async throws {
        let seen = Lock<HTTPServiceRequest?>(nil)
        let running = try await RunningService.start(Self.plain()) { request in
            seen.withLock { $0 = request }
            return .text(202, "taken", fields: [HTTPServiceField("retry-after", "1")])
        }
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        try await TestClient.with(try TestClient.make(trusting: nil)) { client in
            for _ in 0..<3 {
                let answer = try await TestClient.post(
                    client, "http://127.0.0.1:\(running.port)/hooks/a?b=c", body,
                    headers: [("X-One", "1"), ("x-one", "2")])
                #expect(answer.status == 202)
                #expect(answer.body == "taken\n")
            }
        }
        let request = try #require(seen.withLock { $0 })
        #expect(request.method == "POST")
        #expect(request.path == "/hooks/a")
        #expect(request.query == "b=c")
        #expect(request.body == body)
        #expect(request.fields.filter { $0.name.lowercased() == "x-one" }.map(\.value) == ["1", "2"])
        #expect(request.field("X-ONE") == "1")
        #expect(request.peer == "127.0.0.1")
        try await running.stop()
        #expect(running.service.listeningPort == nil)
    }

    @Test func anOversizedBodyIsRefusedDeclaredOrNot() async throws {
        let running = try await RunningService.start(Self.plain { $0.bodyBytes = 1_000 }, respond: Self.echo)
        try await TestClient.with(try TestClient.make(trusting: nil)) { client in
            let url = "http://127.0.0.1:\(running.port)/"
            // Again and again: a client that kept the connection of a refusal would meet its closing.
            for (size, status) in Array(repeating: [(1_000, 200), (1_001, 413), (900_000, 413)], count: 20).joined() {
                let answer = try await TestClient.post(client, url, [UInt8](repeating: 1, count: size))
                #expect(answer.status == status)
            }
        }
        let chunked = try await RawConnection.open(port: running.port)
        try await chunked.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in 0..<3 { try await chunked.send("200\r\n\(String(repeating: "a", count: 512))\r\n") }
        try await chunked.send("0\r\n\r\n")
        try await chunked.waitUntilClosed()
        #expect(chunked.text.hasPrefix("HTTP/1.1 413"))
        #expect(chunked.text.lowercased().contains("\r\nconnection: close\r\n"))
        let negative = try await RawConnection.open(port: running.port)
        try await negative.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n")
        try await negative.waitUntilClosed()
        #expect(negative.text.hasPrefix("HTTP/1.1 400"))
        try await running.stop()
    }

    @Test func anOversizedHeaderIsRefused() async throws {
        let running = try await RunningService.start(Self.plain { $0.headerBytes = 2_000 }, respond: Self.echo)
        for request in [
            "GET / HTTP/1.1\r\nhost: a\r\nx: \(String(repeating: "a", count: 4_000))\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n" + (0..<200).map { "x-\($0): a\r\n" }.joined() + "\r\n",
        ] {
            let connection = try await RawConnection.open(port: running.port)
            try await connection.send(request)
            try await connection.waitUntilClosed()
            #expect(connection.text.hasPrefix("HTTP/1.1 4"), "\(connection.text.prefix(40))")
        }
        try await running.stop()
    }

    @Test func slowClientsLoseTheirConnections() async throws {
        let count = Lock(0)
        let running = try await RunningService.start(
            Self.plain {
                $0.idleTimeout = .milliseconds(300)
                $0.requestTimeout = .milliseconds(600)
            }
        ) { request in
            count.withLock { $0 += 1 }
            return await Self.echo(request)
        }
        // Silence, half a header, half a body, and a body that comes byte by byte.
        let silent = try await RawConnection.open(port: running.port)
        try await silent.waitUntilClosed()
        let header = try await RawConnection.open(port: running.port)
        try? await header.send("POST / HTTP/1.1\r\nhos")
        try await header.waitUntilClosed()
        let body = try await RawConnection.open(port: running.port)
        try? await body.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc")
        try await body.waitUntilClosed()
        let dripping = try await RawConnection.open(port: running.port)
        try? await dripping.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n")
        let channel = dripping.channel
        try await waitUntil(
            deadline: .seconds(60), description: "the end of a dripping request", interval: .milliseconds(50)
        ) {
            if channel.isActive { try? await dripping.send("a") }
            return !channel.isActive
        }
        #expect(count.withLock { $0 } == 0)
        try await running.stop()
    }

    @Test func aRequestThatRunsIsAnsweredBeforeTheEnd() async throws {
        let (entered, arrived) = AsyncStream<Void>.makeStream()
        let (gate, release) = AsyncStream<Void>.makeStream()
        let running = try await RunningService.start(Self.plain()) { _ in
            arrived.yield()
            for await _ in gate {}
            return .text(200, "done")
        }
        try await TestClient.with(try TestClient.make(trusting: nil)) { client in
            let port = running.port
            let answer = Task { try await TestClient.post(client, "http://127.0.0.1:\(port)/") }
            var iterator = entered.makeAsyncIterator()
            _ = await iterator.next()
            running.service.stop()
            try await waitUntil(deadline: .seconds(60), description: "new connections to be refused") {
                do {
                    let other = try await RawConnection.open(port: port)
                    try? await other.channel.close().get()
                    return false
                } catch { return true }
            }
            release.finish()
            #expect(try await answer.value.body == "done\n")
        }
        try await running.task.value
    }

    @Test func theDrainEndsWhatTakesTooLong() async throws {
        let (entered, arrived) = AsyncStream<Void>.makeStream()
        let keeper = LogKeeper()
        let running = try await RunningService.start(
            Self.plain { $0.drainTimeout = .milliseconds(200) }, logger: keeper.logger
        ) { _ in
            arrived.yield()
            try? await Task.sleep(for: .seconds(600))
            return .text(200, "too late")
        }
        let connection = try await RawConnection.open(port: running.port)
        try await connection.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        var iterator = entered.makeAsyncIterator()
        _ = await iterator.next()
        try await running.stop()
        try await connection.waitUntilClosed()
        #expect(keeper.lines.contains { $0.contains("dropped") })
    }

    @Test func cancellationEndsTheService() async throws {
        let running = try await RunningService.start(Self.plain(), respond: Self.echo)
        running.task.cancel()
        _ = await running.task.result
        await #expect(throws: (any Error).self) { _ = try await RawConnection.open(port: running.port) }
    }

    @Test func theLogTellsNoHeaderQueryOrBody() async throws {
        let keeper = LogKeeper()
        let running = try await RunningService.start(Self.plain(), logger: keeper.logger) { request in
            .text(request.path == "/known" ? 200 : 404, "x")
        }
        try await TestClient.with(try TestClient.make(trusting: nil)) { client in
            for path in ["/known?token=planted-in-query", "/planted-in-path"] {
                _ = try await TestClient.post(
                    client, "http://127.0.0.1:\(running.port)\(path)", Array("planted-in-body".utf8),
                    headers: [("authorization", "Bearer planted-in-header"), ("x-planted", "planted-in-field")])
            }
        }
        try await running.stop()
        #expect(keeper.lines.contains { $0.contains("path=/known") && $0.contains("status=200") })
        #expect(!keeper.lines.contains { $0.contains("planted") }, "\(keeper.lines)")
    }

    @Test func anAddressInUseIsNamed() async throws {
        let running = try await RunningService.start(Self.plain(), respond: Self.echo)
        let second = try HTTPService(
            configuration: HTTPServiceConfiguration(host: "127.0.0.1", port: running.port, tls: nil),
            logger: LogKeeper().logger, respond: Self.echo)
        let error = await #expect(throws: HTTPServiceError.self) { try await second.run() }
        #expect(error?.code == .address)
        #expect(error?.description.contains("127.0.0.1:\(running.port)") == true)
        try await running.stop()
    }

    @Test func moreConnectionsThanAllowedWait() async throws {
        let running = try await RunningService.start(Self.plain { $0.connections = 1 }, respond: Self.echo)
        let first = try await RawConnection.open(port: running.port)
        try await first.send("GET /one HTTP/1.1\r\nhost: a\r\n\r\n")
        try await waitUntil(deadline: .seconds(60), description: "the first answer") { first.text.contains("/one") }
        let second = try await RawConnection.open(port: running.port)
        try await second.send("GET /two HTTP/1.1\r\nhost: a\r\n\r\n")
        #expect(second.text.isEmpty)
        try await first.channel.close().get()
        try await waitUntil(deadline: .seconds(60), description: "the second answer") { second.text.contains("/two") }
        try await second.channel.close().get()
        try await running.stop()
    }
}
