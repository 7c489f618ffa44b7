import ClawWire
import DevStack
import Foundation
import GrantWorker
import NIOCore
import NIOPosix
import SecureFront
import SecuritySinks
import Testing

@testable import clawgrant

/// What `clawgrant check` says of the HTTP surface and of sinks.
struct SurfaceCheckTests {
    private static func lines(_ findings: [CheckFinding]) -> [String] {
        findings.map { "\($0.severity.rawValue): \($0.finding)" }
    }

    private static func tell(_ findings: [CheckFinding], _ start: String) -> Bool {
        lines(findings).contains { $0.hasPrefix(start) }
    }

    private static func settings(_ issuer: String = "https://localhost") -> HTTPSettings {
        HTTPSettings(issuer: issuer)
    }

    /// A file that its owner alone can read.
    private static func secret(_ text: String, at path: String, mode: Int = 0o600) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    // MARK: HTTP

    @Test func certificatesAreLookedAt() async throws {
        let home = try TemporaryDirectory(prefix: "claw-check")
        defer { home.close() }
        let certificates = try await TestCertificates.make(in: home)
        var http = Self.settings()
        #expect(Self.tell(HTTPChecks.security(http, at: Date()), "ok: 127.0.0.1 is served without TLS"))
        http.tls = HTTPSettings.TLS(
            certificateFile: certificates.server.certificate, keyFile: certificates.server.key,
            clientAuthorityFile: certificates.authority)
        // It lives for two days.
        #expect(
            Self.lines(HTTPChecks.security(http, at: Date(timeIntervalSinceNow: -86_400 * 30))).map { $0.prefix(3) }
                == ["ok:"])
        let soon = "warning: the certificate \(certificates.server.certificate) ends"
        #expect(Self.tell(HTTPChecks.security(http, at: Date()), soon))
        let late = HTTPChecks.security(http, at: Date(timeIntervalSinceNow: 86_400 * 3))
        #expect(Self.tell(late, "error: the certificate"))
        http.issuer = "https://issuer.harborline.example"
        #expect(Self.tell(HTTPChecks.security(http, at: Date()), "notice: the certificate is not for issuer"))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: certificates.server.key)
        #expect(Self.tell(HTTPChecks.security(http, at: Date()), "warning: \(certificates.server.key)"))
        http.tls?.keyFile = certificates.client.key
        #expect(Self.tell(HTTPChecks.security(http, at: Date()), "error: "))
        http.tls = HTTPSettings.TLS(certificateFile: home.path("none.pem"), keyFile: certificates.server.key)
        #expect(Self.tell(HTTPChecks.security(http, at: Date()), "error: \(home.path("none.pem"))"))
    }

    @Test func whoMayAskIsLookedAt() throws {
        let home = try TemporaryDirectory(prefix: "claw-check")
        defer { home.close() }
        var http = Self.settings()
        let nobody = HTTPChecks.callers(http)
        #expect(Self.tell(nobody, "notice: no caller may introspect"))
        #expect(Self.tell(nobody, "notice: no caller may read metrics"))
        var gateway = HTTPSettings.Caller(name: "gateway", scopes: [.introspect, .metrics])
        gateway.tokenHashesFile = home.path("hashes")
        http.callers = [gateway]
        #expect(Self.tell(HTTPChecks.callers(http), "error: caller gateway"))
        try Self.secret("\(Digest(hashing: "a token").hex)\n", at: home.path("hashes"))
        #expect(Self.lines(HTTPChecks.callers(http)) == ["ok: caller gateway may introspect, metrics"])
        http.introspection.isOpen = true
        #expect(Self.tell(HTTPChecks.callers(http), "notice: whoever reaches the surface"))
        http.console.stoppers = ["thumbprint": PersonID("operator-1")]
        #expect(Self.tell(HTTPChecks.callers(http), "warning: http.console.stop names certificates"))
        try Self.secret("no hash\n", at: home.path("hashes"))
        #expect(Self.tell(HTTPChecks.callers(http), "error: caller gateway: line 1"))
        #expect(!Self.lines(HTTPChecks.callers(http)).contains { $0.contains("no hash") })
    }

    @Test func boundsAreLookedAt() {
        var http = Self.settings()
        #expect(Self.lines(HTTPChecks.limits(http, descriptors: 65_536)).map { $0.prefix(3) } == ["ok:"])
        #expect(Self.tell(HTTPChecks.limits(http, descriptors: 512), "warning: 512 connections are allowed"))
        http.limits.waitingRequests = http.limits.requestsInFlight
        http.introspection.cachedTokens = 10_000_000
        let findings = HTTPChecks.limits(http, descriptors: nil)
        #expect(Self.tell(findings, "warning: requests that wait"))
        #expect(Self.tell(findings, "notice: tokens that are remembered may take 39062 MiB"))
    }

    private static func file(_ sections: String, in home: TemporaryDirectory) throws -> ConfigurationFile {
        try ConfigurationFile(
            yaml: """
                config_version: "1"
                log_id: harborline.example/clawgrant
                kafka: {properties: {bootstrap.servers: "127.0.0.1:1"}}
                database: {conninfo: "host=/nowhere dbname=clawgrant"}
                keys:
                  - {purpose: token, file: token.pem}
                  - {purpose: receipt, file: receipt.pem}
                  - {purpose: envelope, file: envelope.pem}
                  - {purpose: set, file: set.pem}
                secrets: {token_id_file: token-id, sealing_file: sealing}
                rules: rules.yaml
                \(sections)
                """, path: home.path("clawgrant.yaml"), environment: [:])
    }

    @Test func addressesAreLookedAt() async throws {
        let home = try TemporaryDirectory(prefix: "claw-check")
        defer { home.close() }
        let other = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(other.localAddress?.port)
        func found(_ listen: String) async throws -> [CheckFinding] {
            await HTTPChecks.findings(
                try Self.file(
                    """
                    http: {issuer: "http://127.0.0.1:8480", listen: \(listen)}
                    status_lists: {uri_base: "https://lists.harborline.example/statuslists"}
                    """, in: home))
        }
        let taken = try await found("{port: \(port)}")
        #expect(Self.tell(taken, "notice: something listens at 127.0.0.1:\(port)"), "\(Self.lines(taken))")
        #expect(Self.tell(taken, "notice: status_lists.uri_base is https://lists"))
        try await other.close().get()
        #expect(Self.tell(try await found("{port: 0}"), "ok: 127.0.0.1:0 can be listened on"))
        let none = try Self.file("log: {level: info}", in: home)
        #expect(await HTTPChecks.findings(none).isEmpty)
    }

    // MARK: Sinks

    @Test func sinksAreLookedAt() async throws {
        let home = try TemporaryDirectory(prefix: "claw-check")
        defer { home.close() }
        func found(isOffline: Bool = true, _ sinks: String) async throws -> [CheckFinding] {
            await SinkChecks.findings(
                try Self.file("security_events: {sinks: [\(sinks)]}", in: home), isOffline: isOffline)
        }
        let none = await SinkChecks.findings(try Self.file("log: {level: info}", in: home), isOffline: true)
        #expect(Self.tell(none, "notice: no section security_events"))

        let lines = "{name: lines, kind: file, path: out/events.ndjson}"
        #expect(Self.tell(try await found(lines), "error: sink lines: the directory"))
        try FileManager.default.createDirectory(atPath: home.path("out"), withIntermediateDirectories: false)
        #expect(Self.lines(try await found(lines)) == ["ok: sink lines, file"])

        let splunk = "{name: hec, kind: splunk, url: \"https://127.0.0.1:1\", token_file: hec}"
        #expect(Self.tell(try await found(splunk), "error: sink hec: the credential cannot be read"))
        try Self.secret("11111111-2222-3333-4444-555555555555", at: home.path("hec"))
        #expect(Self.lines(try await found(splunk)) == ["ok: sink hec, splunk, at 127.0.0.1:1"])
        let asked = try await found(isOffline: false, splunk)
        #expect(Self.tell(asked, "warning: sink hec: nobody answers at 127.0.0.1:1"), "\(Self.lines(asked))")
        try Self.secret("11111111-2222-3333-4444-555555555555", at: home.path("hec"), mode: 0o644)
        let open = try await found(splunk)
        #expect(Self.tell(open, "error: sink hec: the credential cannot be read"))
        #expect(!Self.lines(open).contains { $0.contains("11111111") })

        let otlp = "{name: otel, kind: otlp, url: \"https://otel.harborline.example:4318/v1/logs\", ca_file: ca.pem}"
        #expect(Self.tell(try await found(otlp), "error: sink otel: \(home.path("ca.pem"))"))
        let certificates = try await TestCertificates.make(in: home)
        #expect(Self.tell(try await found(otlp), "ok: sink otel, otlp, at otel.harborline.example:4318"))
        let client = "certificate_file: client.pem, key_file: client.key"
        let known = "{name: otel, kind: otlp, url: \"https://127.0.0.1:1/v1/logs\", \(client)}"
        let expiring = "warning: sink otel: the certificate \(home.path("client.pem")) expires"
        #expect(Self.tell(try await found(known), expiring))
        try FileManager.default.removeItem(atPath: certificates.client.key)
        try FileManager.default.copyItem(atPath: certificates.stranger.key, toPath: certificates.client.key)
        #expect(Self.tell(try await found(known), "error: sink otel: certificate and key do not go together"))

        let signals =
            "{name: caep, kind: signals, url: \"https://gateway.harborline.example/ssf\", "
            + "issuer: \"https://issuer.harborline.example\", audience: gateway}"
        #expect(Self.tell(try await found(signals), "error: sink caep: signals cannot be signed"))
    }
}
