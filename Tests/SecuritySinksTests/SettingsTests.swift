import GrantWorker
import Kafka
import Logging
import SecurityEvents
import Testing

@testable import SecuritySinks

/// The section `security_events`.
@Suite("Settings of the stream")
struct SettingsTests {
    private static let base = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka: {properties: {bootstrap.servers: "127.0.0.1:9092"}}
        database: {conninfo: "host=/run dbname=clawgrant"}
        keys: []
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml

        """

    private func read(_ section: String, environment: [String: String] = [:]) throws -> SecurityEventSettings? {
        try ConfigurationFile(
            yaml: Self.base + section, path: "/etc/clawgrant/worker.yaml", environment: environment
        ).worker.securityEvents
    }

    private func faults(_ section: String) -> [String] {
        do {
            _ = try read(section)
            return []
        } catch {
            return (error as? ConfigurationFileError)?.problems.map { "\($0.setting): \($0.expected)" } ?? ["\(error)"]
        }
    }

    @Test("Without the section nothing is streamed; without sinks in it, the topic is")
    func defaults() throws {
        #expect(try read("") == nil)
        let settings = try #require(try read("security_events: {tenant: northquay}"))
        #expect(settings.tenant == "northquay")
        #expect(settings.sinks == [SecurityEventSettings.Sink(name: "kafka", kind: .kafka(.init()))])
        #expect(settings.topics == ["claw.siem.ocsf.v1"])
        #expect(
            try read("security_events: {}", environment: ["CLAWGRANT_SECURITY_EVENTS_POLL_MS": "20"])?.pollInterval
                == .milliseconds(20))
    }

    @Test("Every setting is read")
    func everything() throws {
        let settings = try #require(
            try read(
                """
                security_events:
                  poll_ms: 100
                  read_ahead_bytes: 2097152
                  sinks:
                    - {name: topic, kind: kafka, topic: claw.siem.ecs.v1, format: ecs, batch_events: 50,
                       headers: {splunk.header.index: claw}, start_from: now, heartbeat_s: 30, retry_min_ms: 10,
                       retry_max_ms: 20, failures_before_finding: 2, delivery_timeout_ms: 500}
                    - {name: soc, kind: syslog, host: collector.harborline.example, format: syslog-cef, ca_file: ca.pem,
                       server_name: soc, certificate_file: c.pem, key_file: /k.pem, replay_events: 7, start_from: 12}
                    - {name: plain, kind: syslog, host: 127.0.0.1, transport: tcp, heartbeat_s: 0}
                    - {name: disk, kind: file, path: events.ndjson, format: ecs, rotate_bytes: 4096, rotate_s: 0,
                       keep_files: 0}
                """))
        #expect(settings.pollInterval == .milliseconds(100) && settings.readAheadBytes == 2 << 20)
        #expect(settings.sinks.map(\.name) == ["topic", "soc", "plain", "disk"])
        var topic = SecurityEventSettings.KafkaTopic()
        topic.topic = "claw.siem.ecs.v1"
        topic.format = .ecs
        topic.maximumEvents = 50
        topic.headers = ["splunk.header.index": "claw"]
        #expect(settings.sinks[0].kind == .kafka(topic))
        #expect(settings.sinks[0].start == .now && settings.sinks[0].heartbeatInterval == .seconds(30))
        #expect(settings.sinks[0].patience.failuresBeforeFinding == 2)
        #expect(settings.sinks[0].patience.deliveryTimeout == .milliseconds(500))
        var security = SecurityEventSettings.SyslogReceiver.Security()
        security.authorityFile = "/etc/clawgrant/ca.pem"
        security.serverName = "soc"
        security.certificateFile = "/etc/clawgrant/c.pem"
        security.keyFile = "/k.pem"
        var receiver = SecurityEventSettings.SyslogReceiver(
            host: "collector.harborline.example", port: 6514, security: security)
        receiver.format = .syslogCEF
        receiver.replayedEvents = 7
        #expect(settings.sinks[1].kind == .syslog(receiver))
        #expect(settings.sinks[1].start == .position(12))
        #expect(settings.sinks[2].kind == .syslog(.init(host: "127.0.0.1", port: 601, security: nil)))
        #expect(settings.sinks[2].heartbeatInterval == nil)
        var file = SecurityEventSettings.LineFile(path: "/etc/clawgrant/events.ndjson")
        file.format = .ecs
        file.rotationBytes = 4_096
        file.rotationInterval = nil
        file.keptFiles = nil
        #expect(settings.sinks[3].kind == .file(file))
    }

    @Test(
        "Faults are told with their place",
        arguments: [
            ("{name: a}", "security_events.sinks[0].kind"), ("{name: a, kind: carrier}", "one of kafka"),
            ("{kind: kafka}", "security_events.sinks[0].name"), ("{name: 'A b', kind: kafka}", "small letters"),
            ("{name: a, kind: kafka, path: x}", "one of name"), ("{name: a, kind: syslog}", "sinks[0].host"),
            ("{name: a, kind: syslog, host: h, format: ocsf}", "syslog or syslog-cef"),
            ("{name: a, kind: syslog, host: h, transport: tcp, ca_file: x}", "without transport tls"),
            ("{name: a, kind: syslog, host: h, key_file: x}", "together"), ("{name: a, kind: file}", "sinks[0].path"),
            ("{name: a, kind: file, path: x, format: cef}", "ocsf or ecs"),
            ("{name: a, kind: kafka, start_from: soon}", "beginning, now, or a position"),
            ("{name: a, kind: kafka, headers: {claw_seq: '1'}}", "claw_"),
            ("{name: a, kind: kafka, retry_min_ms: 500, retry_max_ms: 100}", "no longer"),
            ("{name: a, kind: kafka}, {name: a, kind: kafka}", "a name of its own"), ("", "at least one"),
        ])
    func refusals(sinks: String, expected: String) {
        let told = faults("security_events: {sinks: [\(sinks)]}")
        #expect(told.contains { $0.contains(expected) }, "\(told)")
    }

    @Test("A sink of every kind can be made of its settings")
    func made() throws {
        let surroundings = SinkSurroundings(
            kafka: KafkaConfiguration(["bootstrap.servers": "127.0.0.1:1"]), logger: Logger(label: "test"))
        for (kind, events) in [
            (SecurityEventSettings.Kind.kafka(.init()), 500), (.syslog(.init(host: "localhost", port: 6514)), 200),
            (.file(.init(path: "/tmp/x")), 500),
        ] {
            let sink = try SecurityEventSettings.Sink(name: "it", kind: kind).open(surroundings)
            #expect(sink.name == "it" && sink.maximumEvents == events)
        }
    }
}
