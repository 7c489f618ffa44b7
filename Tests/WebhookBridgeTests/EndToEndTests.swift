import ApprovalSources
import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantWorker
import HTTPService
import IssuanceRules
import Kafka
import Keys
import Logging
import Playground
import Postgres
import SecureFront
import Testing

@testable import WebhookBridge

/// From a vendor's HTTPS request to a token, or to a stop: bridge, broker and worker.
@Suite(.enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida)), .timeLimit(.minutes(6)))
struct EndToEndTests {
    static let nativeTopic = "claw.approvals.bridge.v1"
    static let rawTopic = "claw.approvals.raw.itsm.v1"
    static let rawGitHubTopic = "claw.approvals.raw.github.v1"
    static let rawPagerDutyTopic = "claw.approvals.raw.pagerduty.v1"

    /// A playground whose rules trust the bridge.
    struct Stage {
        let playground: Playground
        let certificates: TestCertificates
        let directory: TemporaryDirectory
        let signer: any Ed25519Signer
        let rules: RuleSet

        static func start() async throws -> Stage {
            var options = PlaygroundOptions()
            options.vendors = [.gitHub, .pagerDuty]
            let playground = try await Playground.start(options)
            do {
                return try await Stage(playground)
            } catch {
                await playground.stop()
                throw error
            }
        }

        private init(_ playground: Playground) async throws {
            self.playground = playground
            directory = try TemporaryDirectory(prefix: "claw-hook")
            certificates = try await TestCertificates.make(in: directory)
            let key = try KeyGenerator.generate(purpose: .envelope)
            try key.writePrivateKey(to: "\(playground.directory)/keys/bridge.pem")
            signer = try KeyRing.load(
                [KeyConfiguration(purpose: .envelope, location: .file("\(playground.directory)/keys/bridge.pem"))],
                required: [.envelope], at: .playgroundNow
            ).signer(for: .envelope, at: .playgroundNow)
            try Webhook.secretText.write(
                toFile: "\(playground.directory)/secrets/itsm", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: "\(playground.directory)/secrets/itsm")
            let path = "\(playground.directory)/rules.yaml"
            let text = try String(contentsOfFile: path, encoding: .utf8).replacing(
                "sources:\n",
                with: """
                    sources:
                      bridge:
                        kind: native
                        topics: [\(EndToEndTests.nativeTopic)]
                        authenticity: signed
                        signers: [{did: "\(signer.publicKey.did)", may_stop: true}]
                        trusted_event_sources: [/bridge/entra, /bridge/github]
                        trusted_stop_sources: [/bridge/soc, /bridge/pagerduty]
                        may_approve: [identity_app_admin, ledger_change]
                      github-raw:
                        kind: github
                        topics: [\(EndToEndTests.rawGitHubTopic)]
                        authenticity: signed
                        header_signature: {scheme: github, keys: [{name: github, file: secrets/itsm}]}
                        tenants: [northquay]
                        may_approve: [ledger_change]
                      pagerduty-raw:
                        kind: pagerduty
                        topics: [\(EndToEndTests.rawPagerDutyTopic)]
                        authenticity: signed
                        header_signature: {scheme: pagerduty, keys: [{name: pagerduty, file: secrets/itsm}]}
                        stops: [{service: PNQOTHER, scope: {kind: job_class, value: ledger_change}}]
                      itsm:
                        kind: native
                        topics: [\(EndToEndTests.rawTopic)]
                        authenticity: signed
                        header_signature: {scheme: github, keys: [{name: itsm, file: secrets/itsm}]}
                        may_approve: [ledger_reconcile]

                    """)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            rules = try RuleSet(yaml: text)
            _ = try await playground.admin.createTopics(
                [
                    EndToEndTests.nativeTopic, EndToEndTests.rawTopic, EndToEndTests.rawGitHubTopic,
                    EndToEndTests.rawPagerDutyTopic,
                ].map {
                    TopicSpecification(name: $0, partitions: 2, replicationFactor: 1)
                })
        }

        func bridge(_ keeper: LogKeeper) throws -> WebhookBridge {
            func configuration(_ name: String) throws -> SourceConfiguration {
                SourceConfiguration(
                    try #require(rules.sources[SourceName(name)]), entitlements: rules.entitlements)
            }
            var bridge = BridgeConfiguration(
                http: HTTPServiceConfiguration(
                    host: "127.0.0.1", port: 0,
                    tls: HTTPServiceConfiguration.TLS(
                        certificateFile: certificates.server.certificate, keyFile: certificates.server.key)),
                kafka: playground.clientConfiguration,
                sources: [
                    WebhookSource(
                        name: "entra", path: "/hooks/entra", topic: EndToEndTests.nativeTopic,
                        verifier: try Webhook.verifier(), deliveryHeader: "x-github-delivery",
                        output: .native(try configuration("entra-pim"), eventSource: "/bridge/entra")),
                    WebhookSource(
                        name: "soc", path: "/hooks/soc", topic: EndToEndTests.nativeTopic,
                        verifier: try Webhook.verifier(.pagerDuty), deliveryHeader: nil,
                        output: .native(try configuration("approvals"), eventSource: "/bridge/soc")),
                    WebhookSource(
                        name: "itsm", path: "/hooks/itsm", topic: EndToEndTests.rawTopic,
                        verifier: try Webhook.verifier(), deliveryHeader: "x-github-delivery",
                        output: .raw(headers: [])),
                    WebhookSource(
                        name: "github", path: "/hooks/github", topic: EndToEndTests.nativeTopic,
                        verifier: try Webhook.verifier(), deliveryHeader: "x-github-delivery",
                        output: .native(try configuration("github"), eventSource: "/bridge/github")),
                    WebhookSource(
                        name: "github-raw", path: "/hooks/github-raw", topic: EndToEndTests.rawGitHubTopic,
                        verifier: try Webhook.verifier(), deliveryHeader: "x-github-delivery",
                        output: .raw(headers: ["x-github-event"])),
                    WebhookSource(
                        name: "pagerduty", path: "/hooks/pagerduty", topic: EndToEndTests.nativeTopic,
                        verifier: try Webhook.verifier(.pagerDuty), deliveryHeader: "x-webhook-id",
                        output: .native(try configuration("pagerduty"), eventSource: "/bridge/pagerduty")),
                    WebhookSource(
                        name: "pagerduty-raw", path: "/hooks/pagerduty-raw", topic: EndToEndTests.rawPagerDutyTopic,
                        verifier: try Webhook.verifier(.pagerDuty), deliveryHeader: "x-webhook-id",
                        output: .raw(headers: [])),
                ], signer: signer)
            bridge.writeTimeout = .seconds(20)
            return try WebhookBridge(configuration: bridge, logger: keeper.logger) { .playgroundNow }
        }
    }

    /// Posts a body as a vendor would.
    struct Vendor {
        let client: HTTPClient
        let port: Int

        func post(
            _ path: String, _ body: [UInt8], delivery: String = "d", secret: String = Webhook.secretText
        ) async throws -> Int {
            let code = Webhook.code(body, secret)
            return try await TestClient.post(
                client, "https://127.0.0.1:\(port)\(path)", body,
                headers: [
                    ("content-type", "application/cloudevents+json"), ("x-github-delivery", delivery),
                    ("x-hub-signature-256", "sha256=\(code)"), ("x-pagerduty-signature", "v1=\(code)"),
                ]
            ).status
        }

        /// Posts what would be a record of the vendor's topic, with the headers that belong to it.
        func post(_ path: String, _ record: ProducerRecord) async throws -> Int {
            let body = record.value ?? []
            let code = Webhook.code(body)
            return try await TestClient.post(
                client, "https://127.0.0.1:\(port)\(path)", body,
                headers: [
                    ("content-type", "application/json"), ("x-hub-signature-256", "sha256=\(code)"),
                    ("x-pagerduty-signature", "v1=\(code)"),
                ] + record.headers.map { ($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) }
            ).status
        }
    }

    @Test func webhooksBecomeGrantsAndStops() async throws {
        try await play { try await converse($0, $1) }
    }

    @Test func vendorsWebhooksBecomeGrantsAndStops() async throws {
        try await play { try await converseWithVendors($0, $1) }
    }

    private func play(_ conversation: (Playground, Vendor) async throws -> Void) async throws {
        let stage = try await Stage.start()
        let playground = stage.playground
        let keeper = LogKeeper()
        let bridge = try stage.bridge(keeper)
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let serving = Task { try await bridge.run { listening.yield($0) } }
        let worker = Worker(
            configuration: try playground.workerConfiguration(id: "bridged"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let working = Task { try await worker.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        do {
            let client = try TestClient.make(trusting: stage.certificates.authority)
            try await TestClient.with(client) { client in
                try await conversation(playground, Vendor(client: client, port: port))
            }
        } catch {
            Issue.record("\(error)\n\(keeper.lines.suffix(20).joined(separator: "\n"))")
        }
        bridge.stop()
        worker.stop()
        try await serving.value
        try await working.value
        await playground.stop()
        #expect(!keeper.lines.contains { $0.contains(Webhook.secretText) })
    }

    private func converse(_ playground: Playground, _ vendor: Vendor) async throws {
        // Entra's words arrive through a relay that signs them; the bridge tells them as native events.
        let activation = EntraActivation("hook", at: .playgroundNow.adding(seconds: -60))
        let message = try #require(activation.message([.requested, .approved, .completed]).value)
        #expect(try await vendor.post("/hooks/entra", message, delivery: "e-1") == 202)
        #expect(try await vendor.post("/hooks/entra", message, delivery: "e-1") == 200)
        #expect(try await vendor.post("/hooks/entra", message, delivery: "e-2", secret: "another secret") == 401)
        var request = RequestDraft("hook", .appAdmin, in: playground, at: .playgroundNow)
        request.approvalID = activation.approvalID
        try await playground.produce([try request.record(signedBy: playground.keys.requestSigner)])
        // A system without a key posts an approval; the worker verifies the header itself.
        func approval(_ name: String) throws -> [UInt8] {
            try #require(ApprovalDraft(name, .reconcile, in: playground).event.message(.structured).value)
        }
        #expect(try await vendor.post("/hooks/itsm", try approval("raw-1"), delivery: "r-1") == 202)
        try await playground.waitForStatus("two grants", within: .seconds(120)) { $0.issued == 2 }
        // A stop, and an approval behind it.
        let stop = CloudEvent(
            id: "stop-hook", source: PlaygroundCast.approvalSource, type: EventType.stopDeclared,
            time: .playgroundNow,
            data: .json(
                NativeStop.json(
                    StopDeclaration(
                        stopID: "stop-hook", scope: StopScope(kind: .jobClass, value: "ledger_reconcile"),
                        revokesLive: true, reason: "pager", incident: "INC-1", declaredBy: nil))))
        #expect(try await vendor.post("/hooks/soc", try #require(stop.message(.structured).value)) == 202)
        try await waitUntil(deadline: .seconds(120), description: "the stop to be applied") {
            try await playground.query("SELECT count(*)::text FROM clawgrant.control_event").string(0, 0) == "1"
        }
        #expect(try await vendor.post("/hooks/itsm", try approval("raw-2"), delivery: "r-2") == 202)
        try await playground.waitForStatus("a denial", within: .seconds(120)) { $0.denied == 1 && $0.issued == 2 }
    }

    private func converseWithVendors(_ playground: Playground, _ vendor: Vendor) async throws {
        let past = Timestamp.playgroundNow.adding(seconds: -60)
        func request(_ name: String, of approval: ApprovalID) throws -> ProducerRecord {
            var request = RequestDraft(name, .ticketed, in: playground, at: .playgroundNow)
            request.approvalID = approval
            return try request.record(signedBy: playground.keys.requestSigner)
        }
        // GitHub's word through the bridge's key, GitHub's word under GitHub's own signature, and GitHub's no.
        let told = DeploymentDraft(101, at: past)
        let proven = DeploymentDraft(102, at: past)
        let refused = DeploymentDraft(103, at: past)
        #expect(try await vendor.post("/hooks/github", told.review("approved", by: PlaygroundCast.ruth)) == 202)
        #expect(try await vendor.post("/hooks/github", told.review("approved", by: PlaygroundCast.ruth)) == 200)
        #expect(try await vendor.post("/hooks/github-raw", proven.review("approved", by: PlaygroundCast.ruth)) == 202)
        #expect(try await vendor.post("/hooks/github", refused.review("rejected", by: PlaygroundCast.ruth)) == 202)
        #expect(try await vendor.post("/hooks/github", refused.question()) == 200)
        try await playground.produce([
            try request("told", of: told.approvalID), try request("proven", of: proven.approvalID),
            try request("refused", of: refused.approvalID),
        ])
        try await playground.waitForStatus("two grants and a denial", within: .seconds(120)) {
            $0.issued == 2 && $0.denied == 1
        }
        // PagerDuty's incident stops, and its end lifts nothing.
        #expect(try await vendor.post("/hooks/pagerduty", VendorDraft.pagerDuty("Q7", at: past)) == 202)
        let other = VendorDraft.pagerDuty("Q8", service: "PNQOTHER", at: past)
        #expect(try await vendor.post("/hooks/pagerduty-raw", other) == 202)
        try await waitUntil(deadline: .seconds(120), description: "both stops to be applied") {
            try await playground.query("SELECT count(*)::text FROM clawgrant.control_event").string(0, 0) == "2"
        }
        #expect(
            try await vendor.post("/hooks/pagerduty", VendorDraft.pagerDuty("Q7", "incident.resolved", at: past)) == 200
        )
        let behind = try #require(
            ApprovalDraft("behind", .reconcile, in: playground).event.message(.structured).value)
        #expect(try await vendor.post("/hooks/itsm", behind, delivery: "b-1") == 202)
        let last = DeploymentDraft(104, at: past)
        #expect(try await vendor.post("/hooks/github", last.review("approved", by: PlaygroundCast.ruth)) == 202)
        try await playground.produce([try request("last", of: last.approvalID)])
        try await playground.waitForStatus("the stops' denials", within: .seconds(120)) {
            $0.issued == 2 && $0.denied == 3
        }
    }

    @Test func aBrokerThatIsAwayIsToldAndComesBack() async throws {
        let directory = try TemporaryDirectory(prefix: "claw-away")
        let broker = try PrivateBroker(.noida, directory: directory.path("broker"))
        try await broker.start()
        var configuration = try Webhook.configuration([("/raw", .raw(headers: []))])
        configuration.kafka = KafkaConfiguration([
            "bootstrap.servers": broker.bootstrapServers, "reconnect.backoff.max.ms": "200",
            "allow.auto.create.topics": "true",
        ])
        configuration.writeTimeout = .milliseconds(1_500)
        let bridge = try WebhookBridge(configuration: configuration, logger: LogKeeper().logger) { Webhook.now }
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let serving = Task { try await bridge.run { listening.yield($0) } }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let body = Array("anything".utf8)
        @Sendable func post(_ delivery: String) async throws -> Int {
            try await TestClient.with(try TestClient.make(trusting: nil)) { client in
                try await TestClient.post(
                    client, "http://127.0.0.1:\(port)/raw", body,
                    headers: [
                        ("x-hub-signature-256", "sha256=\(Webhook.code(body))"), ("x-github-delivery", delivery),
                    ]
                ).status
            }
        }
        try await waitUntil(deadline: .seconds(60), description: "the first write") { try await post("d-0") / 100 == 2 }
        #expect(broker.signal(.stop))
        #expect(try await post("d-1") == 503)
        #expect(broker.signal(.resume))
        try await waitUntil(deadline: .seconds(60), description: "writes to go on") { try await post("d-1") == 202 }
        bridge.stop()
        try await serving.value
        await broker.kill()
    }
}
