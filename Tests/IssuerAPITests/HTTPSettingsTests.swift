import ClawWire
import GrantWorker
import Testing

/// The section `http` of a configuration.
@Suite struct HTTPSettingsTests {
    private static let least = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka: {properties: {bootstrap.servers: "127.0.0.1:19092"}}
        database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
        keys: [{purpose: token, file: keys/token.pem}, {purpose: receipt, file: keys/receipt.pem}]
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml

        """

    private func read(_ text: String, _ environment: [String: String] = [:]) throws -> HTTPSettings? {
        try ConfigurationFile(
            yaml: Self.least + text, path: "/etc/clawgrant/clawgrant.yaml", environment: environment
        ).worker.http
    }

    private func faults(_ text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch {
            return (error as? ConfigurationFileError)?.problems.map(\.description) ?? ["\(error)"]
        }
    }

    @Test func withoutTheSectionNothingIsServed() throws { #expect(try read("") == nil) }

    @Test func theLeastListensOnLoopbackAndLetsNobodyIn() throws {
        let http = try #require(try read("http: {issuer: https://issuer.harborline.example}"))
        #expect(http == HTTPSettings(issuer: "https://issuer.harborline.example"))
        #expect(http.host == "127.0.0.1" && http.tls == nil && http.callers.isEmpty && !http.introspection.isOpen)
    }

    @Test func everySettingIsTaken() throws {
        let thumbprint = Digest(hashing: "certificate")
        let http = try #require(
            try read(
                """
                http:
                  listen: {host: 0.0.0.0, port: 443}
                  issuer: https://issuer.harborline.example
                  tls: {certificate_file: tls/a.pem, key_file: /keys/a.key, client_ca_file: tls/ca.pem, client_certificates: required}
                  introspection: {refresh_ms: 50, max_age_ms: 500, cached_tokens: 1000, open: true}
                  limits:
                    {connections: 1, requests: 2, waiting_requests: 3, caller_requests_per_s: 4, peer_requests_per_s: 5,
                     tracked_peers: 6, idle_timeout_ms: 700, request_timeout_ms: 800, drain_timeout_ms: 900}
                  callers:
                    gateway: {scopes: [introspect, metrics], token_hashes_file: callers/gateway, requests_per_s: 9}
                    soc:
                      scopes: [revoke, read, stop]
                      certificates: ["\(thumbprint.hex.uppercased())", "\(thumbprint.b64u)"]
                      certificate_names: ["uri:spiffe://harborline.example/soc"]
                """, ["CLAWGRANT_HTTP_LISTEN_PORT": "8443", "CLAWGRANT_HTTP_INTROSPECTION_MAX_AGE_MS": "600"]))
        #expect(http.host == "0.0.0.0" && http.port == 8_443)
        #expect(http.tls?.certificateFile == "/etc/clawgrant/tls/a.pem" && http.tls?.keyFile == "/keys/a.key")
        #expect(http.tls?.requiresClientCertificate == true)
        #expect(http.introspection.maximumAge == .milliseconds(600) && http.introspection.isOpen)
        #expect(http.limits.connections == 1 && http.limits.drainTimeout == .milliseconds(900))
        let gateway = try #require(http.callers.first { $0.name == "gateway" })
        #expect(gateway.tokenHashesFile == "/etc/clawgrant/callers/gateway" && gateway.rate == 9)
        let soc = try #require(http.callers.first { $0.name == "soc" })
        #expect(soc.scopes == [.revoke, .read, .stop] && soc.certificateThumbprints == [thumbprint.b64u])
        #expect(soc.certificateNames == ["uri:spiffe://harborline.example/soc"])
    }

    @Test(arguments: [
        ("http: {listen: {port: 80}}", "http.issuer"),
        ("http: {issuer: issuer.example}", "without path"), ("http: {issuer: https://a.example/}", "without path"),
        ("http: {issuer: http://a.example}", "without path"), ("http: {issuer: https://u:p@a.example}", "without path"),
        ("http: {issuer: https://a.example, listen: {host: 0.0.0.0}}", "without TLS only loopback"),
        ("http: {issuer: https://a.example, listen: {pot: 1}}", "did you mean \"port\""),
        ("http: {issuer: https://a.example, tls: {certificate_file: a}}", "no key_file"),
        (
            "http: {issuer: https://a.example, tls: {certificate_file: a, key_file: b, client_certificates: required}}",
            "client_ca_file too"
        ),
        ("http: {issuer: https://a.example, introspection: {refresh_ms: 400, max_age_ms: 500}}", "at least two looks"),
        ("http: {issuer: https://a.example, callers: {a: {scopes: [introspect]}}}", "nothing that it is known by"),
        ("http: {issuer: https://a.example, callers: {a: {token_hashes_file: b}}}", "some of preflight, introspect"),
        (
            "http: {issuer: https://a.example, callers: {a: {scopes: [everything], token_hashes_file: b}}}",
            "one of preflight, introspect"
        ),
        (
            "http: {issuer: https://a.example, callers: {a: {scopes: [read], certificates: [xyz]}}}",
            "SHA-256 of a certificate"
        ),
        (
            "http: {issuer: https://a.example, callers: {a: {scopes: [read], certificate_names: [x]}}}",
            "an alternative name"
        ),
        (
            "http: {issuer: https://a.example, callers: {a: {scopes: [read], certificate_names: [\"dns:x\"]}}}",
            "client_ca_file too"
        ),
        ("http: {issuer: https://a.example, callers: {\"a b\": {scopes: [read], token_hashes_file: b}}}", "64 letters"),
    ])
    func whatCannotBeIsNamed(_ text: String, _ expected: String) {
        let faults = faults(text)
        #expect(faults.contains { $0.contains(expected) }, "\(faults)")
    }
}
