import ApprovalSources
import DevStack
import Foundation
import GrantWorker
import HTTPService
import IssuanceRules
import Kafka
import Testing
import WebhookBridge

@testable import clawgrant

/// The configuration of `clawgrant bridge`.
@Suite struct BridgeFileTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory(prefix: "claw-bridge")
        try write("secret", "planted-secret-of-sixteen")
        try write("tls.key", "not looked into here")
        try write("tls.pem", "not looked into here", mode: 0o644)
        try write(
            "rules.yaml",
            """
            rules_version: "1"
            sources:
              github: {kind: native, authenticity: topic, allow_topic_authenticity: true, may_approve: [run]}
            job_classes:
              run:
                {binding: contained, audience: [x], scopes: {allow: ["proxy:call"]},
                 approvals: {all_of: [{any: true, count: 1}]}}
            """)
    }

    private func write(_ name: String, _ text: String, mode: Int = 0o600) throws {
        try text.write(toFile: directory.path(name), atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: directory.path(name))
    }

    static let raw = """
        config_version: "1"
        listen: {host: 0.0.0.0, port: 9443, tls: {certificate_file: tls.pem, key_file: tls.key}}
        kafka: {properties: {bootstrap.servers: "127.0.0.1:19092"}}
        limits: {body_bytes: 65536, requests: 8, write_timeout_ms: 2000}
        sources:
          github:
            path: /hooks/github
            topic: claw.approvals.raw.github.v1
            output: raw
            forward_headers: [X-GitHub-Event]
            signature:
              scheme: github
              keys: [{name: one, file: secret}]

        """

    private func load(_ yaml: String, environment: [String: String] = [:]) throws -> BridgeFile {
        try write("bridge.yaml", yaml)
        return try BridgeFile.load(directory.path("bridge.yaml"), environment: environment)
    }

    private func problem(_ yaml: String, environment: [String: String] = [:]) -> String {
        do {
            _ = try load(yaml, environment: environment)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func aBridgeOfRawRecordsNeedsNoKeyAndNoRules() throws {
        let bridge = try load(Self.raw).bridge
        #expect(bridge.http.host == "0.0.0.0")
        #expect(bridge.http.port == 9_443)
        #expect(bridge.http.tls?.keyFile == directory.path("tls.key"))
        #expect(bridge.http.limits.bodyBytes == 65_536)
        #expect(bridge.maximumRequests == 8)
        #expect(bridge.writeTimeout == .seconds(2))
        #expect(bridge.signer == nil)
        let source = try #require(bridge.sources.first)
        #expect(source.name == "github")
        #expect(source.path == "/hooks/github")
        #expect(source.topic == "claw.approvals.raw.github.v1")
        #expect(source.deliveryHeader == "x-github-delivery")
        guard case .raw(let headers) = source.output else {
            Issue.record("not raw")
            return
        }
        #expect(headers == ["x-github-event"])
    }

    @Test func whatGitHubsBodyIsGoesAlongUnasked() throws {
        let asked = Self.raw.replacing("forward_headers: [X-GitHub-Event]", with: "forward_headers: [X-Other]")
        for (yaml, expected) in [
            (asked, ["x-other", "x-github-event"]),
            (Self.raw.replacing("    forward_headers: [X-GitHub-Event]\n", with: ""), ["x-github-event"]),
        ] {
            guard case .raw(let headers) = try #require(try load(yaml).bridge.sources.first).output else {
                Issue.record("not raw")
                return
            }
            #expect(headers == expected)
        }
    }

    @Test func theEnvironmentLiesOverTheFile() throws {
        let bridge = try load(
            Self.raw,
            environment: [
                "CLAWGRANT_LISTEN_PORT": "1234", "CLAWGRANT_KAFKA_PROPERTIES_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            ]
        ).bridge
        #expect(bridge.http.port == 1_234)
        #expect(bridge.kafka["bootstrap.servers"] == "127.0.0.1:1")
        #expect(problem(Self.raw, environment: ["CLAWGRANT_LISTEN_PROT": "1"]).contains("LISTEN_PORT"))
    }

    @Test(arguments: [
        (raw.replacing("\"1\"", with: "\"2\""), "config_version"),
        (raw.replacing(", tls: {certificate_file: tls.pem, key_file: tls.key}", with: ""), "only loopback"),
        (raw.replacing("key_file: tls.key", with: "key_file: tls.pem"), "0644"),
        (raw.replacing("path: /hooks/github", with: "path: hooks"), "/hooks/github"),
        (raw.replacing("path: /hooks/github", with: "path: /healthz"), "a path of its own"),
        (raw.replacing("scheme: github", with: "scheme: gitea"), "one of github"),
        (raw.replacing("{name: one, file: secret}", with: ""), "1 to 16 keys"),
        (raw.replacing("file: secret", with: "file: nowhere"), "nowhere"),
        (raw.replacing("file: secret", with: "file: tls.pem"), "0644"),
        (raw.replacing("X-GitHub-Event", with: "Authorization"), "no credentials"),
        (raw.replacing("output: raw", with: "output: native"), "signing_key_file"),
        (raw.replacing("output: raw", with: "output: cooked"), "one of native, raw"),
        (raw.replacing("limits:", with: "limit:"), "did you mean \"limits\""),
        (raw.replacing("sources:", with: "sourced:"), "sources"),
        (raw.replacing("topic: claw", with: "topics: claw"), "did you mean \"topic\""),
    ])
    func faultsAreToldAndNoSecretIs(_ yaml: String, _ expected: String) {
        let message = problem(yaml)
        #expect(message.contains(expected), "\(message)")
        #expect(!message.contains("planted"))
    }

    @Test func nativeEventsNeedAKeyAndASourceOfTheRules() async throws {
        let native = Self.raw.replacing("output: raw", with: "output: native\n    read_as: github").replacing(
            "    forward_headers: [X-GitHub-Event]\n", with: ""
        ).replacing("sources:", with: "rules: rules.yaml\nsigning_key_file: bridge.pem\nsources:")
        #expect(
            await CommandRunner.run([
                "keys", "generate", "--purpose", "envelope", "--out", directory.path("bridge.pem"),
            ]) == 0)
        let bridge = try load(native).bridge
        #expect(bridge.signer != nil)
        guard case .native(let configuration, let source)? = bridge.sources.first?.output else {
            Issue.record("not native")
            return
        }
        #expect(configuration.kind == .native)
        #expect(source == "/bridge/github")
        #expect(problem(native.replacing("read_as: github", with: "read_as: gitlab")).contains("gitlab"))
    }
}
