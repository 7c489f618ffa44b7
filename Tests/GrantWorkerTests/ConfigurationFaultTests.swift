import GrantWorker
import Testing

@Suite("Faults of a configuration file")
struct ConfigurationFaultTests {
    /// A change to the sample, and what is said about it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let text: String
        let replacement: String
        let message: String
        var testDescription: String { replacement }
    }

    static let faults: [Fault] = [
        Fault(
            text: "worker: {id: worker-a, dry_run: true}", replacement: "wroker: {id: worker-a}",
            message:
                "line 3, column 1: wroker: found the key \"wroker\", expected one of config_version, log_id, rules, "
                + "worker, kafka, topics, database, keys, secrets, wpc, control, gateway_receipts, status_lists, "
                + "confirmation, http, claims, security_events, metrics, tracing, limits, log, witnesses; did you mean "
                + "\"worker\"?"),
        Fault(
            text: "dry_run: true", replacement: "dry_run: perhaps",
            message: "line 3, column 33: worker.dry_run: found \"perhaps\", expected true or false"),
        Fault(
            text: "id: worker-a", replacement: "id: worker a",
            message:
                "line 3, column 14: worker.id: found \"worker a\", expected at most 40 letters, digits, dots, hyphens "
                + "and underscores"),
        Fault(
            text: "config_version: \"1\"", replacement: "config_version: \"2\"",
            message: "line 1, column 17: config_version: found \"2\", expected \"1\", the only version"),
        Fault(
            text: "log_id: harborline.example/clawgrant", replacement: "log_id: harborline log",
            message:
                "line 2, column 9: log_id: found \"harborline log\", expected a name without spaces and plus signs, such "
                + "as harborline.example/clawgrant"),
        Fault(
            text: "socket.keepalive.enable: true", replacement: "socket.keepalive.enable: [true]",
            message:
                "line 9, column 30: kafka.properties.socket.keepalive.enable: found a list, expected a text, a number, "
                + "true or false"),
        Fault(
            text: "security.protocol: sasl_ssl", replacement: "sasl.password: hunter2",
            message:
                "line 7, column 20: kafka.properties.sasl.password: found a secret in the open, expected it in a file of "
                + "mode 0600 that kafka.secret_files.sasl.password names"),
        Fault(
            text: "{grants: g, decisions: d,", replacement: "{grants: g, decisions: g,",
            message: "line 13, column 32: topics.decisions: found \"g\", expected a topic of its own for each stream"),
        Fault(
            text: "{grants: g,", replacement: "{grants: \"g h\",",
            message:
                "line 13, column 18: topics.grants: found \"g h\", expected a topic's name: at most 249 letters, digits, "
                + "dots, hyphens, underscores"),
        Fault(
            text: "user=claw\"", replacement: "user=claw password=hunter2\"",
            message:
                "line 14, column 22: database.conninfo: found a password in the open, expected it in a file of mode 0600 "
                + "that database.password_file names"),
        Fault(
            text: "pool_size: 12", replacement: "pool_size: 0",
            message: "line 14, column 106: database.pool_size: found \"0\", expected a whole number from 1 to 200"),
        Fault(
            text: "{purpose: token, file: /keys/token.pem", replacement: "{purpose: tokens, file: /keys/token.pem",
            message:
                "line 16, column 15: keys[0].purpose: found \"tokens\", expected one of token, receipt, envelope, set; did "
                + "you mean \"token\"?"),
        Fault(
            text: "state: verify_only, not_after: 2026-12-01T00:00:00Z", replacement: "state: verify_only",
            message:
                "line 17, column 5: keys[1].not_after: found nothing, expected the time until which a verify_only key is "
                + "accepted"),
        Fault(
            text: "not_after: 2026-12-01T00:00:00Z", replacement: "not_after: next year",
            message: "line 17, column 73: keys[1].not_after: found \"next year\", expected a time such as "
                + "2026-11-20T09:00:00Z"),
        Fault(
            text: "file: keys/gone.pem, ", replacement: "",
            message: "line 21, column 5: keys[4]: found no place, expected either file or pkcs11"),
        Fault(
            text: "key_id: 0a1b", replacement: "key_id: xyz",
            message: "line 20, column 69: keys[3].pkcs11.key_id: found \"xyz\", expected CKA_ID in hexadecimal digits"),
        Fault(
            text: ", sealing_file: /secrets/sealing", replacement: "",
            message:
                "line 22, column 10: secrets.sealing_file: found nothing, expected this setting, which has no default"),
        Fault(
            text: "\"https://controls.harborline.example\"", replacement: "controls.harborline.example",
            message:
                "line 24, column 53: wpc.url: found \"controls.harborline.example\", expected an http or https address"),
        Fault(
            text: "heartbeat_ms: 1000", replacement: "heartbeat_ms: 5000",
            message:
                "line 32, column 17: limits.heartbeat_ms: found heartbeats every 5000 ms and leases of 6000 ms, expected "
                + "at least two heartbeats within a lease's lifetime"),
        Fault(
            text: "uri_base: \"https://status.harborline.example/lists\", topic: s", replacement: "topic: s",
            message:
                "line 40, column 15: status_lists.uri_base: found nothing, expected the address under which the lists are "
                + "served"),
        Fault(
            text: "ttl_s: 30", replacement: "ttl_s: 3",
            message:
                "line 40, column 105: status_lists.ttl_s: found lists every 5000 ms that may be kept for 3 s, expected a "
                + "new list before the last may not be kept any more"),
        Fault(
            text: "log_heartbeat_ms: 30000", replacement: "log_heartbeat_ms: 5",
            message:
                "line 34, column 21: limits.log_heartbeat_ms: found \"5\", expected 0 for no heartbeats of the log, or at "
                + "least 200"),
        Fault(
            text: "level: debug", replacement: "level: debig",
            message:
                "line 39, column 14: log.level: found \"debig\", expected one of trace, debug, info, notice, warning, "
                + "error, critical; did you mean \"debug\"?"),
    ]

    @Test("Each fault is told with line, column, what stands there and what was expected", arguments: faults)
    func fault(_ fault: Fault) throws {
        let room = try ConfigurationRoom()
        try #require(ConfigurationSample.whole.contains(fault.text))
        let text = ConfigurationSample.whole.replacing(fault.text, with: fault.replacement, maxReplacements: 1)
        #expect(room.problems(text) == [fault.message])
    }

    @Test("All faults come at once, in the order of the file")
    func together() throws {
        let room = try ConfigurationRoom()
        let problems = room.problems(
            """
            config_version: "1"
            database: {poolsize: 3}
            log: {level: loud}
            """)
        #expect(
            problems.map { $0.prefix(while: { $0 != ":" }) } == [
                "line 1, column 1", "line 1, column 1", "line 1, column 1", "line 1, column 1", "line 1, column 1",
                "line 1, column 1", "line 2, column 11", "line 2, column 12", "line 3, column 14",
            ])
        for setting in ["log_id", "keys", "rules", "secrets.token_id_file", "kafka.properties.bootstrap.servers"] {
            #expect(problems.contains { $0.contains(" \(setting): found nothing") })
        }
        #expect(problems.contains { $0.contains("did you mean \"pool_size\"?") })
    }

    @Test("Text that is no YAML, an empty file and a repeated key are refused with their place")
    func yaml() throws {
        let room = try ConfigurationRoom()
        #expect(room.problems("") == ["line 1, column 1: found nothing, expected a configuration in YAML"])
        #expect(room.problems("- a\n- b").first?.contains("expected a mapping") == true)
        #expect(room.problems("log_id: a\nlog_id: b").first?.contains("the key \"log_id\" twice") == true)
        let broken = room.problems("log_id: {a")
        #expect(broken.count == 1)
        #expect(broken.first?.contains("expected YAML") == true)
        let long = String(repeating: "#", count: ConfigurationFile.maximumBytes + 1)
        #expect(room.problems(long).first?.contains("expected at most") == true)
    }

    @Test("A secret file that others may read is refused with what to do")
    func openSecret() throws {
        let room = try ConfigurationRoom()
        try room.write("secrets/sasl", "hunter2\n", mode: 0o644)
        let problems = room.problems(ConfigurationSample.whole)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("line 11, column 33: kafka.secret_files.sasl.password: found ") == true)
        #expect(problems.first?.contains("chmod 600") == true)
        #expect(problems.first?.contains("hunter2") == false)
    }

    @Test("The error names the file on every line")
    func errorText() throws {
        let room = try ConfigurationRoom()
        do {
            _ = try room.read("log_id: a")
            Issue.record("the file was taken")
        } catch {
            let lines = error.description.split(separator: "\n")
            #expect(lines.count == error.problems.count)
            #expect(lines.allSatisfy { $0.hasPrefix("\(room.directory)/clawgrant.yaml: ") })
            #expect(!error.isRetriable)
        }
    }
}
