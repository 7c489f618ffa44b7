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
