import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantWorker
import HTTPService
import Metrics
import NIOCore
import Observability
import Primitives
import SecureFront
import Testing

@testable import IssuerAPI

/// Access, limits and what every answer carries, over real HTTP.
@Suite struct SurfaceTests {
    private static let echo: @Sendable (RouteRequest) async -> HTTPServiceResponse = { request in
        .json(
            200,
            [
                "caller": request.caller.name.map { .string($0) } ?? .null,
                "thumbprint": request.caller.certificateThumbprint.map { .string($0) } ?? .null,
                "id": request.parameters["id"].map { .string($0) } ?? .null,
                "q": request.query("q").map { .string($0) } ?? .null, "bytes": .integer(Int64(request.http.body.count)),
            ])
    }

    static let routes = [
        Route("GET", "/open", access: .open, sharing: .anyOrigin, respond: echo),
        Route("GET", "/v1/things/{id}", access: .caller(.read), errors: .reference, respond: echo),
        Route("POST", "/v1/things/{id}", access: .caller(.revoke), bodyBytes: 100, errors: .reference, respond: echo),
        Route("POST", "/oauth", access: .caller(.introspect), bodyBytes: 1_000, errors: .oauth, respond: echo),
    ]

    private func serving(
        _ change: (inout HTTPSettings) -> Void = { _ in }, routes: [Route] = routes, keeper: LogKeeper = LogKeeper(),
        _ body: (RunningSurface, HTTPClient) async throws -> Void
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-surface")
        defer { home.close() }
        var settings = HTTPSettings.test
        settings.callers = [try TestCaller.make("gateway", [.introspect, .read], in: home)]
        change(&settings)
        let surface = try await RunningSurface.start(settings, routes, logger: keeper.logger)
        try await TestClient.with(try TestClient.make(trusting: nil)) { try await body(surface, $0) }
        try await surface.stop()
    }

    @Test func routesAnswerWhoMayAndEveryAnswerCarriesWhatItShould() async throws {
        try await serving { surface, client in
            let open = try await Exchange.run(client, "GET", surface.url("/open?q=a%20b"))
            #expect(open.status == 200 && open.json["q"]?.string == "a b" && open.json["caller"] == .null)
            #expect(open.header("cache-control") == "no-store")
            #expect(open.header("x-content-type-options") == "nosniff")
            #expect(open.header("access-control-allow-origin") == "*")
            #expect(open.header("date")?.hasSuffix(" GMT") == true)
            let thing = try await Exchange.run(
                client, "GET", surface.url("/v1/things/a%2Fb"), bearer: TestCaller.token)
            #expect(thing.json["caller"]?.string == "gateway" && thing.json["id"]?.string == "a/b")
            #expect(thing.header("access-control-allow-origin") == nil)
            let head = try await Exchange.run(client, "HEAD", surface.url("/open"))
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.header("content-length").flatMap { Int($0) } ?? 0 > 0)
            let basic = "Basic " + Data("gateway:\(TestCaller.token)".utf8).base64EncodedString()
            let named = try await Exchange.run(
                client, "GET", surface.url("/v1/things/1"), headers: [("authorization", basic)])
            #expect(named.status == 200)
        }
    }

    @Test func whatIsNotThereIsSaidInTheShapeOfItsRoute() async throws {
        try await serving { surface, client in
            let unknown = try await Exchange.run(client, "GET", surface.url("/nothing"))
            #expect(unknown.status == 404 && unknown.header("content-type") == "application/problem+json")
            #expect(unknown.json["title"]?.string == "Not Found" && unknown.json["status"]?.integer == 404)
            let reference = try await Exchange.run(client, "GET", surface.url("/v1/nothing"))
            #expect(reference.json["error"]?.string == "NOT_FOUND")
            let method = try await Exchange.run(client, "DELETE", surface.url("/v1/things/1"))
            #expect(method.status == 405 && method.header("allow") == "GET, HEAD, OPTIONS, POST")
            #expect(method.json["error"]?.string == "METHOD_NOT_ALLOWED")
            let oauth = try await Exchange.run(client, "GET", surface.url("/oauth"))
            #expect(oauth.status == 405 && oauth.json["error"]?.string == "invalid_request")
            let options = try await Exchange.run(client, "OPTIONS", surface.url("/oauth"))
            #expect(options.status == 204 && options.header("allow") == "OPTIONS, POST")
            #expect(options.header("access-control-allow-origin") == nil)
            let preflight = try await Exchange.run(
                client, "OPTIONS", surface.url("/open"),
                headers: [("origin", "https://app.example"), ("access-control-request-method", "GET")])
            #expect(preflight.header("access-control-allow-origin") == "*")
            #expect(preflight.header("access-control-allow-methods") == "GET, HEAD, OPTIONS")
            let query = try await RawConnection.open(port: surface.port)
            try await query.send("GET /open?a=%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            try await query.waitUntilClosed()
            #expect(query.text.hasPrefix("HTTP/1.1 400") && query.text.contains("INVALID_REQUEST"))
        }
    }

    @Test func whoIsNotACallerIsToldNothing() async throws {
        try await serving { surface, client in
            let url = surface.url("/v1/things/1")
            let nobody = try await Exchange.run(client, "GET", url)
            #expect(nobody.status == 401 && nobody.json["error"]?.string == "TOKEN_REQUIRED")
            #expect(nobody.header("www-authenticate") == #"Bearer realm="clawgrant""#)
            for field in [
                "Bearer \(TestCaller.token)x", "Bearer x", "Digest \(TestCaller.token)",
                "Basic " + Data("other:\(TestCaller.token)".utf8).base64EncodedString(),
            ] {
                let wrong = try await Exchange.run(client, "GET", url, headers: [("authorization", field)])
                #expect(wrong.status == 401)
                #expect(wrong.header("www-authenticate")?.contains("invalid_token") == true)
            }
            let two = try await Exchange.run(
                client, "GET", url,
                headers: [("authorization", "Bearer \(TestCaller.token)"), ("authorization", "Bearer x")])
            #expect(two.status == 401)
            let may = try await Exchange.run(client, "POST", url, "x", bearer: TestCaller.token)
            #expect(may.status == 403 && may.json["error"]?.string == "TOKEN_INSUFFICIENT_SCOPE")
            #expect(may.header("www-authenticate")?.contains(#"scope="revoke""#) == true)
            let oauth = try await Exchange.form(client, surface.url("/oauth"), "a=b", bearer: nil)
            #expect(oauth.status == 401 && oauth.json["error"]?.string == "invalid_token")
        }
    }

    @Test func callersAndPeersAreHeldToTheirRates() async throws {
        try await serving {
            $0.callers[0].rate = 3
            $0.limits.peerRate = 2
        } _: { surface, client in
            var answers: [Exchange] = []
            for _ in 0..<40 {
                answers.append(
                    try await Exchange.run(client, "GET", surface.url("/v1/things/1"), bearer: TestCaller.token))
            }
            let refused = answers.filter { $0.status == 429 }
            #expect(answers.filter { $0.status == 200 }.count >= 6 && !refused.isEmpty)
            #expect(
                refused.allSatisfy { $0.header("retry-after") == "1" && $0.json["error"]?.string == "RATE_LIMITED" })
            // Guesses are counted as a stranger's, and so is what is open.
            var statuses: [Int] = []
            for _ in 0..<20 {
                statuses.append(
                    try await Exchange.run(client, "GET", surface.url("/v1/things/1"), bearer: "guess-guess-guess")
                        .status)
            }
            #expect(statuses.contains(401) && statuses.contains(429) && Set(statuses) == [401, 429])
            #expect(try await Exchange.run(client, "GET", surface.url("/open")).status == 429)
            #expect(try await Exchange.run(client, "GET", surface.url("/nothing")).status == 429)
        }
    }

    @Test func bodiesAreBoundedByRoute() async throws {
        try await serving { surface, client in
            let most = try await Exchange.run(
                client, "POST", surface.url("/oauth"), String(repeating: "a", count: 1_000), bearer: TestCaller.token)
            #expect(most.json["bytes"]?.integer == 1_000)
            // Refused by its length alone: not a byte of the body is waited for.
            for (path, count, sign) in [
                ("/oauth", 1_001, "invalid_request"), ("/v1/things/1", 101, "PAYLOAD_TOO_LARGE"),
                ("/nothing", 1, "PAYLOAD_TOO_LARGE"), ("/oauth", 1 << 40, "invalid_request"),
            ] {
                let connection = try await RawConnection.open(port: surface.port)
                try await connection.send("POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: \(count)\r\n\r\n")
                try await waitUntil(deadline: .seconds(30), description: "an answer") {
                    connection.text.contains(sign)
                }
                #expect(connection.text.hasPrefix("HTTP/1.1 413"))
                try? await connection.channel.close().get()
            }
            let header = try await Exchange.run(
                client, "GET", surface.url("/open"), headers: [("x-large", String(repeating: "a", count: 15_000))])
            #expect(header.status == 200)
            let tooLarge = try await Exchange.run(
                client, "GET", surface.url("/v1/things/1"),
                headers: [("x-large", String(repeating: "a", count: 17_000))])
            #expect([400, 431].contains(tooLarge.status))
        }
    }

    @Test func moreThanCanBeAnsweredIsRefusedAtOnce() async throws {
        let (entered, arrived) = AsyncStream<Void>.makeStream()
        let (gate, release) = AsyncStream<Void>.makeStream()
        let slow = Route("GET", "/slow", access: .open) { _ in
            arrived.yield()
            for await _ in gate {}
            return .text(200, "done")
        }
        try await serving({ $0.limits.requestsInFlight = 1 }, routes: [slow]) { surface, client in
            let url = surface.url("/slow")
            let first = Task { try await Exchange.run(client, "GET", url) }
            var iterator = entered.makeAsyncIterator()
            _ = await iterator.next()
            let second = try await Exchange.run(client, "GET", url)
            #expect(second.status == 503 && second.header("retry-after") == "1")
            release.finish()
            #expect(try await first.value.status == 200)
            #expect(try await Exchange.run(client, "GET", url).status == 200)
        }
    }

    @Test func slowClientsLoseTheirConnections() async throws {
        try await serving {
            $0.limits.idleTimeout = .milliseconds(300)
            $0.limits.requestTimeout = .milliseconds(600)
        } _: { surface, _ in
            let silent = try await RawConnection.open(port: surface.port)
            try await silent.waitUntilClosed()
            let half = try await RawConnection.open(port: surface.port)
            try? await half.send("GET /open HTTP/1.1\r\nhos")
            try await half.waitUntilClosed()
            let dripping = try await RawConnection.open(port: surface.port)
            try? await dripping.send("POST /oauth HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n")
            let channel = dripping.channel
            try await waitUntil(
                deadline: .seconds(60), description: "the end of a dripping request", interval: .milliseconds(50)
            ) {
                if channel.isActive { try? await dripping.send("a") }
                return !channel.isActive
            }
            #expect(!dripping.text.contains("200"))
        }
    }

    @Test func hostileRequestsAreRefusedOrUnknown() async throws {
        try await serving { surface, client in
            for head in [
                "GET /../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n", "GET /open%00 HTTP/1.1\r\nhost: a\r\n\r\n",
                "GET //open HTTP/1.1\r\nhost: a\r\n\r\n", "BREW /open HTTP/1.1\r\nhost: a\r\n\r\n",
                "GET /open HTTP/9.9\r\nhost: a\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
                "POST /oauth HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
                "POST /oauth HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ] {
                let connection = try await RawConnection.open(port: surface.port)
                try await connection.send(head)
                try await waitUntil(deadline: .seconds(30), description: "an answer to \(head.prefix(30))") {
                    !connection.channel.isActive || connection.text.contains("\r\n\r\n")
                }
                #expect(!connection.text.hasPrefix("HTTP/1.1 2"), "\(head): \(connection.text.prefix(40))")
                try? await connection.channel.close().get()
            }
            #expect(try await Exchange.run(client, "GET", surface.url("/open")).status == 200)
        }
    }

    @Test func nothingSecretIsLogged() async throws {
        let keeper = LogKeeper()
        try await serving(keeper: keeper) { surface, client in
            for bearer in [TestCaller.token, "planted-in-credentials"] {
                _ = try await Exchange.run(
                    client, "POST", surface.url("/v1/things/1?q=planted-in-query"), "planted-in-body",
                    headers: [("x-planted", "planted-in-header")], bearer: bearer)
                _ = try await Exchange.form(client, surface.url("/oauth"), "token=planted-in-form", bearer: bearer)
            }
            _ = try await Exchange.run(client, "GET", surface.url("/planted-in-path"))
        }
        #expect(keeper.lines.contains { $0.contains("path=/oauth") })
        #expect(!keeper.lines.contains { $0.contains("planted") || $0.contains(TestCaller.token) }, "\(keeper.lines)")
    }

    @Test func metricsAreWhatTheRendererWrites() async throws {
        let home = try TemporaryDirectory(prefix: "claw-surface")
        defer { home.close() }
        let caller = try TestCaller.make("prometheus", [.metrics], in: home)
        let registry = MetricRegistry()
        Counter(label: "clawgrant_preflights_total", dimensions: [("decision", "approved")], factory: registry)
            .increment()
        let group = MetricsRoutes { registry.render($0) }
        try await serving({ $0.callers = [caller] }, routes: group.routes) { surface, client in
            #expect(try await Exchange.run(client, "GET", surface.url("/metrics")).status == 401)
            let page = try await Exchange.run(client, "GET", surface.url("/metrics"), bearer: TestCaller.token)
            #expect(page.body.contains("clawgrant_preflights_total{decision=\"approved\"} 1\n"))
            #expect(page.body.contains("# TYPE clawgrant_preflights_total counter\n"))
            #expect(page.header("content-type") == "text/plain; version=0.0.4; charset=utf-8")
            #expect(page.header("vary") == "accept")
            // As Prometheus asks.
            let open = try await Exchange.run(
                client, "GET", surface.url("/metrics"),
                headers: [
                    ("accept", "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5")
                ], bearer: TestCaller.token)
            #expect(open.header("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.body.contains("# TYPE clawgrant_preflights counter\n"))
            #expect(open.body.hasSuffix("# EOF\n"))
        }
    }

    @Test func callersAreKnownByTheirCertificates() async throws {
        let home = try TemporaryDirectory(prefix: "claw-surface")
        defer { home.close() }
        let certificates = try await TestCertificates.make(in: home)
        let other = try await TestCertificates.another("other", in: home)
        let fingerprint = try await Command.output(
            of: ManagedProcess.Configuration(
                executable: "openssl",
                arguments: ["x509", "-noout", "-fingerprint", "-sha256", "-in", certificates.client.certificate]))
        let hex = try #require(fingerprint.split(separator: "=").last).filter(\.isHexDigit)
        let thumbprint = try #require(Digest(hex: hex.lowercased())).b64u
        var settings = HTTPSettings.test
        var caller = HTTPSettings.Caller(name: "operator", scopes: [.read])
        caller.certificateThumbprints = [thumbprint]
        settings.callers = [caller]
        settings.tls = HTTPSettings.TLS(
            certificateFile: certificates.server.certificate, keyFile: certificates.server.key,
            clientAuthorityFile: certificates.authority)
        let surface = try await RunningSurface.start(settings, Self.routes)
        for isOld in [true, false] {
            func ask(_ certificate: (certificate: String, key: String)?, _ path: String) async throws -> Exchange? {
                let client = try TestClient.make(
                    trusting: certificates.authority, certificate: certificate, http1Only: isOld)
                return try await TestClient.with(client) { try? await Exchange.run($0, "GET", surface.url(path)) }
            }
            let known = try #require(try await ask(certificates.client, "/v1/things/1"))
            #expect(known.status == 200 && known.json["caller"]?.string == "operator")
            #expect(known.json["thumbprint"]?.string == thumbprint)
            #expect(known.version == (isOld ? 1 : 2))
            // The authority's, but nobody's of the configuration: it is shown to open routes and opens no other.
            #expect(try await ask(other, "/v1/things/1")?.status == 401)
            let open = try #require(try await ask(other, "/open"))
            #expect(open.json["caller"] == .null && open.json["thumbprint"]?.string?.isEmpty == false)
            #expect(try await ask(nil, "/open")?.status == 200)
            #expect(try await ask(nil, "/v1/things/1")?.status == 401)
            #expect(try await ask(certificates.stranger, "/open") == nil)
        }
        try await surface.stop()
        settings.tls?.requiresClientCertificate = true
        let closed = try await RunningSurface.start(settings, Self.routes)
        let client = try TestClient.make(trusting: certificates.authority)
        try await TestClient.with(client) { client in
            let answer = try? await Exchange.run(client, "GET", closed.url("/open"))
            #expect(answer == nil)
        }
        try await closed.stop()
    }
}
