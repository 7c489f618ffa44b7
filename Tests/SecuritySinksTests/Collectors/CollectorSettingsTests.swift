import ClawWire
import Foundation
import GrantWorker
import GraphConfirmation
import SecurityEvents
import Testing

@testable import SecuritySinks

@Suite struct CollectorSettingsTests {
    private static func read(_ sinks: String, keys: String = "") throws(ConfigurationFileError) -> ConfigurationFile {
        try ConfigurationFile(
            yaml: """
                config_version: "1"
                log_id: harborline.example/clawgrant
                kafka:
                  properties: {bootstrap.servers: "127.0.0.1:19092"}
                database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
                keys:
                  - {purpose: token, file: keys/token.pem}
                \(keys)
                secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
                rules: rules.yaml
                security_events:
                  sinks:
                    - \(sinks)

                """, path: "/etc/claw/clawgrant.yaml", environment: [:])
    }

    private static func sink(_ text: String, keys: String = "") throws -> SecurityEventSettings.Sink {
        try #require(try read(text, keys: keys).worker.securityEvents?.sinks.first)
    }

    private static func problems(_ text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func aCollectorOfSplunkIsRead() throws {
        let sink = try Self.sink(
            "{name: s, kind: splunk, url: \"https://splunk.harborline.example:8088\", token_file: hec, index: claw, "
                + "source_type: claw:ocsf, acknowledgement: false, batch_events: 9, request_bytes: 20000, compression: none, "
                + "ca_file: ca.pem, certificate_file: c.pem, key_file: /k.pem, connect_timeout_ms: 100, answer_timeout_ms: 200}"
        )
        var wanted = SplunkHECSettings(url: "https://splunk.harborline.example:8088", tokenFile: "/etc/claw/hec")
        wanted.target = SplunkHEC.Target(index: "claw", sourceType: "claw:ocsf")
        wanted.awaitsAcknowledgement = false
        wanted.deliveryEvents = 9
        wanted.requestBytes = 20_000
        wanted.connection.compresses = false
        wanted.connection.authorityFile = "/etc/claw/ca.pem"
        wanted.connection.certificate = .init(certificateFile: "/etc/claw/c.pem", keyFile: "/k.pem")
        wanted.connection.connectTimeout = .milliseconds(100)
        wanted.connection.answerTimeout = .milliseconds(200)
        #expect(sink.kind == .splunk(wanted))
        #expect(sink.patience.deliveryTimeout == .seconds(120))
    }

    @Test func aStreamOfSentinelIsRead() throws {
        let sink = try Self.sink(
            "{name: s, kind: sentinel, endpoint: \"https://dce.westeurope-1.ingest.monitor.azure.com\", rule_id: dcr-1, "
                + "stream: Custom-Claw_CL, tenant_id: t, client_id: c, certificate_file: a.crt, key_file: a.key, algorithm: RS256, "
                + "authority: \"https://login.microsoftonline.us\", scope: \"https://monitor.azure.us/.default\"}")
        var wanted = LogsIngestionSettings(
            endpoint: "https://dce.westeurope-1.ingest.monitor.azure.com", ruleID: "dcr-1", stream: "Custom-Claw_CL",
            tenant: "t", clientID: "c",
            proof: .certificate(.init(certificateFile: "/etc/claw/a.crt", keyFile: "/etc/claw/a.key"), .rs256))
        wanted.authority = "https://login.microsoftonline.us"
        wanted.scope = "https://monitor.azure.us/.default"
        wanted.connection.answerTimeout = .seconds(20)
        #expect(sink.kind == .sentinel(wanted))
    }

    @Test func receiversOfSignalsAreReadAndNeedAKey() throws {
        let push =
            "{name: g, kind: signals, url: \"https://gateway.harborline.example/ssf\", token_file: bearer, concurrency: 2, "
            + "issuer: \"https://issuer.harborline.example\", audience: gateway}"
        var wanted = SignalPushSettings(
            url: "https://gateway.harborline.example/ssf",
            parties: SignalParties(issuer: "https://issuer.harborline.example", audience: "gateway"))
        wanted.tokenFile = "/etc/claw/bearer"
        wanted.concurrency = 2
        #expect(try Self.sink(push, keys: "  - {purpose: set, file: keys/set.pem}").kind == .signals(wanted))
        #expect(Self.problems(push).contains { $0.contains("no active key of purpose set") })
        let topic = try Self.sink(
            "{name: t, kind: signals-topic, issuer: \"https://issuer.harborline.example\", audience: all}",
            keys: "  - {purpose: set, file: keys/set.pem}")
        #expect(
            topic.kind
                == .signalsTopic(
                    SignalTopicSettings(
                        parties: SignalParties(
                            issuer: "https://issuer.harborline.example", audience: "all"))))
    }

    @Test func aCollectorOfOpenTelemetryIsRead() throws {
        var wanted = OTLPLogsSettings(url: "https://otel.harborline.example:4318/v1/logs")
        wanted.tokenFile = "/etc/claw/bearer"
        #expect(
            try Self.sink(
                "{name: o, kind: otlp, url: \"https://otel.harborline.example:4318/v1/logs\", token_file: bearer}"
            ).kind == .otlp(wanted))
    }

    @Test(arguments: [
        ("{name: s, kind: splunk, url: \"http://splunk.harborline.example\", token_file: t}", "https://"),
        ("{name: s, kind: splunk, url: \"https://splunk.harborline.example/\", token_file: t}", "https://"),
        ("{name: s, kind: splunk, url: \"https://u:p@splunk.harborline.example\", token_file: t}", "https://"),
        ("{name: s, kind: splunk, url: \"https://splunk.harborline.example\"}", "token_file"),
        ("{name: s, kind: splunk, url: \"https://s.example\", token_file: t, key_file: k}", "together"),
        ("{name: s, kind: splunk, url: \"https://s.example\", token_file: t, token: planted}", "token_file"),
        ("{name: s, kind: otlp, url: \"https://s.example/v1/logs\", compression: zstd}", "gzip"),
        (
            "{name: s, kind: sentinel, endpoint: \"https://s.example\", rule_id: d, stream: s, tenant_id: t, client_id: c}",
            "proof"
        ),
        (
            "{name: s, kind: sentinel, endpoint: \"https://s.example\", rule_id: ../d, stream: s, tenant_id: t, client_id: c, secret_file: f}",
            "128 letters"
        ),
        ("{name: s, kind: signals, url: \"https://s.example\", issuer: \"https://i.example\"}", "audience"),
        ("{name: s, kind: signals-topic, issuer: \"issuer\", audience: a}", "https://"),
    ]) func whatCannotBeUsedIsReported(sink: String, expected: String) {
        let problems = Self.problems(sink)
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
        #expect(!problems.contains { $0.contains("planted") })
    }
}
