import ClawWire
import GrantWorker
import IssuanceRules
import Testing

@Suite("The console in a configuration file")
struct ConsoleSettingsTests {
    private static let thumbprint = Digest(hashing: "a certificate").b64u

    private static func text(_ console: String, callers: String = "") -> String {
        """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka: {properties: {bootstrap.servers: "127.0.0.1:19092"}}
        database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
        keys:
          - {purpose: token, file: keys/token.pem}
          - {purpose: receipt, file: keys/receipt.pem}
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml
        http:
          issuer: https://issuer.harborline.example
          tls: {certificate_file: tls/server.pem, key_file: tls/server.key, client_ca_file: tls/clients.pem}
          callers:
            oncall: {scopes: [read], token_hashes_file: secrets/oncall}
          console: \(console)

        """
    }

    private static func read(_ yaml: String) throws(ConfigurationFileError) -> ConsoleSettings? {
        try ConfigurationFile(yaml: yaml, path: "/etc/clawgrant/clawgrant.yaml", environment: [:]).worker.http?.console
    }

    @Test func itIsOffUnlessEnabled() throws {
        let off = try #require(try Self.read(Self.text("{}")))
        #expect(off == ConsoleSettings())
        #expect(!off.isEnabled && off.stoppers.isEmpty)
    }

    @Test func itsSettingsAreRead() throws {
        let hex = try #require(Digest(b64u: Self.thumbprint)).hex
        let other = Digest(hashing: "another").hex.uppercased()
        let colons = stride(from: 0, to: 64, by: 2).map { place in
            String(other.dropFirst(place).prefix(2))
        }.joined(separator: ":")
        let settings = try #require(
            try Self.read(
                Self.text(
                    """
                    {enabled: true, session_s: 900, session_secret_file: secrets/console, stop: [
                        {certificate_sha256: "\(hex)", person: "2dd18507"}, {certificate_sha256: "\(colons)", person: "a5a38504"}]}
                    """)))
        #expect(settings.isEnabled && settings.sessionLifetime == .seconds(900))
        #expect(settings.sessionSecretFile == "/etc/clawgrant/secrets/console")
        #expect(
            settings.stoppers == [
                Self.thumbprint: PersonID("2dd18507"), Digest(hashing: "another").b64u: PersonID("a5a38504"),
            ])
    }

    @Test(arguments: [
        ("{enabled: perhaps}", "http.console.enabled: found \"perhaps\""),
        ("{enabled: true, session_s: 5}", "http.console.session_s"),
        ("{enabled: true, stop: [{certificate_sha256: abc, person: x}]}", "http.console.stop[0].certificate_sha256"),
        ("{enabled: true, stop: [{person: x}]}", "http.console.stop[0].certificate_sha256"),
        ("{enabled: true, frames: true}", "the key \"frames\""),
    ])
    func faultsAreNamed(console: String, expected: String) throws {
        let error = try #require(throws: ConfigurationFileError.self) { _ = try Self.read(Self.text(console)) }
        #expect("\(error)".contains(expected), "\(error)")
    }

    @Test func aConsoleThatNobodyMayReadIsRefused() throws {
        let yaml = Self.text("{enabled: true}").replacing("scopes: [read]", with: "scopes: [metrics]")
        let error = try #require(throws: ConfigurationFileError.self) { _ = try Self.read(yaml) }
        #expect("\(error)".contains("a caller with the scope read"))
    }

    @Test func aStopNeedsAnAuthorityOfCertificates() throws {
        let stop = "{enabled: true, stop: [{certificate_sha256: \"\(Self.thumbprint)\", person: x}]}"
        let yaml = Self.text(stop).replacing(", client_ca_file: tls/clients.pem", with: "")
        let error = try #require(throws: ConfigurationFileError.self) { _ = try Self.read(yaml) }
        #expect("\(error)".contains("http.tls.client_ca_file"))
    }
}
